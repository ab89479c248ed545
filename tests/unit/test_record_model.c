// SPDX-License-Identifier: Apache-2.0
#include "source/record.h"

#include <criterion/criterion.h>
#include <csv.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record_input.h"

/*
 * The record reader against other readers: a model of its rules that has the whole input and goes byte by
 * byte, libcsv over the whole input, and what is known of real files.
 */

enum parsed { PARSED_ENDED, PARSED_OPEN, PARSED_STRAY };

struct model {
	const char *text;
	size_t length;
	const struct record_options *options;
	size_t expected;
	struct buffer fields; /* described as describe() does */
	size_t field_count;
	size_t longest;
	size_t at; /* behind the record, or where parsing stopped */
};

static bool is_line_end(char byte)
{
	return byte == '\n' || byte == '\r';
}

static size_t behind_line(const struct model *model, size_t from)
{
	while (from < model->length && !is_line_end(model->text[from]))
		from++;
	if (from + 1 < model->length && model->text[from] == '\r' && model->text[from + 1] == '\n')
		from++;
	return from < model->length ? from + 1 : from;
}

static size_t lines_in(const struct model *model, size_t from, size_t to)
{
	size_t lines = 0;
	while (from < to) {
		from = behind_line(model, from);
		lines++;
	}
	return lines;
}

static enum parsed model_field(struct model *model, bool strict)
{
	const char *text = model->text;
	struct buffer field = {0};
	size_t at = model->at;
	enum parsed parsed = PARSED_ENDED;
	bool quoted = at < model->length && text[at] == '"';
	if (quoted)
		at++;
	for (;; at++) {
		bool end = at == model->length;
		if (quoted && end) {
			parsed = PARSED_OPEN;
			break;
		}
		if (!quoted && (end || text[at] == ',' || is_line_end(text[at])))
			break;
		if (text[at] == '"' && quoted) {
			char next = at + 1 < model->length ? text[at + 1] : '\n';
			if (next == '"') {
				at++;
			} else if (next == ',' || is_line_end(next)) {
				at++;
				break;
			} else if (strict)
				parsed = PARSED_STRAY;
		} else if (text[at] == '"' && strict) {
			parsed = PARSED_STRAY;
		}
		if (parsed == PARSED_STRAY)
			break;
		append(&field, text + at, 1);
	}
	model->at = at;
	model->field_count++;
	if (field.length > model->longest)
		model->longest = field.length;
	cr_assert_eq(buffer_printf(&model->fields, " %zu=", field.length), RESULT_OK);
	append(&model->fields, field.data, field.length);
	buffer_free(&field);
	return parsed;
}

static enum parsed model_parse(struct model *model, size_t from, bool strict)
{
	model->at = from;
	model->field_count = 0;
	model->longest = 0;
	model->fields.length = 0;
	bool blank = is_line_end(model->text[from]);
	while (!blank) {
		enum parsed parsed = model_field(model, strict);
		if (parsed != PARSED_ENDED)
			return parsed;
		if (model->at == model->length || model->text[model->at] != ',')
			break;
		model->at++;
	}
	model->at = behind_line(model, model->at);
	return PARSED_ENDED;
}

/* A line by itself as Python's csv reads it: false when that ends inside quotes. */
static bool model_line(struct model *model, size_t from)
{
	const char *text = model->text;
	size_t at = from;
	struct buffer field = {0};
	bool more = true, quoted = false;
	model->field_count = 0;
	model->longest = 0;
	model->fields.length = 0;
	while (more) {
		field.length = 0;
		quoted = at < model->length && text[at] == '"';
		at += quoted;
		for (; at < model->length && !is_line_end(text[at]) && (quoted || text[at] != ','); at++) {
			if (!quoted || text[at] != '"')
				append(&field, text + at, 1);
			else if (at + 1 < model->length && text[at + 1] == '"')
				append(&field, text + at++, 1);
			else
				quoted = false;
		}
		more = at < model->length && text[at] == ',' && !quoted;
		at += more;
		model->field_count++;
		model->longest = field.length > model->longest ? field.length : model->longest;
		cr_assert_eq(buffer_printf(&model->fields, " %zu=", field.length), RESULT_OK);
		append(&model->fields, field.data, field.length);
	}
	buffer_free(&field);
	model->at = behind_line(model, from);
	return !quoted;
}

