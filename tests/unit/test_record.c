// SPDX-License-Identifier: Apache-2.0
#include "source/record.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "record_input.h"
#include "source/charset.h"

static void expect_described(struct slice text, struct slice wanted)
{
	struct buffer out = read_all(text, 2, &usual, 0);
	cr_assert(slice_equal((struct slice){out.data, out.length}, wanted), "%.*s", (int)out.length,
	          out.data);
	buffer_free(&out);
}

/* The records of `text` in short: each field in [], of a broken record its fault in words and its raw bytes
 * in (). */
static void expect_with(const char *text, const char *wanted, const struct record_options *options,
                        size_t expected)
{
	static const char *const words[] = {"whole", "open", "stray", "long", "many"};
	struct input input = {.bytes = slice_from_string(text), .piece = 3};
	struct record_reader *reader = open_reader(read_input, &input, options);
	record_expect_fields(reader, expected);
	struct buffer out = {0};
	struct record record;
	while (record_next(reader, &record, NULL) == RESULT_OK) {
		if (record.fault != RECORD_WHOLE) {
			cr_assert_null(record.fields);
			cr_assert_eq(buffer_printf(&out, "%s(%.*s)", words[record.fault],
			                           (int)record.raw.length, record.raw.data),
			             RESULT_OK);
		}
		for (size_t i = 0; i < record.field_count; i++) {
			cr_assert_eq(buffer_printf(&out, "[%.*s]", (int)record.fields[i].length,
			                           record.fields[i].data),
			             RESULT_OK);
			expect_slack(record.fields[i]);
		}
		append(&out, ";", 1);
	}
	append(&out, "", 1);
	cr_assert_str_eq(out.data, wanted);
	buffer_free(&out);
	record_close(reader);
}

static void expect(const char *text, const char *wanted)
{
	expect_with(text, wanted, &usual, 0);
}

Test(record, ends_at_lf_crlf_and_lone_cr)
{
	expect("a,b\nc,d\n", "[a][b];[c][d];");
	expect("a,b\r\nc,d\r\n", "[a][b];[c][d];");
	expect("a,b\rc,d\r", "[a][b];[c][d];");
	expect("\"a\"\r\n\"b\"\r\"c\"\n", "[a];[b];[c];");
}

Test(record, needs_no_final_line_end)
{
	expect("a\nb,c", "[a];[b][c];");
	expect("a\nb,", "[a];[b][];");
	expect("a\n\"b\"", "[a];[b];");
	expect("a\n\"b\nc\"", "[a];[b\nc];");
}

Test(record, reports_a_blank_line_as_no_field)
{
	expect("\n", ";");
	expect("a\n\nb\r\n\r\n\rc\n", "[a];;[b];;;[c];");
	expect(",\n", "[][];");
	expect("\"\"\n", "[];");
}

Test(record, keeps_blanks)
{
	expect(" a ,\tb\t, \n \n", "[ a ][\tb\t][ ];[ ];");
	expect(" \"a\" ,b\n", "[ \"a\" ][b];");
}

Test(record, finds_nothing_in_an_empty_input)
{
	expect("", "");
	expect("\xef\xbb\xbf", "");
}

Test(record, drops_a_byte_order_mark_at_the_start_only)
{
	expect("\xef\xbb\xbf\"a\",b\n\xef\xbb\xbf.\n", "[a][b];[\xef\xbb\xbf.];");
	expect("\xef\xbb", "[\xef\xbb];");
	expect_described(SLICE("\xef\xbb\xbf.\n"), SLICE("1 line 1 end 5 fault 0 <.\n> 1=.\n"));
}

Test(record, unquotes)
{
	expect("\"a,b\",\"say \"\"hi\"\"\",\"\"\"\"\n", "[a,b][say \"hi\"][\"];");
	expect("\"\\\",b\n", "[\\][b];");
}

Test(record, keeps_line_ends_inside_quotes)
{
	expect("\"a\nb\",c\n", "[a\nb][c];");
	expect("\"a\r\nb\",c\r\n", "[a\r\nb][c];");
	expect("\"a\rb\",c\r", "[a\rb][c];");
	expect("1,\"\r\n\n\r\"\r\n2,x\r\n", "[1][\r\n\n\r];[2][x];");
}

Test(record, takes_one_line_leniently_whatever_its_quotes)
{
	expect("a\"b,c\n", "[a\"b][c];");
	expect("\"a\"b\",c\n", "[a\"b][c];");
	expect("5\" disk,6\"\n", "[5\" disk][6\"];");
}

