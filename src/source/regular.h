// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_REGULAR_H
#define ROWSIEVE_SOURCE_REGULAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "source/scanner.h"

/*
 * Regular records (source/scanner.h) one by one, out of a window of bytes that somebody else reads. It takes
 * only records that source/record.h would return whole; for all others the caller goes on by its own means,
 * and tells how far.
 */
struct regular {
	struct scanner scanner;
	size_t max_field;
	size_t max_columns;
	size_t max_lines;
	size_t max_record;
	bool enabled;
	struct scanner_found found; /* in the bytes scanned last */
	uint32_t *ends;             /* of their fields, as offsets from their beginning */
	size_t next_end;            /* of the next record's first field */
	size_t position;            /* where the next record begins, from their beginning */
	size_t stride;              /* bytes to scan at once */
	struct buffer text;         /* the record's fields that held doubled quotes */
};

struct regular_options {
	char delimiter;
	char quote; /* '\0': none */
	size_t max_field;
	size_t max_columns;
	size_t max_lines;
	size_t max_record; /* bytes, with the line end */
};

struct regular_record {
	size_t bytes; /* with its line end */
	size_t field_count;
	uint64_t lines;
};

enum regular_result {
	REGULAR_TAKEN,
	REGULAR_NOT,   /* the next record is for the caller */
	REGULAR_SHORT, /* the window holds no whole record: with more bytes it may */
};

/* RESULT_NO_MEMORY. Options for which nothing is regular are fine. */
enum result regular_open(struct regular *regular, const struct regular_options *options) WARN_UNUSED;
void regular_close(struct regular *regular);

/* The record at the beginning of `bytes`. If it spans lines it must have `expected` fields, unless that is 0.
 * Fields point into the window or into `regular`, until the next call. */
enum regular_result regular_next(struct regular *regular, struct slice bytes, size_t expected,
                                 struct slice *fields, struct regular_record *record);

/* The caller took so many bytes itself, up to the beginning of another record. */
void regular_pass(struct regular *regular, size_t bytes);

#endif
