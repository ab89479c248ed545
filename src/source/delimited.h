// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_DELIMITED_H
#define ROWSIEVE_SOURCE_DELIMITED_H

#include "source/dialect.h"

/*
 * The records of a member in a dialect, of which what is not said is found out from its first bytes: always the
 * same for the same bytes. Offsets are those of the plain bytes, but of a wide encoding (source/charset.h) those
 * of its text in UTF-8, and so are raw bytes.
 */
struct delimited;

/* First bytes that are looked at. */
enum { DELIMITED_HEAD_SIZE = 64 * 1024 };

/* Limits are max_field, max_columns and max_lines. RESULT_CONFIG: iconv does not know the encoding.
 * RESULT_INVALID: it is no text. The dialect's strings must outlive it. */
enum result delimited_open(struct delimited **out, const struct dialect *dialect,
                           const struct record_options *limits, record_read_fn *read, void *context,
                           struct error *error) WARN_UNUSED;

/* As record_next() and record_expect_fields(). */
enum result delimited_next(struct delimited *delimited, struct record *record,
                           struct error *error) WARN_UNUSED;
void delimited_expect_fields(struct delimited *delimited, size_t count);

/* The dialect, found out. Its encoding lives as long as the reader. */
const struct dialect *delimited_dialect(const struct delimited *delimited);

/* Are offsets those of the text, and not of the bytes? */
bool delimited_is_wide(const struct delimited *delimited);

/*
 * For a read() that gives whole records only, or passes them over (record_pass()): not of a wide encoding. After the
 * first record the reader holds no more than the lines of that record; so many bytes that follow are given back, and
 * the next read() begins with them.
 */
size_t delimited_give_back(struct delimited *delimited);
struct record_reader *delimited_reader(const struct delimited *delimited);

void delimited_close(struct delimited *delimited); /* NULL is fine */

#endif