Test(record, loses_one_line_to_a_stray_quote)
{
	expect("1,a\n2,\"b\n3,c\n4,d\n", "[1][a];open(2,\"b\n);[3][c];[4][d];");
	expect("1,\"a\"x,b\n2,c\n", "stray(1,\"a\"x,b\n);[2][c];");
	expect("1,\"a\n2,\"b\"\n3,c\n", "stray(1,\"a\n);[2][b];[3][c];");
	expect("1,\"a\r2,b\r", "open(1,\"a\r);[2][b];");
}

Test(record, reads_a_first_line_by_itself_where_that_gives_the_expected_fields)
{
	expect_with("1,\"A\" Is for,x\n2,b,c\n", "[1][A Is for][x];[2][b][c];", &usual, 3);
	expect_with("1,\"A\"\"B\" c,\"x\"\r\n2,b,c\n", "[1][A\"B c][x];[2][b][c];", &usual, 3);
	expect_with("1,\"A\" Is, for,x\n2,b,c\n", "stray(1,\"A\" Is, for,x\n);[2][b][c];", &usual, 3);
	expect_with("1,x,\"A\" \"B\n2,b,c\n", "[1][x][A \"B];[2][b][c];", &usual, 3);
	expect_with("1,x,\"A\n", "open(1,x,\"A\n);", &usual, 3);
}

static const struct record_options escaping = {.delimiter = ',',
                                               .quote = '"',
                                               .escape = '\\',
                                               .max_field = 1 << 20,
                                               .max_columns = 4096,
                                               .max_lines = 100};

Test(record, takes_the_byte_behind_an_escape_as_it_is)
{
	expect_with("a\\,b,\"c\\\"d\"\n\\\\,\n", "[a,b][c\"d];[\\][];", &escaping, 0);
	expect_with("\"a\\\\\",b\n", "[a\\][b];", &escaping, 0);
	expect_with("\"a\"\"b\",c\n\n", "[a\"b][c];;", &escaping, 0);
}

Test(record, lets_an_escaped_line_end_belong_to_its_field)
{
	expect_with("1,a\\\nb\n2,c\n", "[1][a\nb];[2][c];", &escaping, 2);
	expect_with("1,\"a\\\r\nb\"\n2,c\n", "[1][a\r\nb];[2][c];", &escaping, 2);
	expect_with("1,\"a\\\"\n2,c\n", "open(1,\"a\\\"\n);[2][c];", &escaping, 2);
}

Test(record, passes_over_lines_before_the_first_record_and_comments)
{
	struct record_options options = usual;
	options.skip_lines = 2;
	options.comment = '#';
	expect_with("made \"by\n\n# x,\"\na,b\n#c\n\"#d\",e\n# end", "[a][b];[#d][e];", &options, 0);
	struct buffer all = read_all(SLICE("x\r\ny\n#z\na\n"), 1, &options, 0);
	append(&all, "", 1);
	cr_assert_str_eq(all.data, "1 line 4 end 10 fault 0 <a\n> 1=a\n");
	buffer_free(&all);
}

Test(record, gives_fields_in_utf_8_and_the_raw_bytes_as_they_are)
{
	struct record_options options = usual;
	struct charset *charset;
	cr_assert_eq(charset_open(&charset, "windows-1252", NULL), RESULT_OK);
	options.charset = charset;
	expect_with("caf\xe9,\x80\"\x81\n", "[caf\xc3\xa9][\xe2\x82\xac\"\xff];", &options, 0);
	expect_with("\xe9,\"a\n", "open(\xe9,\"a\n);", &options, 0);
	charset_close(charset);
}

Test(record, breaks_a_record_whose_quote_is_open_at_the_end_of_input)
{
	expect("1,\"a", "open(1,\"a);");
	expect("1,\"a\n", "open(1,\"a\n);");
	expect("1,\"a\nb\nc", "open(1,\"a\n);[b];[c];");
}

Test(record, breaks_a_joined_record_of_the_wrong_field_count)
{
	/* Two stray quotes make a strictly quoted field of what stands between them: only the count betrays
	 * them. */
	const char *text = "1,2,\"\n3,4,\",5\n6,7,8\n";
	expect_with(text, "[1][2][\n3,4,][5];[6][7][8];", &usual, 0);
	expect_with(text, "[1][2][\n3,4,][5];[6][7][8];", &usual, 4);
	expect_with(text, "stray(1,2,\"\n);open(3,4,\",5\n);[6][7][8];", &usual, 3);
	expect_with("1,2\n3\n", "[1][2];[3];", &usual, 3);
}