static bool model_saves(struct model *model, size_t from)
{
	const struct record_options *options = model->options;
	return model->expected != 0 && model_line(model, from) && model->field_count == model->expected &&
	       model->field_count <= options->max_columns && model->longest <= options->max_field;
}

static enum record_fault model_parsed(struct model *model, size_t from)
{
	const struct record_options *options = model->options;
	size_t line_end = behind_line(model, from);
	enum parsed parsed = model_parse(model, from, false);
	bool spans = parsed != PARSED_ENDED || model->at != line_end;
	if (spans)
		parsed = model_parse(model, from, true);
	size_t stop = parsed == PARSED_STRAY ? model->at + 1 : model->at;
	if (parsed == PARSED_OPEN || (spans && lines_in(model, from, stop) > options->max_lines))
		return RECORD_OPEN_QUOTE;
	if (parsed == PARSED_STRAY)
		return RECORD_STRAY_QUOTE;
	if (model->field_count > options->max_columns)
		return RECORD_MANY_COLUMNS;
	if (model->longest > options->max_field)
		return spans ? RECORD_OPEN_QUOTE : RECORD_LONG_FIELD;
	if (spans && model->expected != 0 && model->field_count != model->expected)
		return RECORD_STRAY_QUOTE;
	return RECORD_WHOLE;
}

static enum record_fault model_fault(struct model *model, size_t from)
{
	enum record_fault fault = model_parsed(model, from);
	size_t line_end = behind_line(model, from);
	bool is_quote = fault == RECORD_OPEN_QUOTE || fault == RECORD_STRAY_QUOTE;
	bool is_doubtful = !is_quote && model->at == line_end && model->field_count != model->expected &&
	                   memchr(model->text + from, '"', line_end - from) != NULL;
	if (!is_quote && !is_doubtful)
		return fault;
	return model_saves(model, from) ? RECORD_WHOLE : model_parsed(model, from);
}

static struct buffer model_all(struct slice bytes, const struct record_options *options, size_t expected)
{
	struct model model = {
	    .text = bytes.data, .length = bytes.length, .options = options, .expected = expected};
	struct buffer out = {0};
	size_t line = 1;
	size_t from = 0;
	for (size_t number = 1; from < bytes.length; number++) {
		enum record_fault fault = model_fault(&model, from);
		size_t end = fault == RECORD_WHOLE ? model.at : behind_line(&model, from);
		cr_assert_eq(
		    buffer_printf(&out, "%zu line %zu end %zu fault %d <", number, line, end, (int)fault),
		    RESULT_OK);
		append(&out, bytes.data + from, end - from);
		append(&out, ">", 1);
		if (fault == RECORD_WHOLE)
			append(&out, model.fields.data, model.fields.length);
		append(&out, "\n", 1);
		line += lines_in(&model, from, end);
		from = end;
	}
	buffer_free(&model.fields);
	return out;
}

static const struct record_options narrow = {
    .delimiter = ',', .quote = '"', .max_field = 5, .max_columns = 4, .max_lines = 3};

static void expect_as_model(struct slice bytes, size_t piece, const struct record_options *options,
                            size_t expected)
{
	struct buffer got = read_all(bytes, piece, options, expected);
	struct buffer wanted = model_all(bytes, options, expected);
	cr_assert(
	    slice_equal((struct slice){got.data, got.length}, (struct slice){wanted.data, wanted.length}),
	    "pieces of %zu, expecting %zu, of '%.*s':\ngot\n%.*s\nwanted\n%.*s", piece, expected,
	    (int)bytes.length, bytes.data, (int)got.length, got.data, (int)wanted.length, wanted.data);
	buffer_free(&got);
	buffer_free(&wanted);
}

