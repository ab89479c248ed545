// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_WATCH_WATCH_H
#define ROWSIEVE_WATCH_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"

/*
 * The drop directory as a stream of settled files, and nothing else: no content is read here.
 *
 * inotify is a hint. What decides is a scan: at start, every `rescan_ns`, after a queue overflow, and of the
 * named file after an event. A file is settled when its identity has not changed for `settle_ns` and, where
 * the kernel grants a read lease on it, nobody has it open for writing. Regular files only, never through a
 * symlink; names that begin with '.' or end in .part, .tmp or .crdownload, in any case, are never taken.
 * Watched are the drop directory and the directories directly in it whose names do not begin with '.'.
 *
 * A file that was handed out is handed out again only when its identity changed, or after watch_release(). A
 * file that cannot be read is handed out once per identity too, with verdict WATCH_UNREADABLE, so that
 * somebody can be told; it is tried again with every scan and handed out as WATCH_SETTLED when it became
 * readable.
 *
 * One thread. Poll watch_fd() for reading; whenever it is ready, or watch_deadline() has passed, call
 * watch_advance(), then watch_next() until there is none.
 *
 * A writer that opens a file in the instant in which its lease is held makes the kernel send SIGIO, which
 * would end the process: watch_open() ignores SIGIO unless the program handles it.
 */
struct watch;

struct watch_options {
	const char *directory;
	int64_t settle_ns;
	int64_t rescan_ns;
};

/* Why a file is not (yet) handed out. */
enum watch_verdict {
	WATCH_SETTLED,
	WATCH_IGNORED_NAME, /* dot file, .part, .tmp, .crdownload */
	WATCH_NOT_REGULAR,
	WATCH_UNREADABLE,
	WATCH_BEING_WRITTEN,
	WATCH_SETTLING,
	WATCH_GONE,
};

struct watch_file {
	const char *path;         /* directory/[subdirectory/]name; lives until the next call on the watch */
	const char *subdirectory; /* NULL directly in the drop directory */
	struct file_identity identity;
	enum watch_verdict verdict; /* WATCH_SETTLED or WATCH_UNREADABLE */
};

/* The directory must exist. The first watch_advance() scans it. */
enum result watch_open(struct watch **out, const struct watch_options *options,
                       struct error *error) WARN_UNUSED;
void watch_close(struct watch *watch); /* NULL is fine */

int watch_fd(const struct watch *watch);

/* When watch_advance() must be called even without an event, on clock_monotonic_ns(). */
int64_t watch_deadline(const struct watch *watch);

/*
 * Takes in what happened and what time has settled. A failure (the drop directory is gone, a directory cannot
 * be read or watched) concerns that part only: the rest was done, the watch stays usable, and the next scan
 * tries again and returns the same error while the cause lasts. A drop directory that is made again is taken
 * up by that scan.
 */
enum result watch_advance(struct watch *watch, int64_t now_ns, struct error *error) WARN_UNUSED;

/* The next settled file, in the order of (mtime, path); false when there is none now. */
bool watch_next(struct watch *watch, struct watch_file *file);

/* That file may be handed out again from `not_before_ns` on, if it is still there. */
void watch_release(struct watch *watch, const char *path, int64_t not_before_ns);

/* Scan everything with the next watch_advance(), which is due at once. */
void watch_rescan(struct watch *watch);

/* The settle rule for one file at this moment, without a watch: for a reader of `explain`. `settle_ns` is
 * compared with the newer of mtime and ctime on the wall clock; an mtime in the future is not. */
enum watch_verdict watch_judge(const char *path, int64_t settle_ns, int64_t wall_now_ns);
const char *watch_verdict_text(enum watch_verdict verdict);

#endif