Test(record, takes_exactly_max_lines)
{
	struct record_options options = usual;
	options.max_lines = 3;
	expect_with("\"a\nb\nc\"\nd\n", "[a\nb\nc];[d];", &options, 0);
	options.max_lines = 2;
	expect_with("\"a\nb\nc\"\nd\n", "open(\"a\n);[b];[c\"];[d];", &options, 0);
}

Test(record, takes_exactly_max_field)
{
	struct record_options options = usual;
	options.max_field = 4;
	expect_with("abcd,\"ef\"\"g\"\n\"h\nij\"\n", "[abcd][ef\"g];[h\nij];", &options, 0);
	expect_with("a,bcdef,g\nb\n", "long(a,bcdef,g\n);[b];", &options, 0);
	expect_with("a,\"b\ncde\"\nb\n", "open(a,\"b\n);[cde\"];[b];", &options, 0);
}

Test(record, takes_exactly_max_columns)
{
	struct record_options options = usual;
	options.max_columns = 3;
	expect_with("a,b,c\na,b,c,d\ne\n", "[a][b][c];many(a,b,c,d\n);[e];", &options, 0);
	expect_with("a,b,\"c\n\",d\ne\n", "many(a,b,\"c\n);open(\",d\n);[e];", &options, 0);
}

Test(record, survives_a_hundred_thousand_columns)
{
	struct buffer text = {0};
	for (int i = 0; i < 100000; i++)
		append(&text, "a,", 2);
	append(&text, "\nb\n", 3);
	struct input input = {.bytes = {text.data, text.length}, .piece = 1000};
	struct record_reader *reader = open_reader(read_input, &input, &usual);
	struct record record;
	cr_assert_eq(record_next(reader, &record, NULL), RESULT_OK);
	cr_assert_eq(record.fault, RECORD_MANY_COLUMNS);
	cr_assert_eq(record.raw.length, 200001);
	cr_assert_eq(record_next(reader, &record, NULL), RESULT_OK);
	cr_assert_eq(record.fault, RECORD_WHOLE);
	cr_assert_eq(record.end, 200003);
	record_close(reader);
	buffer_free(&text);
}

Test(record, takes_every_quote_as_data_where_there_is_none)
{
	struct record_options options = usual;
	options.quote = '\0';
	options.delimiter = '\t';
	expect_with("\"a\tb\"\r\n\n\"\t\"", "[\"a][b\"];;[\"][\"];", &options, 0);
}

Test(record, knows_other_delimiters_and_quotes)
{
	struct record_options options = usual;
	options.quote = '\'';
	options.delimiter = ';';
	expect_with("'a;b';\"c,d\n", "[a;b][\"c,d];", &options, 0);
	options.delimiter = ' ';
	expect_with("a 'b c' \n", "[a][b c][];", &options, 0);
}

Test(record, passes_nul_bytes_as_data)
{
	expect_described(SLICE("a\0b,\"\0\"\n\0"),
	                 SLICE("1 line 1 end 8 fault 0 <a\0b,\"\0\"\n> 3=a\0b 1=\0\n"
	                       "2 line 2 end 9 fault 0 <\0> 1=\0\n"));
}

Test(record, counts_records_lines_and_offsets)
{
	expect_described(SLICE("a\r\n\"b\r\nc\"\r\r\n\"d\ne"),
	                 SLICE("1 line 1 end 3 fault 0 <a\r\n> 1=a\n"
	                       "2 line 2 end 10 fault 0 <\"b\r\nc\"\r> 4=b\r\nc\n"
	                       "3 line 4 end 12 fault 0 <\r\n>\n"
	                       "4 line 5 end 15 fault 1 <\"d\n>\n"
	                       "5 line 6 end 16 fault 0 <e> 1=e\n"));
}

static enum result read_or_fail(void *context, void *bytes, size_t size, size_t *count, struct error *error)
{
	struct input *input = context;
	if (input->at == input->bytes.length)
		return error_set(error, RESULT_IO, "failed on purpose");
	return read_input(context, bytes, size, count, error);
}

Test(record, passes_on_the_error_of_a_read)
{
	struct input input = {.bytes = SLICE("a\n\"b\n"), .piece = 1};
	struct record_reader *reader = open_reader(read_or_fail, &input, &usual);
	struct record record;
	struct error error;
	cr_assert_eq(record_next(reader, &record, &error), RESULT_OK);
	cr_assert_eq(record_next(reader, &record, &error), RESULT_IO);
	cr_assert_str_eq(error.message, "failed on purpose");
	record_close(reader);
}

