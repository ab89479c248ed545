// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/type.h"
#include "schema/zone.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct type parse_type(const char *text)
{
	struct type type;
	struct error error;
	cr_assert_eq(type_parse(&type, text, &error), RESULT_OK, "%s", text);
	return type;
}

/* The canonical text, or in parentheses why there is none. */
static const char *canonical(const char *type_name, const struct type_formats *formats, const char *field)
{
	static char text[512];
	struct type type = parse_type(type_name);
	struct type_value value;
	const char *reason = "no reason";
	if (type_canonical(&value, &type, formats, slice_from_string(field), &reason))
		snprintf(text, sizeof text, "%.*s", (int)value.text.length, value.text.data);
	else
		snprintf(text, sizeof text, "(%s)", reason);
	return text;
}

static const char *built_in(const char *type_name, const char *field)
{
	const struct type_formats none = {0};
	return canonical(type_name, &none, field);
}

struct example {
	const char *field;
	const char *expected;
};

static void check_examples(const char *type_name, const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cr_expect_str_eq(built_in(type_name, examples[i].field), examples[i].expected, "%s '%s': %s",
		                 type_name, examples[i].field, built_in(type_name, examples[i].field));
}

Test(type, name_of_a_type_reads_back_as_itself)
{
	static const char *const names[] = {"integer",      "decimal(12,2)", "decimal(38,30)",
	                                    "decimal(1,0)", "date",          "datetime",
	                                    "text",         "text(32)",      "text(999999999)"};
	for (size_t i = 0; i < COUNT(names); i++) {
		struct type type = parse_type(names[i]);
		char text[TYPE_TEXT_MAX];
		type_text(text, &type);
		cr_expect_str_eq(text, names[i]);
	}
}

Test(type, precision_without_bound_is_shown_as_the_highest)
{
	struct type type = {.kind = TYPE_DECIMAL, .scale = 4};
	char text[TYPE_TEXT_MAX];
	type_text(text, &type);
	cr_assert_str_eq(text, "decimal(38,4)");
}

Test(type, anything_else_is_no_type)
{
	static const char *const names[] = {"",
	                                    "int",
	                                    "Integer",
	                                    "integer ",
	                                    "text()",
	                                    "text(0)",
	                                    "text(-1)",
	                                    "text(32",
	                                    "text(32))",
	                                    "text(1,2)",
	                                    "decimal",
	                                    "decimal(5)",
	                                    "decimal(66,2)",
	                                    "decimal(2,3)",
	                                    "decimal(38,31)",
	                                    "decimal()",
	                                    "decimal(0,0)",
	                                    "decimal(5,2) x",
	                                    "decimal(5,-1)",
	                                    "text(9999999999)",
	                                    "text(-99999999)"};
	for (size_t i = 0; i < COUNT(names); i++) {
		struct type type;
		struct error error;
		cr_expect_eq(type_parse(&type, names[i], &error), RESULT_CONFIG, "%s", names[i]);
	}
}

Test(type, only_the_empty_field_is_a_missing_text)
{
	struct type text = parse_type("text");
	cr_expect(type_is_null(&text, SLICE("")));
	cr_expect_not(type_is_null(&text, SLICE("NA")));
	cr_expect_not(type_is_null(&text, SLICE(" ")));
}

Test(type, null_words_are_missing_in_typed_columns_to_the_letter)
{
	static const char *const types[] = {"integer", "decimal(9,2)", "date", "datetime"};
	static const char *const words[] = {"", "NA", "N/A", "NULL", "NaN", "null", "None"};
	static const char *const values[] = {"na", "nan", "NAN", "none", "NONE", "Null",
	                                     "N",  "NA ", "-",   "0",    "nul"};
	for (size_t i = 0; i < COUNT(types); i++) {
		struct type type = parse_type(types[i]);
		for (size_t j = 0; j < COUNT(words); j++)
			cr_expect(type_is_null(&type, slice_from_string(words[j])), "%s %s", types[i],
			          words[j]);
		for (size_t j = 0; j < COUNT(values); j++)
			cr_expect_not(type_is_null(&type, slice_from_string(values[j])), "%s %s", types[i],
			              values[j]);
	}
}

Test(type, integers_have_one_form_and_64_bits)
{
	static const struct example examples[] = {
	    {"0", "0"},
	    {"-0", "0"},
	    {"7", "7"},
	    {"-7", "-7"},
	    {"9223372036854775807", "9223372036854775807"},
	    {"-9223372036854775808", "-9223372036854775808"},
	    {"9223372036854775808", "(integer beyond 64 bits)"},
	    {"-9223372036854775809", "(integer beyond 64 bits)"},
	    {"10000000000000000000", "(integer beyond 64 bits)"},
	    {"007", "(not an integer)"},
	    {"-07", "(not an integer)"},
	    {"+7", "(not an integer)"},
	    {"1,000", "(not an integer)"},
	    {"7.0", "(not an integer)"},
	    {" 7", "(not an integer)"},
	    {"7 ", "(not an integer)"},
	    {"-", "(not an integer)"},
	    {"--7", "(not an integer)"},
	    {"0x10", "(not an integer)"},
	    {"\xd9\xa3", "(not an integer)"},
	};
	check_examples("integer", examples, COUNT(examples));
}

