// SPDX-License-Identifier: Apache-2.0
#include "source/record.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>

#include "source/charset.h"
#include "source/regular.h"
#include "source/split.h"
#include "source/window.h"

/*
 * Regular records are found by the scanner (source/regular.h); what follows is about the others.
 *
 * libcsv does not say where in the input a record ends. So it is fed physical line by physical line: the
 * content first, then csv_fini(), which ends the record or, in strict mode, refuses because a quote is open
 * and leaves the parser as it was. Only then does the line end belong to the field, and the record goes on.
 *
 * A record that does not end with its first line is parsed again, strictly, from its beginning. As strict
 * parsing stops at the first quote that stands wrong, a line is parsed few times over even in a file full of
 * stray quotes: inside a strictly quoted field every line with an odd number of quotes closes what another
 * has opened.
 */

enum { ENTRY_STEP = 4096, RECORD_SLACK = 1024 * 1024 };

struct record_reader {
	struct record_options options;
	size_t max_record; /* raw bytes */
	size_t expected_fields;
	struct window window;

	struct csv_parser parser;
	struct split split;    /* instead of the parser, where libcsv's rules do not do */
	struct buffer text;    /* the fields' content, one behind the other */
	struct buffer decoded; /* the same in UTF-8, where it was not */
	struct slice *fields;
	size_t field_count; /* counted on beyond max_columns */
	bool long_field;
	struct regular regular;

	uint64_t number;
	uint64_t line;
	uint64_t offset; /* of the window's `begin` in the plain bytes */
};

/* What of the window belongs to the record at `begin`. */
struct extent {
	size_t bytes;
	uint64_t lines;
	enum record_fault fault;
};

/* Blanks are data: nothing is trimmed. */
static int never_space(unsigned char byte)
{
	(void)byte;
	return 0;
}

enum result record_open(struct record_reader **out, const struct record_options *options,
                        record_read_fn *read, void *context, struct error *error)
{
	struct record_reader *reader = calloc(1, sizeof(*reader));
	struct slice *fields = calloc(options->max_columns, sizeof(*fields));
	bool fits = options->max_field < (SIZE_MAX - RECORD_SLACK) / 2;
	struct regular_options regular = {
	    .delimiter = options->delimiter,
	    .quote = options->quote,
	    .max_field = options->max_field,
	    .max_columns = options->max_columns,
	    .max_lines = options->max_lines,
	    .max_record = fits ? 2 * options->max_field + RECORD_SLACK : SIZE_MAX,
	};
	if (reader == NULL || fields == NULL || csv_init(&reader->parser, 0) != 0 ||
	    regular_open(&reader->regular, &regular) != RESULT_OK) {
		free(fields);
		free(reader);
		return error_set(error, RESULT_NO_MEMORY, "no memory for a record reader");
	}
	/* Line ends are never fed outside quotes, so as a quote character a line feed means none. */
	char quote = options->quote == '\0' ? '\n' : options->quote;
	csv_set_quote(&reader->parser, (unsigned char)quote);
	csv_set_delim(&reader->parser, (unsigned char)options->delimiter);
	csv_set_space_func(&reader->parser, never_space);
	csv_set_blk_size(&reader->parser, ENTRY_STEP);

	reader->options = *options;
	/* libcsv, and so the scanner, knows no escapes. */
	reader->regular.enabled &= options->escape == '\0';
	reader->split = (struct split){
	    .delimiter = options->delimiter, .quote = options->quote, .escape = options->escape};
	reader->max_record = regular.max_record;
	reader->window = (struct window){.read = read, .context = context};
	reader->fields = fields;
	reader->line = 1;
	*out = reader;
	return RESULT_OK;
}

void record_expect_fields(struct record_reader *reader, size_t count)
{
	reader->expected_fields = count;
}

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "no memory for a record");
}

static enum result find_line(struct record_reader *reader, size_t start, struct window_line *line,
                             struct error *error)
{
	return window_find(&reader->window, start, reader->max_record, line, error);
}

static void on_field(void *entry, size_t length, void *context)
{
	struct record_reader *reader = context;
	size_t index = reader->field_count++;
	if (length > reader->options.max_field)
		reader->long_field = true;
	if (reader->long_field || index >= reader->options.max_columns)
		return; /* broken: its fields are not wanted */
	if (length > 0)
		memcpy(reader->text.data + reader->text.length, entry, length);
	reader->text.length += length;
	reader->fields[index].length = length;
}