/* A start, very many 'x', and a rest that comes byte by byte; made as they are read. */
struct endless {
	const char *start;
	uint64_t left;
	const char *rest;
};

static enum result read_endless(void *context, void *bytes, size_t size, size_t *count, struct error *error)
{
	(void)error;
	struct endless *endless = context;
	const char **text = *endless->start != '\0' ? &endless->start : &endless->rest;
	if (text == &endless->rest && endless->left > 0) {
		*count = endless->left < size ? endless->left : size;
		memset(bytes, 'x', *count);
		endless->left -= *count;
		return RESULT_OK;
	}
	*count = **text != '\0' ? 1 : 0;
	memcpy(bytes, *text, *count);
	*text += *count;
	return RESULT_OK;
}

static long resident_peak_kib(void)
{
	struct rusage usage;
	cr_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

Test(record, keeps_only_the_beginning_of_a_line_without_end)
{
	enum { LENGTH = 1 << 28, KEPT = 2 * 1000 + (1 << 20), SLACK_KIB = 32 * 1024 };
	static const char *const ends[] = {"\nb\n", "\r\nb\n", "\rb\n"};
	struct record_options options = usual;
	options.max_field = 1000;
	long before = resident_peak_kib();
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct endless endless = {.start = "a,\"", .left = LENGTH, .rest = ends[i]};
		struct record_reader *reader = open_reader(read_endless, &endless, &options);
		struct record record;
		cr_assert_eq(record_next(reader, &record, NULL), RESULT_OK);
		cr_assert_eq(record.fault, RECORD_LONG_FIELD);
		cr_assert_eq(record.raw.length, KEPT);
		cr_assert_eq(memcmp(record.raw.data, "a,\"xxx", 6), 0);
		cr_assert_eq(record.raw.data[KEPT - 1], 'x');
		cr_assert_eq(record.end, 3 + LENGTH + strlen(ends[i]) - 2);
		cr_assert_eq(record_next(reader, &record, NULL), RESULT_OK);
		cr_assert(slice_equal(record.fields[0], SLICE("b")));
		cr_assert_eq(record.line, 2);
		cr_assert_eq(record.end, 3 + LENGTH + strlen(ends[i]));
		cr_assert_eq(record_next(reader, &record, NULL), RESULT_END);
		record_close(reader);
	}
	cr_assert_lt(resident_peak_kib() - before, SLACK_KIB);
}

Test(record, breaks_a_record_of_more_raw_bytes_than_any_may_have)
{
	enum { FIELD = 1000, SLACK = 1 << 20 };
	struct record_options options = usual;
	options.max_field = FIELD;
	char field[FIELD + 1] = ",";
	memset(field + 1, 'x', FIELD);
	for (size_t over = 0; over < 2; over++) {
		struct buffer text = {0};
		append(&text, "\"a\nb\"", 5);
		while (text.length + sizeof(field) < SLACK + 2 * FIELD)
			append(&text, field, sizeof(field));
		append(&text, field, SLACK + 2 * FIELD - text.length - 1 + over);
		append(&text, "\n", 1);
		struct input input = {.bytes = {text.data, text.length}, .piece = SIZE_MAX};
		struct record_reader *reader = open_reader(read_input, &input, &options);
		struct record record;
		cr_assert_eq(record_next(reader, &record, NULL), RESULT_OK);
		cr_assert_eq(record.fault, over == 0 ? RECORD_WHOLE : RECORD_OPEN_QUOTE);
		cr_assert_eq(record.raw.length, over == 0 ? text.length : 3);
		record_close(reader);
		buffer_free(&text);
	}
}

Test(record, gives_an_open_quote_up_before_an_endless_line)
{
	struct record_options options = usual;
	options.max_field = 1000;
	struct endless endless = {.start = "a,\"\nb\n", .left = 1 << 26, .rest = "\"\nc\n"};
	struct record_reader *reader = open_reader(read_endless, &endless, &options);
	static const enum record_fault faults[] = {RECORD_OPEN_QUOTE, RECORD_WHOLE, RECORD_LONG_FIELD,
	                                           RECORD_WHOLE};
	struct record record;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		cr_assert_eq(record_next(reader, &record, NULL), RESULT_OK);
		cr_assert_eq(record.fault, faults[i], "record %zu", i);
	}
	cr_assert_eq(record_next(reader, &record, NULL), RESULT_END);
	record_close(reader);
}
