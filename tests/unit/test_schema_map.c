// SPDX-License-Identifier: Apache-2.0
#include "schema/schema_map.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "schema/row.h"
#include "schema_input.h"

/* A table made from one header, and what records under another one become. */
static const char *row_text(const struct schema_spec *spec, const char *made_from, const char *header,
                            const char *record)
{
	static char text[1024];
	struct schema *schema = schema_input_schema(spec, made_from);
	struct schema_map map = schema_input_map(schema, spec, header);
	struct line line = schema_input_line(record);
	struct buffer row = {0};
	struct schema_fault fault;
	char *at = text;
	*at = '\0';
	if (schema_input_row(&map, line.fields, line.count, &row, &fault) != RESULT_OK) {
		cr_expect_eq(row.length, 0);
		sprintf(text, "%s: %s%s", fault.column != NULL ? fault.column : "-", fault.reason,
		        fault.is_widenable ? " (widenable)" : "");
	}
	size_t position = 0;
	struct row_cell cell;
	while (row_next((struct slice){row.data, row.length}, &position, &cell))
		at += sprintf(at, "%s%s=%.*s", at > text ? " " : "", schema->columns[cell.ordinal - 1].name,
		              (int)cell.text.length, cell.text.data);
	buffer_free(&row);
	schema_map_free(&map);
	schema_free(schema);
	return text;
}

static const struct schema_declared numbers[] = {
    {.source = "n", .has_type = true, .type.kind = TYPE_INTEGER, .fallback = "+05"},
    {.source = "t", .fallback = ""},
};

Test(schema_map, a_missing_value_becomes_the_default)
{
	const struct schema_spec spec = {.columns = numbers, .count = 2};
	cr_expect_str_eq(row_text(&spec, "n|t|u", "n|t|u", "NA||"), "n=5 t=");
	cr_expect_str_eq(row_text(&spec, "n|t|u", "u", "x"), "n=5 t= u=x");
	cr_expect_str_eq(row_text(&spec, "u", "u", "x"), "u=x n=5 t=");
}

Test(schema_map, a_default_that_is_none_of_its_column_is_a_configuration_error)
{
	const struct schema_declared wrong = {
	    .source = "n", .has_type = true, .type.kind = TYPE_DATE, .fallback = "never"};
	const struct schema_spec spec = {.columns = &wrong, .count = 1};
	struct schema *schema = schema_input_schema(&spec, "n");
	struct slice field = SLICE("n");
	struct schema_map map;
	struct error error = {0};
	cr_expect_eq(schema_map_header(&map, schema, &spec, &field, 1, &error), RESULT_CONFIG);
	cr_expect_not_null(strstr(error.message, "default 'never' is not a date"), "%s", error.message);
	schema_free(schema);
}

Test(schema_map, bad_values_are_refused_null_or_rescued)
{
	struct schema_spec spec = {.columns = numbers, .count = 1};
	cr_expect_str_eq(row_text(&spec, "n|t", "n|t", "x|y"), "n: not an integer");
	spec.bad_value = SCHEMA_BAD_VALUE_NULL;
	cr_expect_str_eq(row_text(&spec, "n|t", "n|t", "x|y"), "n=5 t=y");
	spec.bad_value = SCHEMA_BAD_VALUE_RESCUE;
	cr_expect_str_eq(row_text(&spec, "n|t", "n|t", "x\"|y"), "n=5 t=y _rescued={\"n\":\"x\\\"\"}");
	cr_expect_str_eq(row_text(&spec, "n|t", "n|t", "7|y"), "n=7 t=y");
}

Test(schema_map, surplus_columns_are_rescued_by_name_and_sorted)
{
	struct schema_spec spec = {.drift = SCHEMA_DRIFT_RESCUE};
	cr_expect_str_eq(row_text(&spec, "a|b", "Z z|b|y|a", "1|2||4"), "a=4 b=2 _rescued={\"z_z\":\"1\"}");
	cr_expect_str_eq(row_text(&spec, "a|b", "z|y|b|a", "1|2|3|4"),
	                 "a=4 b=3 _rescued={\"y\":\"2\",\"z\":\"1\"}");
	cr_expect_str_eq(row_text(&spec, "a|b", "z|a", "|4"), "a=4");
	cr_expect_str_eq(row_text(&spec, "a|b", "z|a", "\xff|4"), "_rescued: invalid UTF-8");
}

Test(schema_map, ragged_records_are_refused_padded_or_rescued)
{
	struct schema_spec spec = {.ragged = SCHEMA_RAGGED_PAD};
	cr_expect_str_eq(row_text(&spec, "a|b|c", "a|b|c", "1|2"), "a=1 b=2");
	cr_expect_str_eq(row_text(&spec, "a|b", "a|b", "1|2||"), "a=1 b=2");
	cr_expect_str_eq(row_text(&spec, "a|b", "a|b", "1|2||x"), "-: too many fields");
	spec.ragged = SCHEMA_RAGGED_RESCUE;
	cr_expect_str_eq(row_text(&spec, "a|b", "a|b", "1"), "a=1");
	cr_expect_str_eq(row_text(&spec, "a|b", "a|b", "1|2||x"), "a=1 b=2 _rescued={\"column_4\":\"x\"}");
}