Test(type, decimals_drop_trailing_zeros_and_the_sign_of_zero)
{
	static const struct example examples[] = {
	    {"7.50", "7.5"},
	    {"7.00", "7"},
	    {"7", "7"},
	    {"100", "100"},
	    {"-7.25", "-7.25"},
	    {"0.0", "0"},
	    {"-0", "0"},
	    {"-0.0", "0"},
	    {"-0.10", "-0.1"},
	    {"0.01000000000000000000000000000000000000000000000", "0.01"},
	    {"999.99", "999.99"},
	    {"1000", "(more digits before the point than declared)"},
	    {"0.123", "(more digits behind the point than declared)"},
	    {"7.", "(not a decimal)"},
	    {".5", "(not a decimal)"},
	    {"07.5", "(not a decimal)"},
	    {"00", "(not a decimal)"},
	    {"+7", "(not a decimal)"},
	    {"1e5", "(not a decimal)"},
	    {"1.5e5", "(not a decimal)"},
	    {"7.5.5", "(not a decimal)"},
	    {"7,5", "(not a decimal)"},
	    {"-.5", "(not a decimal)"},
	};
	check_examples("decimal(5,2)", examples, COUNT(examples));
	cr_expect_str_eq(built_in("decimal(3,1)", "7.50"), "7.5");
	cr_expect_str_eq(built_in("decimal(2,2)", "0.99"), "0.99");
	cr_expect_str_eq(built_in("decimal(2,2)", "1.5"), "(more digits before the point than declared)");
}

Test(type, widening_an_integer_to_a_decimal_keeps_its_text)
{
	for (int i = -2000; i <= 2000; i++) {
		char integer[16], decimal[32], text[32];
		snprintf(integer, sizeof integer, "%d", i);
		snprintf(decimal, sizeof decimal, "%d.000", i);
		snprintf(text, sizeof text, "%s", built_in("integer", integer));
		cr_assert_str_eq(built_in("decimal(38,3)", integer), text);
		cr_assert_str_eq(built_in("decimal(38,3)", decimal), text);
	}
}

