// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_TESTS_RECORD_INPUT_H
#define ROWSIEVE_TESTS_RECORD_INPUT_H

#include <criterion/criterion.h>
#include <string.h>

#include "source/record.h"

/* What the tests of the record reader share: input in pieces, and records as text. */

static const struct record_options usual = {
    .delimiter = ',', .quote = '"', .max_field = 1 << 20, .max_columns = 4096, .max_lines = 100};

/* What a reader reads: bytes, handed out in pieces of at most `piece`. */
struct input {
	struct slice bytes;
	size_t at;
	size_t piece;
};

static inline enum result read_input(void *context, void *bytes, size_t size, size_t *count,
                                     struct error *error)
{
	(void)error;
	struct input *input = context;
	size_t left = input->bytes.length - input->at;
	*count = left < input->piece ? left : input->piece;
	if (*count > size)
		*count = size;
	if (*count > 0)
		memcpy(bytes, input->bytes.data + input->at, *count);
	input->at += *count;
	return RESULT_OK;
}

static inline struct record_reader *open_reader(record_read_fn *read, void *context,
                                                const struct record_options *options)
{
	struct record_reader *reader = NULL;
	cr_assert_eq(record_open(&reader, options, read, context, NULL), RESULT_OK);
	return reader;
}

static inline void append(struct buffer *out, const char *bytes, size_t count)
{
	cr_assert_eq(buffer_append(out, bytes, count), RESULT_OK);
}

/* Reads the slack behind a field, for the address sanitizer. */
static inline void expect_slack(struct slice field)
{
	struct buffer slack = {0};
	if (field.length > 0)
		append(&slack, field.data + field.length, SLICE_SLACK);
	buffer_free(&slack);
}

/* Everything about a record, without ambiguity. */
static inline void describe(struct buffer *out, const struct record *record)
{
	cr_assert_eq(buffer_printf(out, "%lu line %lu end %lu fault %d <", (unsigned long)record->number,
	                           (unsigned long)record->line, (unsigned long)record->end,
	                           (int)record->fault),
	             RESULT_OK);
	append(out, record->raw.data, record->raw.length);
	append(out, ">", 1);
	for (size_t i = 0; i < record->field_count; i++) {
		cr_assert_eq(buffer_printf(out, " %zu=", record->fields[i].length), RESULT_OK);
		append(out, record->fields[i].data, record->fields[i].length);
		expect_slack(record->fields[i]);
	}
	append(out, "\n", 1);
}

static inline struct buffer read_all(struct slice bytes, size_t piece, const struct record_options *options,
                                     size_t expected)
{
	struct input input = {.bytes = bytes, .piece = piece};
	struct record_reader *reader = open_reader(read_input, &input, options);
	record_expect_fields(reader, expected);
	struct buffer out = {0};
	struct record record;
	enum result result;
	while ((result = record_next(reader, &record, NULL)) == RESULT_OK)
		describe(&out, &record);
	cr_assert_eq(result, RESULT_END);
	cr_assert_eq(record_next(reader, &record, NULL), RESULT_END);
	record_close(reader);
	return out;
}

#endif
