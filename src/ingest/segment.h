// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_SEGMENT_H
#define ROWSIEVE_INGEST_SEGMENT_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "schema/schema.h"

/*
 * The new and updated rows of one batch. On the way to the table they are written as they are (a length, u32
 * in this machine's order, before each canonical row), which costs next to nothing; the thread that stores
 * them makes CSV of them:
 *
 *   gzip; UTF-8; the schema's column names, in the order of its ordinals, as the header; one record a row,
 *   ended by \n; canonical values (type.h), quoted where they hold '"', ',', CR, LF or begin or end in a
 *   blank; null is empty, the empty text is "".
 *
 * The gzip file is of several members: the text in pieces, and an empty one, without which it was cut off. The same
 * rows and schema make the same bytes, with one version of libdeflate.
 */

/* Writes and syncs the rows; *bytes is what that took. */
enum result segment_write(const char *path, const struct slice *rows, size_t count, uint64_t *bytes,
                          struct error *error) WARN_UNUSED;

/* Rows as written, to CSV. RESULT_INVALID: they are not rows of this schema, or damaged. */
enum result segment_encode(const char *from, const char *to, const struct schema *schema,
                           struct error *error) WARN_UNUSED;

/* Reads what segment_encode() made, row by row. */
struct segment_reader;

/* The header must name columns of the schema. RESULT_INVALID: it is not such a file. */
enum result segment_open(struct segment_reader **out, const char *path, const struct schema *schema,
                         struct error *error) WARN_UNUSED;
void segment_close(struct segment_reader *reader); /* NULL is fine */

/* Appends the next canonical row to `row`; RESULT_END after the last. */
enum result segment_next(struct segment_reader *reader, struct buffer *row, struct error *error) WARN_UNUSED;

#endif