static void reset_parser(struct record_reader *reader)
{
	csv_set_opts(&reader->parser, 0);
	csv_fini(&reader->parser, NULL, NULL, NULL);
	split_reset(&reader->split);
	reader->text.length = 0;
	reader->field_count = 0;
	reader->long_field = false;
}

enum fed { FED_ENDED, FED_OPEN, FED_STRAY_QUOTE, FED_NO_MEMORY };

static enum fed feed_split(struct record_reader *reader, bool is_strict, size_t from, size_t to)
{
	static const enum fed fed[] = {
	    [SPLIT_FED] = FED_OPEN, [SPLIT_STRAY_QUOTE] = FED_STRAY_QUOTE, [SPLIT_NO_MEMORY] = FED_NO_MEMORY};
	struct slice bytes = {window_rest(&reader->window).data + from, to - from};
	reader->split.is_strict = is_strict;
	return fed[split_feed(&reader->split, bytes, on_field, reader)];
}

static enum fed feed(struct record_reader *reader, unsigned char mode, size_t from, size_t to)
{
	struct csv_parser *parser = &reader->parser;
	if (reader->options.escape != '\0')
		return feed_split(reader, mode == CSV_STRICT, from, to);
	csv_set_opts(parser, mode);
	if (csv_parse(parser, window_rest(&reader->window).data + from, to - from, on_field, NULL, reader) ==
	    to - from)
		return FED_OPEN;
	return csv_error(parser) == CSV_EPARSE ? FED_STRAY_QUOTE : FED_NO_MEMORY;
}

static bool end_record(struct record_reader *reader)
{
	if (reader->options.escape != '\0')
		return split_end(&reader->split, on_field, reader);
	csv_set_opts(&reader->parser, CSV_STRICT | CSV_STRICT_FINI);
	return csv_fini(&reader->parser, on_field, NULL, reader) == 0;
}

/* Parses one more line of the record: FED_ENDED if the record ends with it, FED_OPEN if it stops inside
 * quotes. */
static enum fed feed_line(struct record_reader *reader, unsigned char mode, size_t start,
                          const struct window_line *line)
{
	/* Unquoting only shortens, so on_field() need not look at the room. */
	if (buffer_reserve(&reader->text, line->end - reader->text.length + SLICE_SLACK) != RESULT_OK)
		return FED_NO_MEMORY;
	enum fed fed = feed(reader, mode, start, line->content);
	if (fed != FED_OPEN)
		return fed;
	return end_record(reader) ? FED_ENDED : feed(reader, mode, line->content, line->end);
}

/* Whether the fields of a record that has ended may be taken. */
static enum record_fault judge(const struct record_reader *reader, uint64_t lines)
{
	if (reader->field_count > reader->options.max_columns)
		return RECORD_MANY_COLUMNS;
	if (reader->long_field)
		return lines == 1 ? RECORD_LONG_FIELD : RECORD_OPEN_QUOTE;
	if (lines > 1 && reader->expected_fields != 0 && reader->field_count != reader->expected_fields)
		return RECORD_STRAY_QUOTE;
	return RECORD_WHOLE;
}

/* A record that did not end with its first line. */
static enum result parse_spanning(struct record_reader *reader, const struct window_line *first,
                                  struct extent *extent, struct error *error)
{
	struct window_line line = *first;
	size_t start = 0;
	uint64_t lines = 1;
	*extent = (struct extent){.bytes = first->end, .lines = 1, .fault = RECORD_OPEN_QUOTE};
	reset_parser(reader);
	for (;;) {
		enum fed fed = feed_line(reader, CSV_STRICT, start, &line);
		if (fed == FED_NO_MEMORY)
			return no_memory(error);
		if (fed == FED_STRAY_QUOTE)
			extent->fault = RECORD_STRAY_QUOTE;
		if (fed == FED_ENDED)
			extent->fault = judge(reader, lines);
		if (fed != FED_OPEN || lines >= reader->options.max_lines)
			break;
		start = line.end;
		enum result result = find_line(reader, start, &line, error);
		if (result != RESULT_OK)
			return result;
		if (line.too_long || line.end == start)
			break;
		lines++;
	}
	if (extent->fault == RECORD_WHOLE) {
		extent->bytes = line.end;
		extent->lines = lines;
	}
	return RESULT_OK;
}

/* The first line by itself, by Python's rule for quotes. False, and nothing is lost but the fields, where that
 * does not give what the header promises. */