Test(type, texts_are_any_utf8_but_nul)
{
	cr_expect_str_eq(built_in("text", " a\t\"b\"\r\n\x01\x7f "), " a\t\"b\"\r\n\x01\x7f ");
	cr_expect_str_eq(built_in("text", "Gr\xc3\xb6\xc3\x9f"
	                                  "e, \xe2\x82\xac, \xf0\x9f\x98\x80"),
	                 "Gr\xc3\xb6\xc3\x9f"
	                 "e, \xe2\x82\xac, \xf0\x9f\x98\x80");
	static const char *const damaged[] = {
	    "\xff", "abcdefgh\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "a\xe2\x82", "\xf4\x90\x80\x80"};
	for (size_t i = 0; i < COUNT(damaged); i++)
		cr_expect_str_eq(built_in("text", damaged[i]), "(invalid UTF-8)", "%zu", i);
}

Test(type, nul_is_found_at_every_place_of_a_text)
{
	const struct type type = {.kind = TYPE_TEXT};
	const struct type_formats none = {0};
	for (size_t length = 1; length < 40; length++) {
		for (size_t place = 0; place < length; place++) {
			char text[40];
			memset(text, 'x', sizeof text);
			struct type_value value;
			const char *reason;
			cr_assert(
			    type_canonical(&value, &type, &none, (struct slice){text, length}, &reason));
			text[place] = '\0';
			cr_assert_not(
			    type_canonical(&value, &type, &none, (struct slice){text, length}, &reason));
			cr_assert_str_eq(reason, "text with a NUL byte");
			text[place] = '\x80';
			cr_assert_not(
			    type_canonical(&value, &type, &none, (struct slice){text, length}, &reason));
			cr_assert_str_eq(reason, "invalid UTF-8");
		}
	}
}

Test(type, text_length_counts_characters_not_bytes)
{
	cr_expect_str_eq(built_in("text(3)", "abc"), "abc");
	cr_expect_str_eq(built_in("text(3)", "abcd"), "(text longer than declared)");
	cr_expect_str_eq(built_in("text(3)", "\xc3\xa4\xc3\xb6\xf0\x9f\x98\x80"),
	                 "\xc3\xa4\xc3\xb6\xf0\x9f\x98\x80");
	cr_expect_str_eq(built_in("text(2)", "\xc3\xa4\xc3\xb6\xc3\xbc"), "(text longer than declared)");
}

Test(type, dates_in_iso_form_or_with_a_month_name_are_known)
{
	static const struct example examples[] = {
	    {"2015-05-05", "2015-05-05"},       {"0001-01-01", "0001-01-01"},
	    {"9999-12-31", "9999-12-31"},       {"29-Oct-14", "2014-10-29"},
	    {"5-May-15", "2015-05-05"},         {"05-May-2015", "2015-05-05"},
	    {"5 may 2015", "2015-05-05"},       {"5/MAY/15", "2015-05-05"},
	    {"1-September-2020", "2020-09-01"}, {"1-Jan-69", "1969-01-01"},
	    {"1-Jan-68", "2068-01-01"},         {"January 7, 2018", "2018-01-07"},
	    {"Jan 7, 2018", "2018-01-07"},      {"december 31, 1999", "1999-12-31"},
	    {"29-Feb-2016", "2016-02-29"},      {"29-Feb-2000", "2000-02-29"},
	};
	check_examples("date", examples, COUNT(examples));
}

Test(type, dates_that_need_a_guess_or_do_not_exist_are_refused)
{
	static const char *const fields[] = {
	    "03/04/2015",
	    "20150505",
	    "2015-5-5",
	    "2015/05/05",
	    "05-05-2015",
	    "2015-13-01",
	    "2015-02-29",
	    "1900-02-29",
	    "2015-04-31",
	    "2015-00-10",
	    "2015-05-00",
	    "0000-01-01",
	    "2015-05-05 ",
	    " 2015-05-05",
	    "2015-05-055",
	    "2015-05-05T",
	    "29-Oct-2014-1",
	    "29-Oct-145",
	    "29-Oct-1",
	    "029-Oct-14",
	    "0-Oct-14",
	    "32-Oct-14",
	    "29-Okt-14",
	    "29-Octo-14",
	    "29-Sept-14",
	    "29-Oct/14",
	    "29Oct14",
	    "29--Oct-14",
	    "29-October2-14",
	    "Jan 7 2018",
	    "Jan 7,2018",
	    "Jan  7, 2018",
	    "January 7, 18",
	    "Jan 32, 2018",
	    "Jan 0, 2018",
	    "January",
	    "septembers 1",
	    "Januarys 7, 2018",
	    "J 7, 2018",
	    "May",
	    "5",
	    "-",
	    "2015-05-05 10:00:00",
	    "29-Feb-2015",
	    "\xef\xbc\x95-May-15",
	};
	for (size_t i = 0; i < COUNT(fields); i++)
		cr_expect_str_eq(built_in("date", fields[i]), "(not a date)", "'%s'", fields[i]);
}

Test(type, datetimes_are_iso_without_a_zone)
{
	static const struct example examples[] = {
	    {"2015-05-05 10:11", "2015-05-05 10:11:00"},
	    {"2015-05-05T10:11:12", "2015-05-05 10:11:12"},
	    {"2015-05-05 10:11:12.500000", "2015-05-05 10:11:12.5"},
	    {"2015-05-05 10:11:12.000", "2015-05-05 10:11:12"},
	    {"2015-05-05 10:11:12.000001", "2015-05-05 10:11:12.000001"},
	    {"2015-05-05 23:59:59.999999", "2015-05-05 23:59:59.999999"},
	    {"2015-05-05T10:11:12Z", "(has a time zone)"},
	    {"2015-05-05T10:11:12.5z", "(has a time zone)"},
	    {"2015-05-05 10:11:12+02:00", "(has a time zone)"},
	    {"2015-05-05 10:11 -0500", "(has a time zone)"},
	    {"2015-05-05 10:11:12.0000001", "(not a datetime)"},
	    {"2015-05-05 10:11:12.", "(not a datetime)"},
	    {"2015-05-05 10:11:", "(not a datetime)"},
	    {"2015-05-05 10:11:60", "(not a datetime)"},
	    {"2015-05-05 24:00:00", "(not a datetime)"},
	    {"2015-05-05 10:60", "(not a datetime)"},
	    {"2015-02-29 10:11", "(not a datetime)"},
	    {"2015-05-05 1:11", "(not a datetime)"},
	    {"2015-05-05  10:11", "(not a datetime)"},
	    {"2015-05-05t10:11", "(not a datetime)"},
	    {"2015-05-05", "(not a datetime)"},
	    {"2015-05-05 10:11 ", "(not a datetime)"},
	    {"2015-05-05 10:11 PM", "(not a datetime)"},
	    {"5-May-15 10:11", "(not a datetime)"},
	};
	check_examples("datetime", examples, COUNT(examples));
}
