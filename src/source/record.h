// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_RECORD_H
#define ROWSIEVE_SOURCE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/*
 * CSV bytes to records, by libcsv: lenient about quotes, blanks kept, blank lines reported as records of no
 * field. A record ends at LF, CRLF or a lone CR outside quotes. A UTF-8 byte order mark before the first
 * record is dropped. Lines that are passed over (skip_lines, comment) are no records; lines and offsets count
 * them.
 *
 * A stray quote must not swallow the rest of the file. So a record that spans lines is taken only when it is
 * quoted strictly, has the expected number of fields, ends before the end of input, and stays within
 * max_field bytes a field and max_lines lines. Otherwise its first physical line alone is returned as broken,
 * and reading resumes at the second. A record of one line is taken whatever its quotes, unless the input ends
 * inside one.
 *
 * Where a record is broken by its quotes, or its one line has a quote and not the expected number of fields,
 * its first line is read once more by itself, every quote that is not doubled closing its field (as Python's
 * csv reads; source/split.h). If that gives the expected number of fields, the line is the record:
 *
 *     44439,"A" Is for Abductive,3.14        [44439] [A Is for Abductive] [3.14]
 *
 * With `escape`, which libcsv does not know, every record is read by source/split.h, under the same rules.
 *
 * Memory is bounded: a record of more than 2 * max_field + 1 MiB raw bytes is broken too, and of a single
 * line longer than that only so many bytes are kept.
 */
struct record_reader;
struct charset; /* source/charset.h; one that works byte by byte */

struct record_options {
	char delimiter;
	char quote;                    /* '\0': none, every quote is data */
	char escape;                   /* '\0': none; else the byte behind it stands for itself */
	char comment;                  /* '\0': none; else a line that begins with it is passed over */
	uint64_t skip_lines;           /* physical lines passed over before the first record */
	const struct charset *charset; /* of the fields' bytes; NULL: none is converted */
	size_t max_field;              /* bytes; a longer field breaks the record */
	size_t max_columns;            /* more fields break the record */
	size_t max_lines;              /* physical lines a record may span */
};

/* Delivers bytes: up to `size` into bytes, *count = 0 at the end. */
typedef enum result record_read_fn(void *context, void *bytes, size_t size, size_t *count,
                                   struct error *error);

enum record_fault {
	RECORD_WHOLE = 0,
	/* A quoted field does not end: the input, max_field or max_lines came first. */
	RECORD_OPEN_QUOTE,
	/* The record spans lines, but a quote stands where none can, or the field count is wrong. */
	RECORD_STRAY_QUOTE,
	/* A field of one line is longer than max_field, or the line than any record may be. */
	RECORD_LONG_FIELD,
	RECORD_MANY_COLUMNS,
};

/*
 * `raw` is the record's bytes with its line end; of a broken one its first line, cut where that is longer
 * than any record may be. Physical lines end at LF, CRLF and a lone CR, in quotes too.
 */
struct record {
	enum record_fault fault;
	struct slice raw;
	const struct slice *fields; /* unquoted, in UTF-8, with slack (base/slice.h); NULL when broken */
	size_t field_count;         /* 0: a blank line */
	uint64_t number;            /* of the record, from 1 */
	uint64_t line;              /* physical line it begins on, from 1 */
	uint64_t end;               /* offset in the plain bytes behind it: a record boundary */
};

enum result record_open(struct record_reader **out, const struct record_options *options,
                        record_read_fn *read, void *context, struct error *error) WARN_UNUSED;

/* The number of fields that a record which spans lines must have; 0 (the beginning): any. */
void record_expect_fields(struct record_reader *reader, size_t count);

/* The next record; what it points to lives until the next call. RESULT_END behind the last. Errors are those
 * of read(), and RESULT_NO_MEMORY. */
enum result record_next(struct record_reader *reader, struct record *record, struct error *error) WARN_UNUSED;

/*
 * For a read() that knows some of the records already. At a boundary, all that was given belongs to records that were
 * returned; then record_pass() says that so many bytes follow, which are whole records and will not be given.
 */
bool record_at_boundary(const struct record_reader *reader);
void record_pass(struct record_reader *reader, uint64_t bytes, uint64_t records, uint64_t lines);
uint64_t record_line(const struct record_reader *reader); /* physical line that the next record begins on */

/* A short text for the fault, for the reject file. */
const char *record_fault_text(enum record_fault fault);

void record_close(struct record_reader *reader); /* NULL is fine */

#endif