static enum result save_line(struct record_reader *reader, const struct window_line *first, bool *is_saved,
                             struct error *error)
{
	*is_saved = false;
	if (reader->expected_fields == 0)
		return RESULT_OK;
	reset_parser(reader);
	if (feed_split(reader, false, 0, first->content) == FED_NO_MEMORY)
		return no_memory(error);
	*is_saved = split_end(&reader->split, on_field, reader) &&
	            reader->field_count == reader->expected_fields && judge(reader, 1) == RECORD_WHOLE;
	return RESULT_OK;
}

static enum result parse_broken(struct record_reader *reader, const struct window_line *first,
                                struct extent *extent, struct error *error)
{
	bool is_saved = false;
	enum result result = parse_spanning(reader, first, extent, error);
	if (result == RESULT_OK &&
	    (extent->fault == RECORD_STRAY_QUOTE || extent->fault == RECORD_OPEN_QUOTE))
		result = save_line(reader, first, &is_saved, error);
	if (is_saved)
		extent->fault = RECORD_WHOLE;
	return result;
}

/* Would the line, which has the wrong number of fields, be split otherwise by another rule for quotes? */
static bool is_doubtful(const struct record_reader *reader, const struct window_line *line)
{
	char quote = reader->options.quote;
	return reader->expected_fields != 0 && reader->field_count != reader->expected_fields &&
	       quote != '\0' && memchr(window_rest(&reader->window).data, quote, line->content) != NULL;
}

static enum result parse_record(struct record_reader *reader, const struct window_line *first,
                                struct extent *extent, struct error *error)
{
	reset_parser(reader);
	enum fed fed = feed_line(reader, 0, 0, first);
	if (fed == FED_NO_MEMORY)
		return no_memory(error);
	if (fed == FED_OPEN)
		return parse_broken(reader, first, extent, error);
	bool is_saved = true;
	if (is_doubtful(reader, first)) {
		enum result result = save_line(reader, first, &is_saved, error);
		if (result != RESULT_OK)
			return result;
	}
	if (!is_saved) {
		reset_parser(reader);
		if (feed_line(reader, 0, 0, first) == FED_NO_MEMORY)
			return no_memory(error);
	}
	*extent = (struct extent){.bytes = first->end, .lines = 1, .fault = judge(reader, 1)};
	return RESULT_OK;
}

static void point_fields_at_text(struct record_reader *reader)
{
	const char *data = reader->text.data;
	for (size_t i = 0; i < reader->field_count; i++) {
		reader->fields[i].data = data;
		data += reader->fields[i].length;
	}
}

/* Fills *record and moves on behind it. */
static void move_on(struct record_reader *reader, const struct extent *extent, struct record *record)
{
	bool whole = extent->fault == RECORD_WHOLE;
	*record = (struct record){
	    .fault = extent->fault,
	    .raw = {window_rest(&reader->window).data, extent->bytes},
	    .fields = whole ? reader->fields : NULL,
	    .field_count = whole ? reader->field_count : 0,
	    .number = ++reader->number,
	    .line = reader->line,
	    .end = reader->offset + extent->bytes,
	};
	reader->window.begin += extent->bytes;
	reader->offset += extent->bytes;
	reader->line += extent->lines;
}

/* As move_on(), for what the scanner did not find. */
static void take_record(struct record_reader *reader, const struct extent *extent, struct record *record)
{
	move_on(reader, extent, record);
	regular_pass(&reader->regular, extent->bytes);
	if (extent->fault != RECORD_WHOLE)
		window_forget(&reader->window);
}

static enum result decode_fields(struct record_reader *reader, const struct record *record,
                                 struct error *error)
{
	const struct charset *charset = reader->options.charset;
	if (charset == NULL || record->fault != RECORD_WHOLE || charset_is_ascii(record->raw))
		return RESULT_OK;
	bool is_decoded = charset_decode_fields(charset, reader->fields, record->field_count,
	                                        &reader->decoded) == RESULT_OK;
	return is_decoded ? RESULT_OK : no_memory(error);
}

/* A line longer than any record: keeps its beginning, reads over the rest. */
static enum result take_long_line(struct record_reader *reader, struct record *record, struct error *error)
{
	struct window *window = &reader->window;
	size_t kept = reader->max_record;
	uint64_t dropped = 0;
	struct window_line line;
	while (!window_look(window, 0, &line)) {
		dropped += window_cut(window, kept);
		enum result result = window_refill(window, error);
		if (result != RESULT_OK)
			return result;
	}
	take_record(reader, &(struct extent){.bytes = line.end, .lines = 1, .fault = RECORD_LONG_FIELD},
	            record);
	reader->offset += dropped;
	record->end += dropped;
	record->raw.length = kept;
	return RESULT_OK;
}

