// SPDX-License-Identifier: Apache-2.0
#include "source/delimited.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record_input.h"

static const struct record_options limits = {.max_field = 1 << 20, .max_columns = 4096, .max_lines = 100};

/* The records in short, behind the delimiter and the encoding that were found out. */
static void expect_read(struct dialect dialect, struct slice bytes, const char *wanted)
{
	for (size_t piece = 1; piece < 8; piece += 3) {
		struct input input = {.bytes = bytes, .piece = piece};
		struct delimited *delimited;
		struct error error = {0};
		cr_assert_eq(delimited_open(&delimited, &dialect, &limits, read_input, &input, &error),
		             RESULT_OK, "%s", error.message);
		struct buffer out = {0};
		cr_assert_eq(buffer_printf(&out, "%c %s ", delimited_dialect(delimited)->delimiter,
		                           delimited_dialect(delimited)->encoding),
		             RESULT_OK);
		struct record record;
		while (delimited_next(delimited, &record, NULL) == RESULT_OK) {
			for (size_t i = 0; i < record.field_count; i++)
				cr_assert_eq(buffer_printf(&out, "[%.*s]", (int)record.fields[i].length,
				                           record.fields[i].data),
				             RESULT_OK);
			append(&out, ";", 1);
		}
		append(&out, "", 1);
		cr_expect_str_eq(out.data, wanted);
		buffer_free(&out);
		delimited_close(delimited);
	}
}

static const struct dialect found_out = {0};

Test(delimited, finds_the_delimiter_that_most_records_have)
{
	expect_read(found_out, SLICE("a,b\n1,2\n"), ", utf-8 [a][b];[1][2];");
	expect_read(found_out, SLICE("a;b\n1,5;2,5\n"), "; utf-8 [a][b];[1,5][2,5];");
	expect_read(found_out, SLICE("a, b\tc, d\nx\ty\nz\tw\n"), "\t utf-8 [a, b][c, d];[x][y];[z][w];");
	expect_read(found_out, SLICE("a|b|c\n1|2|3"), "| utf-8 [a][b][c];[1][2][3];");
	expect_read(found_out, SLICE("\"a;b\",c\n1,2\n"), ", utf-8 [a;b][c];[1][2];");
	expect_read(found_out, SLICE("a;b,c;d\n"), "; utf-8 [a][b,c][d];");
}

Test(delimited, takes_a_comma_where_nothing_makes_two_fields)
{
	expect_read(found_out, SLICE("text\nsome; words\nand, more\n"),
	            ", utf-8 [text];[some; words];[and][ more];");
	expect_read(found_out, SLICE(""), ", utf-8 ");
}

Test(delimited, counts_no_record_that_the_head_cuts_off)
{
	enum { HEAD = 65536 };
	char *bytes = malloc(2 * HEAD);
	size_t length = 0;
	length += (size_t)sprintf(bytes, "a;b,b\n");
	while (length < HEAD + 100)
		length += (size_t)sprintf(bytes + length, "%s\n", "12345678901;2345678901,1");
	struct input input = {.bytes = {bytes, length}, .piece = 4096};
	struct delimited *delimited;
	cr_assert_eq(delimited_open(&delimited, &found_out, &limits, read_input, &input, NULL), RESULT_OK);
	cr_expect_eq(delimited_dialect(delimited)->delimiter, ',', "equal votes: the first in order");
	struct record record;
	size_t records = 0;
	while (delimited_next(delimited, &record, NULL) == RESULT_OK) {
		records++;
		cr_assert_eq(record.field_count, 2);
	}
	cr_expect_eq(record.end, length);
	cr_expect_eq(records, 1 + (length - 6) / 25);
	delimited_close(delimited);
	free(bytes);
}

Test(delimited, knows_encodings_by_their_mark)
{
	expect_read(found_out,
	            SLICE("\xff\xfe"
	                  "a\0,\0b\0\n\0\xe9\0,\0"
	                  "2\0\n\0"),
	            ", utf-16 [a][b];[\xc3\xa9][2];");
	expect_read(found_out,
	            SLICE("\xef\xbb\xbf"
	                  "a,b\n\xc3\xa9,2"),
	            ", utf-8 [a][b];[\xc3\xa9][2];");
	const struct dialect latin = {.encoding = "latin1"};
	expect_read(latin, SLICE("a;b\n\xe9;2"), "; latin1 [a][b];[\xc3\xa9][2];");
	const struct dialect wide = {.encoding = "utf-16be", .delimiter = ','};
	expect_read(wide, SLICE("\0a\0,\0b"), ", utf-16be [a][b];");
}

Test(delimited, says_whether_offsets_are_those_of_the_bytes)
{
	const struct dialect latin = {.encoding = "latin1"}, wide = {.encoding = "utf-16le"};
	struct input input = {.bytes = SLICE("a\0"), .piece = 9};
	struct delimited *delimited;
	cr_assert_eq(delimited_open(&delimited, &wide, &limits, read_input, &input, NULL), RESULT_OK);
	cr_expect(delimited_is_wide(delimited));
	delimited_close(delimited);
	input = (struct input){.bytes = SLICE("a"), .piece = 9};
	cr_assert_eq(delimited_open(&delimited, &latin, &limits, read_input, &input, NULL), RESULT_OK);
	cr_expect_not(delimited_is_wide(delimited));
	delimited_close(delimited);
}

Test(delimited, refuses_what_is_no_text_and_encodings_that_are_none)
{
	struct input input = {.bytes = SLICE("a,b\n\0"), .piece = 9};
	struct delimited *delimited;
	struct error error = {0};
	cr_expect_eq(delimited_open(&delimited, &found_out, &limits, read_input, &input, &error),
	             RESULT_INVALID);
	cr_expect_not_null(strstr(error.message, "a NUL byte at offset 4"), "%s", error.message);
	const struct dialect none = {.encoding = "latin-99"};
	input.at = 0;
	cr_expect_eq(delimited_open(&delimited, &none, &limits, read_input, &input, &error), RESULT_CONFIG);
}
