// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_ZIPDIR_H
#define ROWSIEVE_FETCH_ZIPDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * The central directory of a zip or zip64 archive, read by offset from its end, wherever it lies: a file, or
 * a server that gives ranges.
 */
struct zipdir_source {
	/* Exactly `count` bytes. */
	enum result (*read)(void *context, uint64_t offset, void *bytes, size_t count, struct error *error);
	void *context;
	uint64_t size; /* of the archive */
};

enum { ZIPDIR_MAX = 4 * 1024 * 1024 }; /* bytes of a directory; a larger one is not taken to pieces */

/* One entry; names and raw bytes are the directory's. Directories have a name that ends in '/'. */
struct zipdir_member {
	const char *name; /* not terminated */
	size_t name_length;
	uint64_t size; /* plain */
	uint32_t crc;
	uint64_t offset, end;     /* what the archive holds for it: local header, bytes, trailer */
	const unsigned char *raw; /* its entry in the central directory */
	size_t raw_length;
};

struct zipdir {
	struct zipdir_member *members; /* by offset */
	size_t count;
	uint64_t offset; /* where the directory begins */
	unsigned char *raw;
	size_t raw_length;
};

/* RESULT_INVALID: not a whole zip archive. RESULT_END: it may be one, but its directory is larger than
 * ZIPDIR_MAX. Else what read() returned. */
enum result zipdir_read(struct zipdir *directory, const struct zipdir_source *source,
                        struct error *error) WARN_UNUSED;
void zipdir_free(struct zipdir *directory);

/* A file of its own, as opposed to a folder. */
bool zipdir_is_file(const struct zipdir_member *member);

#endif