/* Is the line at the window's beginning one that is no record? */
static bool is_passed_over(const struct record_reader *reader)
{
	struct slice rest = window_rest(&reader->window);
	char comment = reader->options.comment;
	return reader->line <= reader->options.skip_lines ||
	       (comment != '\0' && rest.length > 0 && *rest.data == comment);
}

/* Takes the next record if it is regular. *taken false: it is not, or the input ends in it. */
static enum result take_regular(struct record_reader *reader, struct record *record, bool *taken,
                                struct error *error)
{
	*taken = false;
	for (;;) {
		struct slice bytes = window_rest(&reader->window);
		struct regular_record regular;
		if (is_passed_over(reader))
			return RESULT_OK;
		enum regular_result result =
		    regular_next(&reader->regular, bytes, reader->expected_fields, reader->fields, &regular);
		if (result == REGULAR_TAKEN) {
			*taken = true;
			reader->field_count = regular.field_count;
			move_on(reader, &(struct extent){.bytes = regular.bytes, .lines = regular.lines},
			        record);
			return decode_fields(reader, record, error);
		}
		/* A record longer than one reading is not worth looking at again and again. */
		if (result != REGULAR_SHORT || reader->window.input_ended || bytes.length >= WINDOW_READ_SIZE)
			return RESULT_OK;
		enum result refilled = window_refill(&reader->window, error);
		if (refilled != RESULT_OK)
			return refilled;
	}
}

static enum result pass_over(struct record_reader *reader, const struct window_line *line,
                             struct error *error)
{
	struct record record;
	enum result result = RESULT_OK;
	if (line->too_long)
		result = take_long_line(reader, &record, error);
	else
		take_record(reader, &(struct extent){.bytes = line->end, .lines = 1}, &record);
	reader->number--; /* it is none */
	return result;
}

static enum result take_irregular(struct record_reader *reader, const struct window_line *line,
                                  struct record *record, struct error *error)
{
	if (line->too_long)
		return take_long_line(reader, record, error);
	struct extent extent = {0};
	enum result result = parse_record(reader, line, &extent, error);
	if (result != RESULT_OK)
		return result;
	if (extent.fault == RECORD_WHOLE)
		point_fields_at_text(reader);
	take_record(reader, &extent, record);
	return decode_fields(reader, record, error);
}

enum result record_next(struct record_reader *reader, struct record *record, struct error *error)
{
	if (!reader->window.started) {
		size_t passed;
		enum result result = window_start(&reader->window, &passed, error);
		if (result != RESULT_OK)
			return result;
		reader->offset = passed;
	}
	for (;;) {
		bool taken;
		struct window_line line;
		enum result result = take_regular(reader, record, &taken, error);
		if (result == RESULT_OK && !taken)
			result = find_line(reader, 0, &line, error);
		if (result != RESULT_OK || taken)
			return result;
		if (line.end == 0)
			return RESULT_END;
		if (!is_passed_over(reader))
			return take_irregular(reader, &line, record, error);
		result = pass_over(reader, &line, error);
		if (result != RESULT_OK)
			return result;
	}
}

bool record_at_boundary(const struct record_reader *reader)
{
	return window_rest(&reader->window).length == 0;
}

void record_pass(struct record_reader *reader, uint64_t bytes, uint64_t records, uint64_t lines)
{
	reader->offset += bytes;
	reader->number += records;
	reader->line += lines;
}

uint64_t record_line(const struct record_reader *reader)
{
	return reader->line;
}

const char *record_fault_text(enum record_fault fault)
{
	switch (fault) {
	case RECORD_WHOLE:
		return "whole";
	case RECORD_OPEN_QUOTE:
		return "a quoted field does not end";
	case RECORD_STRAY_QUOTE:
		return "a quote stands where none can, or lines were joined by one";
	case RECORD_LONG_FIELD:
		return "a field is longer than max_field";
	case RECORD_MANY_COLUMNS:
		return "more fields than max_columns";
	}
	return "unknown fault";
}

void record_close(struct record_reader *reader)
{
	if (reader == NULL)
		return;
	csv_free(&reader->parser);
	buffer_free(&reader->window.bytes);
	buffer_free(&reader->text);
	buffer_free(&reader->decoded);
	split_free(&reader->split);
	regular_close(&reader->regular);
	free(reader->fields);
	free(reader);
}
