// SPDX-License-Identifier: Apache-2.0
#include "source/record.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>

#include "source/regular.h"

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

enum { READ_SIZE = 256 * 1024, ENTRY_STEP = 4096, RECORD_SLACK = 1024 * 1024 };

struct record_reader {
	struct record_options options;
	size_t max_record; /* raw bytes */
	size_t expected_fields;
	record_read_fn *read;
	void *context;

	struct buffer window; /* what was read */
	size_t begin;         /* of the next record in the window */
	size_t line_feed;     /* in the window: none stands between `begin` and here */
	size_t carriage_return;
	bool started;
	bool input_ended;

	struct csv_parser parser;
	struct buffer text; /* the fields' content, one behind the other */
	struct slice *fields;
	size_t field_count; /* counted on beyond max_columns */
	bool long_field;
	struct regular regular;

	uint64_t number;
	uint64_t line;
	uint64_t offset; /* of `begin` in the plain bytes */
};

/* A physical line, as offsets from `begin`. Without a line end at the end of input, both are the same. */
struct line {
	size_t content; /* where its line end begins */
	size_t end;     /* where the next line begins */
	bool too_long;  /* the record does not fit max_record with this line */
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

static size_t max_record(const struct record_options *options)
{
	bool fits = options->max_field < (SIZE_MAX - RECORD_SLACK) / 2;
	return fits ? 2 * options->max_field + RECORD_SLACK : SIZE_MAX;
}

enum result record_open(struct record_reader **out, const struct record_options *options,
                        record_read_fn *read, void *context, struct error *error)
{
	struct record_reader *reader = calloc(1, sizeof(*reader));
	struct slice *fields = calloc(options->max_columns, sizeof(*fields));
	struct regular_options regular = {
	    .delimiter = options->delimiter,
	    .quote = options->quote,
	    .max_field = options->max_field,
	    .max_columns = options->max_columns,
	    .max_lines = options->max_lines,
	    .max_record = max_record(options),
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
	reader->max_record = regular.max_record;
	reader->read = read;
	reader->context = context;
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

static size_t saturating_subtract(size_t from, size_t amount)
{
	return from > amount ? from - amount : 0;
}

/* Reads more behind the window, whose beginning moves to `begin`. */
static enum result refill(struct record_reader *reader, struct error *error)
{
	if (reader->begin > 0) {
		buffer_consume(&reader->window, reader->begin);
		reader->line_feed = saturating_subtract(reader->line_feed, reader->begin);
		reader->carriage_return = saturating_subtract(reader->carriage_return, reader->begin);
		reader->begin = 0;
	}
	if (buffer_reserve(&reader->window, READ_SIZE) != RESULT_OK)
		return no_memory(error);
	size_t count = 0;
	enum result result = reader->read(reader->context, reader->window.data + reader->window.length,
	                                  READ_SIZE, &count, error);
	if (result != RESULT_OK)
		return result;
	reader->window.length += count;
	reader->input_ended = count == 0;
	return RESULT_OK;
}

/* Where the next such byte stands at or behind `from`, or the window's length. *mark remembers how far was
 * looked. */
static size_t next_byte(const struct buffer *window, size_t *mark, size_t from, char byte)
{
	size_t at = *mark > from ? *mark : from;
	if (at < window->length && window->data[at] != byte) {
		const char *found = memchr(window->data + at, byte, window->length - at);
		at = found != NULL ? (size_t)(found - window->data) : window->length;
	}
	*mark = at;
	return at;
}

/* The line that begins at `start`, as far as it is in the window; false if its end is not known yet. */
static bool look_for_line(struct record_reader *reader, size_t start, struct line *line)
{
	const struct buffer *window = &reader->window;
	size_t from = reader->begin + start;
	size_t line_feed = next_byte(window, &reader->line_feed, from, '\n');
	size_t carriage_return = next_byte(window, &reader->carriage_return, from, '\r');
	size_t content = line_feed < carriage_return ? line_feed : carriage_return;
	size_t end = content;
	bool known = content < window->length || reader->input_ended;
	if (content < window->length)
		end++;
	if (carriage_return < line_feed) {
		if (end == window->length)
			known = reader->input_ended;
		else if (end == line_feed)
			end++;
	}
	*line = (struct line){.content = content - reader->begin, .end = end - reader->begin};
	return known;
}

/* As look_for_line(), reading what is needed but no more than a record may have. */
static enum result find_line(struct record_reader *reader, size_t start, struct line *line,
                             struct error *error)
{
	while (!look_for_line(reader, start, line) && line->end <= reader->max_record) {
		enum result result = refill(reader, error);
		if (result != RESULT_OK)
			return result;
	}
	line->too_long = line->end > reader->max_record;
	return RESULT_OK;
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
	reader->text.length = 0;
	reader->field_count = 0;
	reader->long_field = false;
}

enum fed { FED_ENDED, FED_OPEN, FED_STRAY_QUOTE, FED_NO_MEMORY };

static enum fed feed(struct record_reader *reader, unsigned char mode, size_t from, size_t to)
{
	struct csv_parser *parser = &reader->parser;
	csv_set_opts(parser, mode);
	if (csv_parse(parser, reader->window.data + reader->begin + from, to - from, on_field, NULL,
	              reader) == to - from)
		return FED_OPEN;
	return csv_error(parser) == CSV_EPARSE ? FED_STRAY_QUOTE : FED_NO_MEMORY;
}

/* Parses one more line of the record: FED_ENDED if the record ends with it, FED_OPEN if it stops inside
 * quotes. */
static enum fed feed_line(struct record_reader *reader, unsigned char mode, size_t start,
                          const struct line *line)
{
	/* Unquoting only shortens, so on_field() need not look at the room. */
	if (buffer_reserve(&reader->text, line->end - reader->text.length) != RESULT_OK)
		return FED_NO_MEMORY;
	enum fed fed = feed(reader, mode, start, line->content);
	if (fed != FED_OPEN)
		return fed;
	csv_set_opts(&reader->parser, CSV_STRICT | CSV_STRICT_FINI);
	if (csv_fini(&reader->parser, on_field, NULL, reader) == 0)
		return FED_ENDED;
	return feed(reader, mode, line->content, line->end);
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
static enum result parse_spanning(struct record_reader *reader, const struct line *first,
                                  struct extent *extent, struct error *error)
{
	struct line line = *first;
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

static enum result parse_record(struct record_reader *reader, const struct line *first, struct extent *extent,
                                struct error *error)
{
	reset_parser(reader);
	enum fed fed = feed_line(reader, 0, 0, first);
	if (fed == FED_NO_MEMORY)
		return no_memory(error);
	if (fed == FED_OPEN)
		return parse_spanning(reader, first, extent, error);
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
static void take_record(struct record_reader *reader, const struct extent *extent, struct record *record)
{
	bool whole = extent->fault == RECORD_WHOLE;
	if (whole)
		point_fields_at_text(reader);
	*record = (struct record){
	    .fault = extent->fault,
	    .raw = {reader->window.data + reader->begin, extent->bytes},
	    .fields = whole ? reader->fields : NULL,
	    .field_count = whole ? reader->field_count : 0,
	    .number = ++reader->number,
	    .line = reader->line,
	    .end = reader->offset + extent->bytes,
	};
	reader->begin += extent->bytes;
	reader->offset += extent->bytes;
	reader->line += extent->lines;
	regular_pass(&reader->regular, extent->bytes);
	if (!whole) {
		reader->line_feed = reader->begin;
		reader->carriage_return = reader->begin;
	}
}

/* A line longer than any record: keeps its beginning, reads over the rest. */
static enum result take_long_line(struct record_reader *reader, struct record *record, struct error *error)
{
	struct buffer *window = &reader->window;
	size_t kept = reader->max_record;
	uint64_t dropped = 0;
	struct line line;
	while (!look_for_line(reader, 0, &line)) {
		/* A carriage return at the very end stays until it is known whether a line feed follows. */
		if (window->data[window->length - 1] != '\r') {
			dropped += window->length - (reader->begin + kept);
			window->length = reader->begin + kept;
			reader->line_feed = window->length;
			reader->carriage_return = window->length;
		}
		enum result result = refill(reader, error);
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

/* Takes the next record if it is regular. *taken false: it is not, or the input ends in it. */
static enum result take_regular(struct record_reader *reader, struct record *record, bool *taken,
                                struct error *error)
{
	for (;;) {
		struct slice bytes = {reader->window.data + reader->begin,
		                      reader->window.length - reader->begin};
		struct regular_record regular;
		enum regular_result result =
		    regular_next(&reader->regular, bytes, reader->expected_fields, reader->fields, &regular);
		*taken = result == REGULAR_TAKEN;
		if (*taken) {
			*record = (struct record){
			    .raw = {bytes.data, regular.bytes},
			    .fields = reader->fields,
			    .field_count = regular.field_count,
			    .number = ++reader->number,
			    .line = reader->line,
			    .end = reader->offset + regular.bytes,
			};
			reader->begin += regular.bytes;
			reader->offset += regular.bytes;
			reader->line += regular.lines;
		}
		/* A record longer than one reading is not worth looking at again and again. */
		if (result != REGULAR_SHORT || reader->input_ended || bytes.length >= READ_SIZE)
			return RESULT_OK;
		enum result refilled = refill(reader, error);
		if (refilled != RESULT_OK)
			return refilled;
	}
}

static enum result skip_byte_order_mark(struct record_reader *reader, struct error *error)
{
	static const char mark[] = {'\xef', '\xbb', '\xbf'};
	while (reader->window.length < sizeof(mark) && !reader->input_ended) {
		enum result result = refill(reader, error);
		if (result != RESULT_OK)
			return result;
	}
	if (reader->window.length >= sizeof(mark) && memcmp(reader->window.data, mark, sizeof(mark)) == 0) {
		reader->begin = sizeof(mark);
		reader->offset = sizeof(mark);
	}
	reader->started = true;
	return RESULT_OK;
}

enum result record_next(struct record_reader *reader, struct record *record, struct error *error)
{
	enum result result = reader->started ? RESULT_OK : skip_byte_order_mark(reader, error);
	bool taken = false;
	if (result == RESULT_OK)
		result = take_regular(reader, record, &taken, error);
	if (result != RESULT_OK || taken)
		return result;
	struct line line;
	result = find_line(reader, 0, &line, error);
	if (result != RESULT_OK)
		return result;
	if (line.end == 0)
		return RESULT_END;
	if (line.too_long)
		return take_long_line(reader, record, error);
	struct extent extent = {0};
	result = parse_record(reader, &line, &extent, error);
	if (result == RESULT_OK)
		take_record(reader, &extent, record);
	return result;
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
	buffer_free(&reader->window);
	buffer_free(&reader->text);
	regular_close(&reader->regular);
	free(reader->fields);
	free(reader);
}
