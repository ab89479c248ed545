// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_SOURCE_H
#define ROWSIEVE_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * A delivered file as a sequence of members, each a stream of plain bytes. A plain, gzip or zstd file is one
 * member; a zip holds one or many. What a file is, its first bytes say, never its name. Reading is streaming:
 * no member is ever held whole. Bytes come from read(2), so a producer that truncates the file cannot
 * kill us. A source is used by one thread at a time, and may change hands.
 */
struct source;

struct source_limits {
	uint32_t max_members; /* files in one archive */
	uint32_t max_ratio;   /* plain bytes per byte of the file, beyond the first 64 MiB of plain bytes */
};

/*
 * `index` is the position in the delivery, from 0; directories are not counted. `name` is that of an
 * archive's member, as stored there; NULL for a plain, gzip or zstd file. `title` is the base name that
 * patterns are matched against: of a single file without its compression ending ("x.csv.gz" -> "x.csv"), in
 * an archive the member's base name. `size` is the number of plain bytes if the file says so; 0 when unknown.
 */
struct source_member {
	uint32_t index;
	const char *name;
	const char *title;
	uint64_t size;
};

/*
 * Opens the file behind fd, from its beginning, whatever its offset. The source takes a duplicate of the
 * descriptor; fd stays the caller's. `name` is used in messages and for the title; it is copied. Errors:
 * RESULT_IO, RESULT_INVALID (a damaged archive, an encrypted member, not a regular file), RESULT_NO_MEMORY.
 */
enum result source_open(struct source **out, int fd, const char *name, const struct source_limits *limits,
                        struct error *error) WARN_UNUSED;

/* Goes to the next member, skipping what is unread of this one. RESULT_END after the last. The strings
 * in *member belong to the source and live until the next call. */
enum result source_next(struct source *source, struct source_member *member, struct error *error) WARN_UNUSED;

/* Up to `size` plain bytes of the current member; *count is 0 at its end. RESULT_INVALID: the archive is
 * damaged or truncated, or breaks a limit. */
enum result source_read(struct source *source, void *bytes, size_t size, size_t *count,
                        struct error *error) WARN_UNUSED;

/* Packed bytes consumed so far, for a progress bar against the file's size. */
uint64_t source_position(const struct source *source);

/* An archive of members (zip), as opposed to a single file, compressed or not. */
bool source_is_archive(const struct source *source);

void source_close(struct source *source); /* NULL is fine */

#endif
