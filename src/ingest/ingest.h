// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_INGEST_H
#define ROWSIEVE_INGEST_INGEST_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/file.h"
#include "base/id.h"
#include "ingest/dataset.h"
#include "ingest/spool.h"
#include "source/source.h"
#include "state.h"

/*
 * The engine: files in, rows in the table, in the order of durability of DESIGN ("One batch"). One engine,
 * one state, one sink, and one thread that calls it. While it reads a member, threads of its own may digest the
 * bytes that come next and store the batch before; when a call returns there are none, and all callbacks are
 * the caller's own thread's.
 *
 * A batch may span several small deliveries, so a file that was read is not yet done: ingest_flush() makes
 * everything read so far durable. The outcome of each file is reported when it is.
 *
 * After any result but RESULT_OK, RESULT_END and RESULT_INVALID the engine has dropped what was not durable:
 * every file that was not reported must be given again, and goes on from its last live batch. RESULT_AGAIN
 * says that this is all there is to do.
 */
struct ingest;

enum ingest_status {
	INGEST_DONE,
	INGEST_REJECTED, /* the delivery cannot be taken; in the drop directory it moves to rejected/ */
	INGEST_FAILED,   /* it could be taken at another time or with another configuration: it stays */
};

/* What became of one member; the line of `ingest --json`. Strings live for the call. */
struct ingest_report {
	uint64_t ticket; /* of the file it belongs to */
	bool is_last;    /* of that file */
	bool is_left;    /* it has ended, but could not leave the drop directory: give it in again later */
	struct id delivery;
	const char *file;    /* as given */
	const char *member;  /* NULL for a plain file */
	const char *dataset; /* NULL when none takes it */
	const char *table;
	enum ingest_status status;
	uint64_t bytes;
	uint64_t bytes_skipped;
	struct state_counts counts;
	double seconds;
	const char *reason; /* NULL when done */
};

/* Where the file that is being read stands; called a few times a second at most. */
struct ingest_progress {
	uint64_t ticket;
	const char *file;
	uint64_t position; /* bytes of the file as it lies on disk */
	uint64_t size;
	struct state_counts counts; /* of the members of this file so far, judged rows only */
};

/* What a dry run found out about a member: the first rows that would be judged, and how they were read. Strings
 * live for the call. */
struct ingest_preview {
	const char *member; /* NULL for a plain file */
	const char *dataset;
	const char *table;
	const struct dialect *dialect; /* found out */
	const struct schema *schema;   /* as it would be frozen */
	uint32_t frozen_version;       /* of the schema that is frozen; 0: none is */
	const struct slice *rows;      /* canonical */
	size_t row_count;
};

enum ingest_on_done {
	INGEST_KEEP,
	INGEST_ARCHIVE,
	INGEST_DELETE,
};

struct ingest_options {
	struct state *state;
	struct sink *sink;
	const struct dataset_options *datasets;
	size_t dataset_count;
	bool create_unmatched;
	bool dry_run; /* judge and count; write nothing anywhere */
	enum ingest_on_done on_done;
	const char *done; /* directories */
	const char *rejected;
	struct spool_options spool;
	struct batch_size batch;
	size_t max_field;
	size_t max_columns;
	struct source_limits limits;
	const atomic_bool *stop; /* set: leave at the next record with RESULT_STOPPED */
	void (*report)(void *context, const struct ingest_report *report);
	void (*progress)(void *context, const struct ingest_progress *progress);
	void (*preview)(void *context, const struct ingest_preview *preview); /* of a dry run; NULL: none */
	/* A batch was stored, and how long that took from its intent on. NULL: nobody asks. */
	void (*stored)(void *context, double seconds);
	void *context; /* of these calls */
};

/* Opens the engine and sweeps what a crash left beside the state. Options are copied, what they point to is
 * borrowed. */
enum result ingest_open(struct ingest **out, const struct ingest_options *options,
                        struct error *error) WARN_UNUSED;

/* Drops what was not flushed. NULL is fine. */
void ingest_close(struct ingest *ingest);

struct ingest_file {
	const char *path;
	int fd;              /* open for reading; stays the caller's */
	const char *dataset; /* NULL: by the member's name. Must be one of ours, or create_unmatched */
	/* That counts for it, until it has ended; NULL, or of another column: what is stored now. */
	const struct state_watermark *watermark;
	uint64_t ticket; /* comes back in the reports */
	bool in_drop;    /* it leaves the drop directory when it is done or rejected */
};

/*
 * Reads one file. RESULT_OK: read; it will be reported at the latest by ingest_flush(). RESULT_INVALID: it
 * was rejected or failed for reasons of its own, and reported as such. RESULT_END: this file of the drop
 * directory was ended before; it was only moved, and is not reported.
 */
enum result ingest_read(struct ingest *ingest, const struct ingest_file *file,
                        struct error *error) WARN_UNUSED;

/* Makes everything that was read durable, reports it, and moves the files. */
enum result ingest_flush(struct ingest *ingest, struct error *error) WARN_UNUSED;

/* One file alone: ingest_read() and ingest_flush(), as often as it takes. */
enum result ingest_one(struct ingest *ingest, const struct ingest_file *file,
                       struct error *error) WARN_UNUSED;

/* Is there anything to flush? */
bool ingest_is_idle(const struct ingest *ingest);

/* Connects to the sink and settles every dataset that has a pending batch or a table. A dataset that is
 * stopped is no failure, and logged where is_loud; a sink that cannot be reached is the result. */
enum result ingest_recover(struct ingest *ingest, bool is_loud, struct error *error) WARN_UNUSED;

#endif