static const char alphabet[] = "a,\"\n\r ";

Test(record_model, agrees_with_the_model_on_every_short_input)
{
	enum { LETTERS = 5, LONGEST = 6 };
	for (size_t length = 1; length <= LONGEST; length++) {
		size_t count = 1;
		for (size_t i = 0; i < length; i++)
			count *= LETTERS;
		for (size_t word = 0; word < count; word++) {
			char text[LONGEST];
			size_t rest = word;
			for (size_t i = 0; i < length; i++, rest /= LETTERS)
				text[i] = alphabet[rest % LETTERS];
			expect_as_model((struct slice){text, length}, 1 + word % 2, &usual, word % 3);
		}
	}
}

/* Random bytes from the alphabet; `quotes` in 64 of them are quotes. */
static size_t random_text(char *text, size_t room, unsigned *seed, int quotes)
{
	size_t length = 1 + (size_t)rand_r(seed) % room;
	for (size_t i = 0; i < length; i++) {
		bool quote = rand_r(seed) % 64 < quotes;
		text[i] = quote ? '"' : alphabet[(size_t)rand_r(seed) % (sizeof(alphabet) - 1)];
	}
	return length;
}

Test(record_model, agrees_with_the_model_on_random_input_in_pieces_of_any_size)
{
	static const size_t pieces[] = {1, 2, 3, 17, SIZE_MAX};
	unsigned seed = 1;
	char text[200];
	for (int round = 0; round < 4000; round++) {
		struct slice bytes = {text, random_text(text, sizeof(text), &seed, round % 16)};
		const struct record_options *options = round % 2 == 0 ? &usual : &narrow;
		size_t expected = (size_t)rand_r(&seed) % 4;
		expect_as_model(bytes, pieces[round % 5], options, expected);
	}
}

static void collect_field(void *field, size_t length, void *out)
{
	cr_assert_eq(buffer_printf(out, "%zu=", length), RESULT_OK);
	append(out, field, length);
}

static void collect_row(int end, void *out)
{
	(void)end;
	append(out, ";", 1);
}

static int never_space(unsigned char byte)
{
	(void)byte;
	return 0;
}

/* All rows by libcsv over the whole text; it passes over blank lines. */
static struct buffer libcsv_all(struct slice bytes)
{
	struct buffer out = {0};
	struct csv_parser parser;
	cr_assert_eq(csv_init(&parser, 0), 0);
	csv_set_space_func(&parser, never_space);
	cr_assert_eq(csv_parse(&parser, bytes.data, bytes.length, collect_field, collect_row, &out),
	             bytes.length);
	cr_assert_eq(csv_fini(&parser, collect_field, collect_row, &out), 0);
	csv_free(&parser);
	return out;
}

Test(record_model, agrees_with_libcsv_over_the_whole_input_where_nothing_is_broken)
{
	unsigned seed = 2;
	char text[60];
	int compared = 0;
	for (int round = 0; round < 20000; round++) {
		struct slice bytes = {text, random_text(text, sizeof(text), &seed, round % 4)};
		struct input input = {.bytes = bytes, .piece = 1};
		struct record_reader *reader = open_reader(read_input, &input, &usual);
		struct buffer got = {0};
		struct record record;
		bool whole = true;
		while (whole && record_next(reader, &record, NULL) == RESULT_OK) {
			whole = record.fault == RECORD_WHOLE;
			for (size_t i = 0; i < record.field_count; i++)
				collect_field((char *)record.fields[i].data, record.fields[i].length, &got);
			if (record.field_count > 0)
				collect_row(0, &got);
		}
		struct buffer wanted = libcsv_all(bytes);
		if (whole) {
			compared++;
			cr_assert_eq(got.length, wanted.length);
			cr_assert(got.length == 0 || memcmp(got.data, wanted.data, got.length) == 0);
		}
		buffer_free(&got);
		buffer_free(&wanted);
		record_close(reader);
	}
	cr_assert_gt(compared, 5000);
}

