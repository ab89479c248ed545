// SPDX-License-Identifier: Apache-2.0
#include "source/regular.h"

#include <stdlib.h>
#include <string.h>

/* Bytes scanned at once: few behind a record that was not regular, because they may have to be scanned again;
 * in a regular file as many as stay in the processor's cache until they are used. */
enum { STRIDE_MIN = 1024, STRIDE_MAX = 32 * 1024 };

enum result regular_open(struct regular *regular, const struct regular_options *options)
{
	*regular = (struct regular){
	    .max_field = options->max_field,
	    .max_columns = options->max_columns,
	    .max_lines = options->max_lines,
	    .max_record = options->max_record,
	    .stride = STRIDE_MIN,
	};
	regular->enabled = scanner_init(&regular->scanner, options->delimiter, options->quote);
	if (!regular->enabled)
		return RESULT_OK;
	regular->ends = calloc(SCANNER_ENDS_MAX, sizeof(*regular->ends));
	return regular->ends != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

void regular_close(struct regular *regular)
{
	free(regular->ends);
	buffer_free(&regular->text);
}

static void forget(struct regular *regular)
{
	regular->found = (struct scanner_found){0};
	regular->next_end = 0;
	regular->position = 0;
}

/* Scans from the beginning of a record until there is a whole one, or nothing more to scan. */
static enum regular_result look_ahead(struct regular *regular, struct slice bytes)
{
	size_t count = regular->stride;
	for (;; count *= 2) {
		if (count > bytes.length)
			count = bytes.length;
		struct scanner_found found =
		    scanner_scan(&regular->scanner, bytes.data, count, regular->ends);
		forget(regular);
		regular->found = found;
		/* Unquoting only shortens: no record of these needs more. */
		if (found.has_doubled && buffer_reserve(&regular->text, count + SLICE_SLACK) != RESULT_OK)
			return REGULAR_NOT;
		if (found.count > 0 || found.irregular || count == bytes.length)
			break;
	}
	if (regular->stride < STRIDE_MAX)
		regular->stride *= 2;
	if (regular->found.count > 0)
		return REGULAR_TAKEN;
	return regular->found.irregular ? REGULAR_NOT : REGULAR_SHORT;
}

/* The content of a quoted field, with each doubled quote once. */
static struct slice unquote(struct regular *regular, struct slice inner)
{
	char quote = regular->scanner.quote;
	const char *found = regular->found.has_doubled ? memchr(inner.data, quote, inner.length) : NULL;
	if (found == NULL)
		return inner;
	char *text = regular->text.data + regular->text.length;
	char *to = text;
	const char *from = inner.data;
	const char *end = inner.data + inner.length;
	while (found != NULL) {
		size_t part = (size_t)(found + 1 - from);
		memcpy(to, from, part);
		to += part;
		from = found + 2;
		found = from < end ? memchr(from, quote, (size_t)(end - from)) : NULL;
	}
	if (from < end) {
		memcpy(to, from, (size_t)(end - from));
		to += end - from;
	}
	regular->text.length += (size_t)(to - text);
	return (struct slice){text, (size_t)(to - text)};
}

static uint64_t count_lines(struct slice bytes)
{
	uint64_t lines = 0;
	for (size_t i = 0; i < bytes.length; i++) {
		bool is_pair = bytes.data[i] == '\r' && i + 1 < bytes.length && bytes.data[i + 1] == '\n';
		lines += (bytes.data[i] == '\n' || bytes.data[i] == '\r') && !is_pair;
	}
	return lines;
}

static bool has_longer_field(const struct slice *fields, size_t count, size_t limit)
{
	for (size_t i = 0; i < count; i++)
		if (fields[i].length > limit)
			return true;
	return false;
}

/* The fields of the next record found; *bytes becomes what it occupies. False: they break a limit. */
static bool split(struct regular *regular, struct slice *bytes, struct slice *fields, size_t *field_count)
{
	const char *base = bytes->data - regular->position;
	const uint32_t *ends = regular->ends + regular->next_end;
	const size_t columns = regular->max_columns;
	const char quote = regular->scanner.quote;
	const char *field = bytes->data;
	size_t count = 0;
	regular->text.length = 0;
	for (bool is_last = false; !is_last;) {
		if (count == columns)
			return false;
		const char *end = base + ends[count];
		const char *behind = end + 1;
		is_last = *end == '\n';
		if (is_last && end > field && end[-1] == '\r')
			end--;
		struct slice content = {field, (size_t)(end - field)};
		if (content.length >= 2 && *field == quote)
			content = unquote(regular, (struct slice){field + 1, content.length - 2});
		fields[count++] = content;
		field = behind;
	}
	bytes->length = (size_t)(field - bytes->data);
	*field_count = count;
	return bytes->length <= regular->max_field || !has_longer_field(fields, count, regular->max_field);
}

/* Under the conditions of source/record.h. */
static bool may_be_taken(const struct regular *regular, const struct regular_record *record, size_t expected)
{
	if (record->bytes > regular->max_record)
		return false;
	if (record->lines == 1)
		return true;
	return record->lines <= regular->max_lines && (expected == 0 || record->field_count == expected);
}

enum regular_result regular_next(struct regular *regular, struct slice bytes, size_t expected,
                                 struct slice *fields, struct regular_record *record)
{
	if (!regular->enabled)
		return REGULAR_NOT;
	if (regular->next_end == regular->found.count) {
		if (regular->found.irregular)
			return REGULAR_NOT;
		enum regular_result result = look_ahead(regular, bytes);
		if (result != REGULAR_TAKEN)
			return result;
	}
	if (!split(regular, &bytes, fields, &record->field_count))
		return REGULAR_NOT;
	record->bytes = bytes.length;
	record->lines = regular->found.spans ? count_lines(bytes) : 1;
	if (!may_be_taken(regular, record, expected))
		return REGULAR_NOT;
	regular->next_end += record->field_count;
	regular->position += record->bytes;
	return REGULAR_TAKEN;
}

void regular_pass(struct regular *regular, size_t bytes)
{
	size_t target = regular->position + bytes;
	size_t next = regular->next_end;
	while (next < regular->found.count && regular->ends[next] + 1 < target)
		next++;
	if (next < regular->found.count && regular->ends[next] + 1 == target) {
		regular->next_end = next + 1;
		regular->position = target;
		return;
	}
	if (regular->next_end < regular->found.count)
		regular->stride = STRIDE_MIN;
	forget(regular);
}
