// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/header.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct schema_spec nothing_declared = {0};

/* The names of the header "a|b|c", in order, divided by '|'; a declared column's begins with '='. */
static void expect_names(const struct schema_spec *spec, const char *header, const char *expected)
{
	struct slice fields[8];
	size_t count = 0;
	for (const char *at = header;; at += fields[count - 1].length + 1) {
		fields[count++] = (struct slice){at, strcspn(at, "|")};
		if (at[fields[count - 1].length] == '\0')
			break;
	}
	struct header_name *names;
	struct error error = {0};
	cr_assert_eq(header_names(&names, spec, NULL, fields, count, &error), RESULT_OK, "%s", error.message);
	char text[1024] = "";
	for (size_t i = 0; i < count; i++)
		sprintf(text + strlen(text), "%s%s%s", i > 0 ? "|" : "", names[i].declared != NULL ? "=" : "",
		        names[i].text);
	cr_expect_str_eq(text, expected, "%s: %s", header, text);
	free(names);
}

Test(header, empty_names_are_called_after_their_place)
{
	expect_names(&nothing_declared, "v1|v2|| |", "v1|v2|column_3|column_4|column_5");
	expect_names(&nothing_declared, "|column_1", "column_1|column_1_2");
}

Test(header, repeated_names_are_counted_past_real_ones)
{
	expect_names(&nothing_declared, "a|A|a ", "a|a_2|a_3");
	expect_names(&nothing_declared, "a|a|a_2", "a|a_3|a_2");
	expect_names(&nothing_declared, "a_2|a|a|a_2", "a_2|a|a_3|a_2_2");
}

Test(header, thousands_of_equal_names_are_all_told_apart)
{
	enum { FIELDS = 4096 };
	struct slice *header = calloc(FIELDS, sizeof *header);
	for (size_t i = 0; i < FIELDS; i++)
		header[i] = SLICE("a");
	struct header_name *names;
	cr_assert_eq(header_names(&names, &nothing_declared, NULL, header, FIELDS, NULL), RESULT_OK);
	cr_expect_str_eq(names[0].text, "a");
	for (size_t i = 1; i < FIELDS; i++) {
		char expected[16];
		snprintf(expected, sizeof expected, "a_%zu", i + 1);
		cr_assert_str_eq(names[i].text, expected);
	}
	free(names);
	free(header);
}

Test(header, name_that_is_too_long_is_invalid_unless_declared)
{
	char text[66] = {0};
	memset(text, 'a', 65);
	const struct slice longer[] = {{text, 65}};
	const struct slice repeated[] = {{text, 64}, {text, 64}};
	struct header_name *names = NULL;
	struct error error;
	cr_expect_eq(header_names(&names, &nothing_declared, NULL, longer, 1, &error), RESULT_INVALID);
	cr_expect_eq(header_names(&names, &nothing_declared, NULL, repeated, 2, &error), RESULT_INVALID);
	cr_expect_null(names);
	const struct schema_declared declared = {.source = text, .name = "short"};
	expect_names(&(struct schema_spec){.columns = &declared, .count = 1}, text, "=short");
}

Test(header, declared_source_is_matched_to_the_letter_then_by_its_name_then_by_the_columns_name)
{
	const struct schema_declared declared[] = {{.source = "a b", .name = "x"}};
	const struct schema_spec spec = {.columns = declared, .count = 1};
	expect_names(&spec, "A_B|a b", "a_b|=x");
	expect_names(&spec, "A_B|c", "=x|c");
	expect_names(&spec, "X|A_B", "x_2|=x");
	expect_names(&spec, "X|c", "=x|c");
	expect_names(&spec, "a b|a b", "=x|a_b");
}

Test(header, exact_source_of_one_declaration_is_not_taken_by_the_name_of_another)
{
	const struct schema_declared declared[] = {{.source = "A B", .name = "x"},
	                                           {.source = "a_b", .name = "y"}};
	const struct schema_spec spec = {.columns = declared, .count = 2};
	expect_names(&spec, "a_b|c", "=y|c");
}

Test(header, names_that_differ_in_case_only_are_taken)
{
	const struct schema_declared declared[] = {{.source = "x", .name = "Amount"}};
	const struct schema_spec spec = {.columns = declared, .count = 1};
	expect_names(&spec, "amount|x", "amount_2|=Amount");
}

static void expect_configuration_error(struct schema_declared first, struct schema_declared second)
{
	const struct slice header[] = {SLICE("a"), SLICE("b")};
	const struct schema_declared declared[] = {first, second};
	struct header_name *names = NULL;
	struct error error;
	cr_expect_eq(header_names(&names, &(struct schema_spec){.columns = declared, .count = 2}, NULL,
	                          header, 2, &error),
	             RESULT_CONFIG);
	cr_expect_null(names);
}

Test(header, declared_names_that_are_none_or_taken_are_configuration_errors)
{
	char longer[SCHEMA_NAME_MAX + 2] = {0};
	memset(longer, 'a', SCHEMA_NAME_MAX + 1);
	const struct schema_declared a = {.source = "a"}, b = {.source = "b"};
	expect_configuration_error((struct schema_declared){.source = "a", .name = ""}, b);
	expect_configuration_error((struct schema_declared){.source = "a", .name = "\xff"}, b);
	expect_configuration_error((struct schema_declared){.source = "a", .name = longer}, b);
	expect_configuration_error((struct schema_declared){.source = "a", .name = "b"}, b);
	expect_configuration_error(a, (struct schema_declared){.source = "b", .name = "A"});
}

Test(header, more_formats_than_a_column_holds_are_a_configuration_error)
{
	const char *formats[TYPE_FORMATS_MAX + 1];
	for (size_t i = 0; i < COUNT(formats); i++)
		formats[i] = "%F";
	const struct schema_declared a = {
	    .source = "a", .has_type = true, .type.kind = TYPE_DATE, .formats = {formats, COUNT(formats)}};
	expect_configuration_error(a, (struct schema_declared){.source = "b"});
}