Test(schema_map, only_declared_columns_are_looked_at)
{
	const struct schema_spec spec = {.columns = numbers, .count = 2, .only_declared = true};
	cr_expect_str_eq(row_text(&spec, "x|t|n", "x|t|n", "\xff|y|+1"), "n=1 t=y");
	struct schema *schema = schema_input_schema(&spec, "x|t");
	cr_expect_eq(schema->count, 2);
	cr_expect_str_eq(schema->columns[0].name, "n");
	schema_free(schema);
}

Test(schema_map, a_header_that_lacks_a_column_may_be_refused)
{
	const struct schema_spec spec = {.missing = SCHEMA_MISSING_REJECT, .ragged = SCHEMA_RAGGED_RESCUE};
	struct schema *schema = schema_input_schema(&spec, "a|b");
	struct slice fields[] = {SLICE("a"), SLICE("b")};
	struct schema_map map;
	struct error error = {0};
	cr_expect_eq(schema_map_header(&map, schema, &spec, fields, 1, &error), RESULT_INVALID);
	cr_expect_not_null(strstr(error.message, "'b'"));
	cr_expect_eq(schema_map_header(&map, schema, &spec, fields, 2, &error), RESULT_OK,
	             "_rescued is never missed");
	schema_map_free(&map);
	schema_free(schema);
}

Test(schema_map, a_header_that_shares_nothing_with_the_table_is_refused)
{
	const struct schema_spec spec = {.columns = numbers, .count = 2, .only_declared = true};
	struct schema *schema = schema_input_schema(&spec, "x|y");
	struct slice fields[] = {SLICE("x"), SLICE("y")};
	struct schema_map map;
	cr_expect_eq(schema_map_header(&map, schema, &spec, fields, 2, NULL), RESULT_INVALID);
	schema_free(schema);
}

Test(schema_map, a_frozen_schema_says_what_differs)
{
	const struct schema_spec spec = {.drift = SCHEMA_DRIFT_FREEZE};
	struct schema *schema = schema_input_schema(&spec, "a|b");
	struct line line = schema_input_line("a|c|d");
	struct error error = {0};
	size_t added;
	cr_expect_eq(schema_extend(schema, &spec, line.fields, line.count, &added, &error), RESULT_INVALID);
	cr_expect_not_null(strstr(error.message, "new 'c' 'd'; missing 'b'"), "%s", error.message);
	cr_expect_eq(schema->count, 2);
	schema_free(schema);
}

Test(schema_map, inferred_numbers_may_be_widened_unless_that_is_not_wanted)
{
	const struct schema_declared integer = {.source = "n", .has_type = true, .type.kind = TYPE_INTEGER};
	struct schema_spec spec = {.columns = &integer, .count = 1};
	struct schema *schema = schema_input_schema(&spec, "n");
	const struct schema_spec nothing = {0}, frozen = {.drift = SCHEMA_DRIFT_FREEZE};
	const struct {
		const struct schema_spec *spec;
		const char *field;
		bool is_widenable;
	} cases[] = {{&nothing, "7.5", true}, {&nothing, "99999999999999999999", true},
	             {&nothing, "x", false},  {&nothing, "1e5", false},
	             {&frozen, "7.5", false}, {&spec, "7.5", false}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct schema_map map = schema_input_map(schema, cases[i].spec, "n");
		struct slice field = slice_from_string(cases[i].field);
		struct buffer row = {0};
		struct schema_fault fault;
		cr_expect_eq(schema_input_row(&map, &field, 1, &row, &fault), RESULT_INVALID);
		cr_expect_eq(fault.is_widenable, cases[i].is_widenable, "%zu", i);
		buffer_free(&row);
		schema_map_free(&map);
	}
	schema_free(schema);
}

Test(schema_map, a_declaration_that_got_wider_widens_the_column)
{
	struct schema_declared text = {
	    .source = "t", .has_type = true, .type = {.kind = TYPE_TEXT, .length = 3}};
	const struct schema_spec spec = {.columns = &text, .count = 1};
	struct schema *schema = schema_input_schema(&spec, "t");
	cr_expect_eq(schema_input_extend(schema, &spec, "t"), 0);
	text.type.length = 5;
	cr_expect_eq(schema_input_extend(schema, &spec, "t"), 1);
	cr_expect_eq(schema->columns[0].type.length, 5);
	text.type.length = 2;
	cr_expect_eq(schema_input_extend(schema, &spec, "t"), 0);
	cr_expect_eq(schema->columns[0].type.length, 5);
	schema_free(schema);
}

Test(schema_map, the_columns_of_a_table_that_is_there_keep_names_and_types)
{
	struct schema_column columns[] = {
	    {.ordinal = 1, .name = "Card Type", .type.kind = TYPE_TEXT},
	    {.ordinal = 2, .name = "Date", .type.kind = TYPE_DATETIME},
	    {.ordinal = 3, .name = "elsewhere", .type.kind = TYPE_INTEGER},
	};
	const struct schema present = {.columns = columns, .count = 3};
	const struct schema_spec spec = {.present = &present};
	struct schema *schema = schema_input_schema(&spec, "card_type|Date|other");
	cr_assert_eq(schema->count, 3);
	cr_expect_str_eq(schema->columns[0].name, "Card Type");
	cr_expect_eq(schema->columns[1].type.kind, TYPE_DATETIME);
	cr_expect_str_eq(schema->columns[2].name, "other");
	struct schema_map map = schema_input_map(schema, &nothing_declared, "CARD TYPE|date");
	cr_expect_eq(map.column[0], 0);
	cr_expect_eq(map.column[1], 1);
	schema_map_free(&map);
	schema_free(schema);
}
