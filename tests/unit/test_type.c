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

static const char *read_as(struct type_reading reading, const char *type, const char *field)
{
	static struct type_value value;
	static char text[TYPE_SCRATCH_SIZE + 1];
	const char *reason = NULL;
	cr_assert_eq(type_parse(&reading.type, type, NULL), RESULT_OK);
	if (!type_read(&value, &reading, slice_from_string(field), &reason)) {
		snprintf(text, sizeof text, "(%s)", reason);
		return text;
	}
	snprintf(text, sizeof text, "%.*s", (int)value.text.length, value.text.data);
	return text;
}

#define READ(type, field, ...) read_as((struct type_reading){__VA_ARGS__}, type, field)

Test(type, declared_numbers_are_read_loosely)
{
	cr_expect_str_eq(READ("integer", "+7", .is_loose = true), "7");
	cr_expect_str_eq(READ("integer", "007", .is_loose = true), "7");
	cr_expect_str_eq(READ("integer", "-000", .is_loose = true), "0");
	cr_expect_str_eq(READ("decimal(9,2)", "+07.50", .is_loose = true), "7.5");
	cr_expect_str_eq(READ("decimal(9,2)", "-.5", .is_loose = true), "-0.5");
	cr_expect_str_eq(READ("decimal(9,2)", "5.", .is_loose = true), "5");
	cr_expect_str_eq(READ("integer", "1,000", .is_loose = true), "(not an integer)");
	cr_expect_str_eq(READ("integer", "1e3", .is_loose = true), "(not an integer)");
	cr_expect_str_eq(READ("integer", "+", .is_loose = true), "(not an integer)");
	cr_expect_str_eq(READ("integer", "+-7", .is_loose = true), "(not an integer)");
	cr_expect_str_eq(READ("integer", "+7"), "(not an integer)");
	cr_expect_str_eq(READ("integer", "007"), "(not an integer)");
}

Test(type, separators_of_thousands_stand_where_they_may)
{
	static const struct example examples[] = {
	    {"1,000", "1000"},
	    {"12,345,678", "12345678"},
	    {"-1,23,45,678", "-12345678"},
	    {"1000", "1000"},
	    {"1,00", "(not an integer)"},
	    {"1,0000", "(not an integer)"},
	    {",100", "(not an integer)"},
	    {"1,,000", "(not an integer)"},
	    {"1000,000", "(not an integer)"},
	    {"1,000,", "(not an integer)"},
	    {"1,2,345", "(not an integer)"},
	};
	for (size_t i = 0; i < COUNT(examples); i++)
		cr_expect_str_eq(READ("integer", examples[i].field, .thousands = ','), examples[i].expected,
		                 "%s", examples[i].field);
}

Test(type, a_decimal_comma_is_the_only_point)
{
	cr_expect_str_eq(READ("decimal(9,2)", "7,50", .decimal = ','), "7.5");
	cr_expect_str_eq(READ("decimal(9,2)", "1.234,5", .decimal = ',', .thousands = '.'), "1234.5");
	cr_expect_str_eq(READ("decimal(9,2)", "1.234", .decimal = ',', .thousands = '.'), "1234");
	cr_expect_str_eq(READ("decimal(9,2)", "7.5", .decimal = ','), "(not a number)");
	cr_expect_str_eq(READ("real", "1,5e3", .decimal = ','), "1500");
}

Test(type, reals_are_the_shortest_text_of_their_double)
{
	static const struct example examples[] = {
	    {"7.50", "7.5"},
	    {"1e22", "1e+22"},
	    {"10000000000000000000000", "1e+22"},
	    {"0.1", "0.1"},
	    {"0.10000000000000001", "0.1"},
	    {"-0", "0"},
	    {"0.30000000000000004", "0.30000000000000004"},
	    {"1E-7", "1e-07"},
	    {"1e999", "(not a real number)"},
	    {"nan", "(not a real number)"},
	    {"inf", "(not a real number)"},
	    {"0x10", "(not a real number)"},
	    {"1e", "(not a real number)"},
	    {"", "(not a real number)"},
	};
	check_examples("real", examples, COUNT(examples));
}

Test(type, booleans_have_many_words_and_two_texts)
{
	static const char *const yes[] = {"1", "true", "TRUE", "t", "Yes", "y", "on"};
	static const char *const no[] = {"0", "false", "False", "F", "no", "N", "OFF"};
	for (size_t i = 0; i < COUNT(yes); i++) {
		cr_expect_str_eq(built_in("boolean", yes[i]), "1");
		cr_expect_str_eq(built_in("boolean", no[i]), "0");
	}
	cr_expect_str_eq(built_in("boolean", "2"), "(not a boolean)");
	cr_expect_str_eq(built_in("boolean", "tru"), "(not a boolean)");
}

static struct zone *zone_of(const char *name)
{
	struct zone *zone;
	struct error error = {0};
	cr_assert_eq(zone_open(&zone, name, &error), RESULT_OK, "%s", error.message);
	return zone;
}

