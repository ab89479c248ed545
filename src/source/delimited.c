// SPDX-License-Identifier: Apache-2.0
#include "source/delimited.h"

#include <stdlib.h>
#include <string.h>

#include "source/charset.h"

enum { READ_SIZE = 64 * 1024 };

struct delimited {
	struct dialect dialect;
	struct charset *charset;
	struct record_reader *reader;
	record_read_fn *read;
	void *context;
	struct buffer bytes; /* read, and in a wide encoding not decoded yet */
	struct buffer text;  /* not handed on yet, from `taken` on */
	size_t taken;
	bool input_ended;
	bool has_begun; /* the first record was read */
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

/* Reads some bytes behind those in the buffer. */
static enum result read_more(struct delimited *delimited, struct buffer *buffer, size_t size,
                             struct error *error)
{
	size_t count;
	if (buffer_reserve(buffer, size) != RESULT_OK)
		return no_memory(error);
	enum result result =
	    delimited->read(delimited->context, buffer->data + buffer->length, size, &count, error);
	if (result != RESULT_OK)
		return result;
	buffer->length += count;
	delimited->input_ended = count == 0;
	return RESULT_OK;
}

static enum result decode(struct delimited *delimited, struct error *error)
{
	struct slice bytes = {delimited->bytes.data, delimited->bytes.length};
	enum result result =
	    charset_feed(delimited->charset, bytes, delimited->input_ended, &delimited->text, error);
	delimited->bytes.length = 0;
	return result;
}

/* Makes some text available unless the input ends. */
static enum result fill_text(struct delimited *delimited, struct error *error)
{
	delimited->text.length = 0;
	delimited->taken = 0;
	enum result result = RESULT_OK;
	while (result == RESULT_OK && delimited->text.length == 0 && !delimited->input_ended) {
		result = read_more(delimited, &delimited->bytes, READ_SIZE, error);
		if (result == RESULT_OK)
			result = decode(delimited, error);
	}
	return result;
}

/* The head that was looked at first, line by line until there was a record; then the rest. */
static enum result read_text(void *context, void *bytes, size_t size, size_t *count, struct error *error)
{
	struct delimited *delimited = context;
	if (delimited->taken == delimited->text.length && charset_is_wide(delimited->charset)) {
		enum result result = fill_text(delimited, error);
		if (result != RESULT_OK)
			return result;
	}
	size_t waiting = delimited->text.length - delimited->taken;
	if (waiting == 0 && (delimited->input_ended || charset_is_wide(delimited->charset))) {
		*count = 0;
		return RESULT_OK;
	}
	if (waiting == 0)
		return delimited->read(delimited->context, bytes, size, count, error);
	const char *text = delimited->text.data + delimited->taken;
	const char *feed = delimited->has_begun ? NULL : memchr(text, '\n', waiting);
	if (feed != NULL)
		waiting = (size_t)(feed + 1 - text);
	*count = waiting < size ? waiting : size;
	memcpy(bytes, text, *count);
	delimited->taken += *count;
	return RESULT_OK;
}

static enum result find_encoding(struct delimited *delimited, struct error *error)
{
	struct slice head = {delimited->bytes.data, delimited->bytes.length};
	if (delimited->dialect.encoding == NULL)
		delimited->dialect.encoding = charset_of_mark(head);
	if (delimited->dialect.encoding == NULL)
		delimited->dialect.encoding = "utf-8";
	return charset_open(&delimited->charset, delimited->dialect.encoding, error);
}

static enum result read_head(struct delimited *delimited, struct error *error)
{
	enum result result = RESULT_OK;
	while (result == RESULT_OK && !delimited->input_ended &&
	       delimited->bytes.length < DELIMITED_HEAD_SIZE)
		result = read_more(delimited, &delimited->bytes,
		                   DELIMITED_HEAD_SIZE - delimited->bytes.length, error);
	if (result == RESULT_OK)
		result = find_encoding(delimited, error);
	if (result != RESULT_OK)
		return result;
	if (charset_is_wide(delimited->charset))
		return decode(delimited, error);
	struct buffer none = delimited->text;
	delimited->text = delimited->bytes;
	delimited->bytes = none;
	return RESULT_OK;
}

static enum result check_text(const struct delimited *delimited, struct error *error)
{
	const struct buffer *text = &delimited->text;
	const char *zero = text->length > 0 ? memchr(text->data, '\0', text->length) : NULL;
	if (zero == NULL)
		return RESULT_OK;
	error_set(error, RESULT_INVALID, "not a CSV: a NUL byte at offset %zu", (size_t)(zero - text->data));
	error_hint(error,
	           "if it is UTF-16 without a byte order mark, set encoding = \"utf-16le\" or \"utf-16be\"");
	return RESULT_INVALID;
}

static enum result open_reader(struct delimited *delimited, const struct record_options *limits,
                               struct error *error)
{
	struct dialect *dialect = &delimited->dialect;
	struct record_options options = dialect_record_options(dialect, *limits);
	struct slice head = {delimited->text.data, delimited->text.length};
	enum result result = RESULT_OK;
	if (dialect->delimiter == '\0')
		result = dialect_find_delimiter(&dialect->delimiter, &options, head, delimited->input_ended,
		                                error);
	if (result != RESULT_OK)
		return result;
	options.delimiter = dialect->delimiter;
	options.charset = charset_is_wide(delimited->charset) ? NULL : delimited->charset;
	return record_open(&delimited->reader, &options, read_text, delimited, error);
}

enum result delimited_open(struct delimited **out, const struct dialect *dialect,
                           const struct record_options *limits, record_read_fn *read, void *context,
                           struct error *error)
{
	struct delimited *delimited = calloc(1, sizeof *delimited);
	if (delimited == NULL)
		return no_memory(error);
	delimited->dialect = *dialect;
	delimited->read = read;
	delimited->context = context;
	enum result result = read_head(delimited, error);
	if (result == RESULT_OK)
		result = check_text(delimited, error);
	if (result == RESULT_OK)
		result = open_reader(delimited, limits, error);
	if (result != RESULT_OK) {
		delimited_close(delimited);
		return result;
	}
	*out = delimited;
	return RESULT_OK;
}

enum result delimited_next(struct delimited *delimited, struct record *record, struct error *error)
{
	enum result result = record_next(delimited->reader, record, error);
	delimited->has_begun = true;
	return result;
}

size_t delimited_give_back(struct delimited *delimited)
{
	size_t count = delimited->text.length - delimited->taken;
	delimited->taken = delimited->text.length;
	delimited->input_ended = false;
	return count;
}

struct record_reader *delimited_reader(const struct delimited *delimited)
{
	return delimited->reader;
}

void delimited_expect_fields(struct delimited *delimited, size_t count)
{
	record_expect_fields(delimited->reader, count);
}

const struct dialect *delimited_dialect(const struct delimited *delimited)
{
	return &delimited->dialect;
}

bool delimited_is_wide(const struct delimited *delimited)
{
	return charset_is_wide(delimited->charset);
}

void delimited_close(struct delimited *delimited)
{
	if (delimited == NULL)
		return;
	record_close(delimited->reader);
	charset_close(delimited->charset);
	buffer_free(&delimited->bytes);
	buffer_free(&delimited->text);
	free(delimited);
}