/* Real files are not part of the source tree. */
static FILE *shared_file(const char *path)
{
	const char *roots[] = {getenv("ROWSIEVE_SHARED"), "../shared", "../../shared"};
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		char name[PATH_MAX];
		if (roots[i] == NULL)
			continue;
		snprintf(name, sizeof(name), "%s/%s", roots[i], path);
		FILE *file = fopen(name, "re");
		if (file != NULL)
			return file;
	}
	cr_skip("%s is not there: set ROWSIEVE_SHARED", path);
	return NULL;
}

static enum result read_stream(void *context, void *bytes, size_t size, size_t *count, struct error *error)
{
	*count = fread(bytes, 1, size, context);
	return ferror(context) ? error_set(error, RESULT_IO, "cannot read the test's file") : RESULT_OK;
}

/* The file has so many records, and so many of them are broken. */
static void expect_count(const char *path, uint64_t records, uint64_t broken)
{
	FILE *file = shared_file(path);
	struct record_reader *reader = open_reader(read_stream, file, &usual);
	struct record record = {0};
	uint64_t found = 0;
	while (record_next(reader, &record, NULL) == RESULT_OK) {
		found += record.fault != RECORD_WHOLE;
		if (record.number == 1)
			record_expect_fields(reader, record.field_count);
	}
	cr_assert_eq(record.number, records);
	cr_assert_eq(found, broken);
	cr_assert_eq(record.end, (uint64_t)ftell(file));
	record_close(reader);
	fclose(file);
}

Test(record_model, counts_spam)
{
	expect_count("data/awkward/spam.csv", 1 + 5572, 0);
}

Test(record_model, counts_googleplaystore)
{
	expect_count("data/awkward/googleplaystore.csv", 1 + 10841, 0);
}

Test(record_model, counts_goodreads_books)
{
	/* A few lines are like 44439,"A" Is for Abductive : The Language of the Emerging Church,... */
	expect_count("data/awkward/goodreads_books.csv", 1 + 11127, 0);
}

Test(record_model, counts_ibm_hr_attrition)
{
	expect_count("data/awkward/ibm_hr_attrition.csv", 1 + 1470, 0);
}

/* Reads the header, then compares each record with an object of the array. */
static void expect_spectrum(const char *name)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "data/conformance/csv-spectrum/json/%s.json", name);
	FILE *json = shared_file(path);
	json_t *rows = json_loadf(json, 0, NULL);
	fclose(json);
	snprintf(path, sizeof(path), "data/conformance/csv-spectrum/csvs/%s.csv", name);
	FILE *file = shared_file(path);
	struct record_reader *reader = open_reader(read_stream, file, &usual);
	struct record record;
	cr_assert_eq(record_next(reader, &record, NULL), RESULT_OK);
	char *header[8];
	size_t columns = record.field_count;
	for (size_t i = 0; i < columns; i++)
		header[i] = strndup(record.fields[i].data, record.fields[i].length);
	for (size_t row = 0; row < json_array_size(rows); row++) {
		cr_assert_eq(record_next(reader, &record, NULL), RESULT_OK);
		cr_assert_eq(record.field_count, columns);
		for (size_t i = 0; i < columns; i++) {
			json_t *value = json_object_get(json_array_get(rows, row), header[i]);
			cr_assert(slice_equal(record.fields[i], slice_from_string(json_string_value(value))),
			          "%s, row %zu, column %zu", name, row, i);
		}
	}
	cr_assert_eq(record_next(reader, &record, NULL), RESULT_END);
	for (size_t i = 0; i < columns; i++)
		free(header[i]);
	record_close(reader);
	fclose(file);
	json_decref(rows);
}

Test(record_model, reads_csv_spectrum)
{
	static const char *const names[] = {"comma_in_quotes",
	                                    "empty",
	                                    "empty_crlf",
	                                    "escaped_quotes",
	                                    "json",
	                                    "newlines",
	                                    "newlines_crlf",
	                                    "quotes_and_newlines",
	                                    "simple",
	                                    "simple_crlf",
	                                    "utf8"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect_spectrum(names[i]);
}