Test(type, datetimes_of_a_zone_are_stored_in_utc)
{
	struct zone *india = zone_of("+05:30");
	cr_expect_str_eq(READ("datetime", "2015-05-05 10:11", .zone = india), "2015-05-05 04:41:00");
	cr_expect_str_eq(READ("datetime", "2015-01-01 00:00:00.5", .zone = india), "2014-12-31 18:30:00.5");
	cr_expect_str_eq(READ("datetime", "2016-02-29T23:59:59Z", .zone = india), "2016-02-29 23:59:59");
	cr_expect_str_eq(READ("datetime", "2015-12-31 23:30 -0100", .zone = india), "2016-01-01 00:30:00");
	cr_expect_str_eq(READ("datetime", "2015-12-31 23:30 -01", .zone = india), "2016-01-01 00:30:00");
	cr_expect_str_eq(READ("datetime", "0001-01-01 00:00", .zone = india), "(not a datetime)");
	cr_expect_str_eq(READ("datetime", "2015-05-05 10:11+25:00", .zone = india), "(not a datetime)");
	zone_close(india);
	struct zone *berlin = zone_of("Europe/Berlin");
	cr_expect_str_eq(READ("datetime", "2015-01-05 10:00", .zone = berlin), "2015-01-05 09:00:00");
	cr_expect_str_eq(READ("datetime", "2015-07-05 10:00", .zone = berlin), "2015-07-05 08:00:00");
	cr_expect_str_eq(READ("datetime", "2015-03-29 02:30", .zone = berlin), "(not a datetime)");
	cr_expect_str_eq(READ("datetime", "2015-10-25 02:30", .zone = berlin), "2015-10-25 01:30:00");
	zone_close(berlin);
	const char *format = "%d/%m/%Y %H:%M %z";
	cr_expect_str_eq(READ("datetime", "05/05/2015 10:11 +0530", .formats = {&format, 1}),
	                 "2015-05-05 04:41:00");
	struct zone *none;
	cr_expect_eq(zone_open(&none, "Nowhere/City", NULL), RESULT_CONFIG);
}

Test(type, a_type_holds_what_it_gives_back)
{
	static const struct {
		const char *type, *other;
		bool holds;
	} cases[] = {
	    {"text", "text(9)", true},
	    {"text", "real", true},
	    {"text(9)", "text(9)", true},
	    {"text(9)", "text(10)", false},
	    {"text(9)", "text", false},
	    {"text(9)", "integer", false},
	    {"integer", "integer", true},
	    {"integer", "decimal(9,2)", false},
	    {"integer", "boolean", true},
	    {"decimal(21,2)", "integer", true},
	    {"decimal(9,2)", "integer", false},
	    {"decimal(9,2)", "decimal(8,1)", true},
	    {"decimal(9,2)", "decimal(9,3)", false},
	    {"real", "real", true},
	    {"real", "decimal(9,2)", false},
	    {"boolean", "integer", false},
	    {"datetime", "date", true},
	    {"date", "datetime", false},
	    {"date", "text", false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct type type = parse_type(cases[i].type), other = parse_type(cases[i].other);
		cr_expect_eq(type_holds(&type, &other), cases[i].holds, "%s %s", cases[i].type,
		             cases[i].other);
	}
}

Test(type, widening_keeps_what_was_held)
{
	static const struct {
		const char *type, *other, *wider;
	} cases[] = {
	    {"integer", "decimal(9,2)", "decimal(21,2)"},
	    {"decimal(9,2)", "integer", "decimal(21,2)"},
	    {"decimal(9,2)", "decimal(5,4)", "decimal(11,4)"},
	    {"decimal(38,2)", "decimal(38,30)", NULL},
	    {"text(3)", "text(5)", "text(5)"},
	    {"text(3)", "text", "text"},
	    {"text(5)", "text(3)", NULL},
	    {"integer", "integer", NULL},
	    {"integer", "text", NULL},
	    {"text", "integer", NULL},
	    {"decimal(60,10)", "decimal(30,20)", NULL},
	    {"real", "decimal(9,2)", NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[TYPE_TEXT_MAX];
		struct type type = parse_type(cases[i].type), other = parse_type(cases[i].other);
		bool is_wider = type_widen(&type, &other);
		type_text(text, &type);
		cr_expect_eq(is_wider, cases[i].wider != NULL, "%s %s", cases[i].type, cases[i].other);
		cr_expect_str_eq(text, is_wider ? cases[i].wider : cases[i].type);
	}
}

Test(type, a_date_is_the_midnight_of_a_loosely_read_datetime)
{
	cr_expect_str_eq(READ("datetime", "2014-10-29", .is_loose = true), "2014-10-29 00:00:00");
	cr_expect_str_eq(READ("datetime", "29-Oct-14", .is_loose = true), "2014-10-29 00:00:00");
}

Test(type, blanks_are_trimmed_where_that_is_said)
{
	cr_expect_str_eq(READ("integer", " 7 ", .trim = true), "7");
	cr_expect_str_eq(READ("text", " a b\t", .trim = true), "a b");
	cr_expect_str_eq(READ("text", " a b\t"), " a b\t");
}

Test(type, null_tokens_replace_the_empty_text_and_join_the_usual_ones)
{
	static const char *const tokens[] = {"-", "n/a"};
	struct type_reading text = {
	    .type = {.kind = TYPE_TEXT}, .nulls = tokens, .null_count = 2, .has_nulls = true, .trim = true};
	struct type_reading number = text;
	number.type.kind = TYPE_INTEGER;
	cr_expect(type_reads_null(&text, SLICE(" - ")));
	cr_expect(type_reads_null(&number, SLICE("n/a")));
	cr_expect(type_reads_null(&number, SLICE("")));
	cr_expect(type_reads_null(&number, SLICE("NA")));
	cr_expect_not(type_reads_null(&text, SLICE("")));
	cr_expect_not(type_reads_null(&text, SLICE("NA")));
}
