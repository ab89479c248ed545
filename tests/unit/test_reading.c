// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "schema/type.h"
#include "schema/zone.h"

/* How fields are read where the configuration says more than a type. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct type parse_type(const char *text)
{
	struct type type;
	cr_assert_eq(type_parse(&type, text, NULL), RESULT_OK, "%s", text);
	return type;
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

Test(reading, declared_numbers_are_read_loosely)
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

Test(reading, separators_of_thousands_stand_where_they_may)
{
	static const struct {
		const char *field, *expected;
	} examples[] = {
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

Test(reading, a_decimal_comma_is_the_only_point)
{
	cr_expect_str_eq(READ("decimal(9,2)", "7,50", .decimal = ','), "7.5");
	cr_expect_str_eq(READ("decimal(9,2)", "1.234,5", .decimal = ',', .thousands = '.'), "1234.5");
	cr_expect_str_eq(READ("decimal(9,2)", "1.234", .decimal = ',', .thousands = '.'), "1234");
	cr_expect_str_eq(READ("decimal(9,2)", "7.5", .decimal = ','), "(not a number)");
	cr_expect_str_eq(READ("real", "1,5e3", .decimal = ','), "1500");
}

Test(reading, reals_are_the_shortest_text_of_their_double)
{
	static const struct {
		const char *field, *expected;
	} examples[] = {
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
	for (size_t i = 0; i < COUNT(examples); i++)
		cr_expect_str_eq(READ("real", examples[i].field), examples[i].expected, "%s",
		                 examples[i].field);
}

Test(reading, booleans_have_many_words_and_two_texts)
{
	static const char *const yes[] = {"1", "true", "TRUE", "t", "Yes", "y", "on"};
	static const char *const no[] = {"0", "false", "False", "F", "no", "N", "OFF"};
	for (size_t i = 0; i < COUNT(yes); i++) {
		cr_expect_str_eq(READ("boolean", yes[i]), "1");
		cr_expect_str_eq(READ("boolean", no[i]), "0");
	}
	cr_expect_str_eq(READ("boolean", "2"), "(not a boolean)");
	cr_expect_str_eq(READ("boolean", "tru"), "(not a boolean)");
}

static struct zone *zone_of(const char *name)
{
	struct zone *zone;
	struct error error = {0};
	cr_assert_eq(zone_open(&zone, name, &error), RESULT_OK, "%s", error.message);
	return zone;
}

Test(reading, datetimes_of_a_zone_are_stored_in_utc)
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

Test(reading, a_type_holds_what_it_gives_back)
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

Test(reading, widening_keeps_what_was_held)
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

Test(reading, a_date_is_the_midnight_of_a_loosely_read_datetime)
{
	cr_expect_str_eq(READ("datetime", "2014-10-29", .is_loose = true), "2014-10-29 00:00:00");
	cr_expect_str_eq(READ("datetime", "29-Oct-14", .is_loose = true), "2014-10-29 00:00:00");
}

Test(reading, blanks_are_trimmed_where_that_is_said)
{
	cr_expect_str_eq(READ("integer", " 7 ", .trim = true), "7");
	cr_expect_str_eq(READ("text", " a b\t", .trim = true), "a b");
	cr_expect_str_eq(READ("text", " a b\t"), " a b\t");
}

Test(reading, null_tokens_replace_the_empty_text_and_join_the_usual_ones)
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
