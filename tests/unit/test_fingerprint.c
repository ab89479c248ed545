// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "schema_input.h"

/* Which edits of the configuration are another identity, and which are not. */

static bool same_fingerprint(const struct schema_declared *a, size_t a_count, const struct schema_declared *b,
                             size_t b_count)
{
	return id_equal(schema_fingerprint(&(struct schema_spec){.columns = a, .count = a_count}),
	                schema_fingerprint(&(struct schema_spec){.columns = b, .count = b_count}));
}

Test(fingerprint, fingerprint_does_not_depend_on_the_order_of_declarations)
{
	const struct schema_declared columns[] = {{.source = "a", .name = "x"},
	                                          {.source = "b", .fallback = ""},
	                                          {.source = "c", .zone_name = "UTC"}};
	const struct schema_declared reversed[] = {columns[2], columns[1], columns[0]};
	cr_expect(same_fingerprint(columns, COUNT(columns), reversed, COUNT(reversed)));
}

Test(fingerprint, fingerprint_depends_on_names_defaults_and_zones)
{
	const struct schema_declared variants[][2] = {
	    {{.source = "a"}, {.source = "b"}},
	    {{.source = "a", .name = "x"}, {.source = "b"}},
	    {{.source = "a", .name = "y"}, {.source = "b"}},
	    {{.source = "a", .fallback = ""}, {.source = "b"}},
	    {{.source = "a"}, {.source = "b", .fallback = ""}},
	    {{.source = "a", .fallback = "x"}, {.source = "b"}},
	    {{.source = "a", .zone_name = "UTC"}, {.source = "b"}},
	    {{.source = "a", .zone_name = "Asia/Kolkata"}, {.source = "b"}},
	};
	for (size_t i = 0; i < COUNT(variants); i++)
		for (size_t j = 0; j < COUNT(variants); j++)
			cr_expect_eq(same_fingerprint(variants[i], 2, variants[j], 2), i == j, "%zu %zu", i,
			             j);
}

/* The column of a schema that was frozen under the first declaration, judged by the second. */
static bool disagree(struct schema_declared first, struct schema_declared second)
{
	const struct schema_spec before = {.columns = &first, .count = 1},
				 after = {.columns = &second, .count = 1};
	struct schema *schema = schema_input_schema(&before, "a|b");
	const char *column = schema_disagreement(schema, &after);
	bool is_said = column != NULL;
	cr_expect(!is_said || strcmp(column, "a") == 0);
	schema_free(schema);
	return is_said;
}

Test(fingerprint, a_declaration_that_makes_other_values_disagrees)
{
	const char *one[] = {"%d-%b-%y"}, *other[] = {"%b-%d-%y"}, *two[] = {"%d-%b-%y", "%F"};
	const struct schema_declared none = {.source = "a"},
				     text = {.source = "a", .has_type = true, .type.kind = TYPE_TEXT},
				     narrow = {.source = "a",
	                                       .has_type = true,
	                                       .type = {.kind = TYPE_TEXT, .length = 5}},
				     integer = {.source = "a", .has_type = true, .type.kind = TYPE_INTEGER},
				     decimal = {.source = "a",
	                                        .has_type = true,
	                                        .type = {.kind = TYPE_DECIMAL, .scale = 2}},
				     real = {.source = "a", .has_type = true, .type.kind = TYPE_REAL},
				     date = {.source = "a", .has_type = true, .type.kind = TYPE_DATE};
	struct schema_declared formatted = date, turned = date, longer = date;
	formatted.formats = (struct type_formats){one, 1};
	turned.formats = (struct type_formats){other, 1};
	longer.formats = (struct type_formats){two, 2};
	cr_expect_not(disagree(none, text));
	cr_expect_not(disagree(text, none));
	cr_expect_not(disagree(narrow, text));
	cr_expect_not(disagree(integer, decimal));
	cr_expect_not(disagree(formatted, longer));
	cr_expect_not(disagree(formatted, none));
	cr_expect(disagree(none, integer));
	cr_expect(disagree(integer, text));
	cr_expect(disagree(decimal, real));
	cr_expect(disagree(date, formatted));
	cr_expect(disagree(formatted, date));
	cr_expect(disagree(formatted, turned));
	cr_expect(disagree(longer, formatted));
}

Test(fingerprint, further_formats_are_frozen_behind_the_others)
{
	const char *formats[] = {"%d-%b-%y", "%F"};
	struct schema_declared date = {
	    .source = "a", .has_type = true, .type.kind = TYPE_DATE, .formats = {formats, 1}};
	const struct schema_spec spec = {.columns = &date, .count = 1};
	struct schema *schema = schema_input_schema(&spec, "a");
	date.formats.count = 2;
	cr_expect_eq(schema_input_extend(schema, &spec, "a"), 1);
	cr_assert_eq(schema->columns[0].format_count, 2);
	cr_expect_str_eq(schema->columns[0].formats[1], "%F");
	cr_expect_eq(schema_input_extend(schema, &spec, "a"), 0);
	schema_free(schema);
}

Test(fingerprint, fingerprint_does_not_depend_on_what_changes_no_value)
{
	const char *other_name = "alpha";
	const struct schema_declared none[] = {{.source = "a"}};
	const struct schema_declared alias[] = {{.source = "a", .aliases = &other_name, .alias_count = 1},
	                                        {.source = "b"}};
	cr_expect(same_fingerprint(none, 0, none, 1));
	cr_expect(same_fingerprint(none, 1, alias, 2));
	const struct schema_declared narrow[] = {
	    {.source = "a", .has_type = true, .type = {.kind = TYPE_TEXT, .length = 5}},
	    {.source = "b", .has_type = true, .type.kind = TYPE_INTEGER}};
	const struct schema_declared wide[] = {
	    {.source = "a", .has_type = true, .type.kind = TYPE_TEXT},
	    {.source = "b", .has_type = true, .type = {.kind = TYPE_DECIMAL, .precision = 20, .scale = 2}}};
	cr_expect(same_fingerprint(narrow, 2, wide, 2));
}

Test(fingerprint, fingerprint_depends_on_what_is_said_of_all_columns)
{
	const char *tokens[] = {"-", "NA"};
	const struct schema_spec specs[] = {
	    {0},
	    {.only_declared = true},
	    {.trim = true},
	    {.thousands = ','},
	    {.decimal = ','},
	    {.has_nulls = true},
	    {.has_nulls = true, .nulls = tokens, .null_count = 1},
	    {.has_nulls = true, .nulls = tokens, .null_count = 2},
	    {.drift = SCHEMA_DRIFT_RESCUE},
	    {.bad_value = SCHEMA_BAD_VALUE_RESCUE},
	    {.bad_value = SCHEMA_BAD_VALUE_NULL},
	};
	for (size_t i = 0; i < COUNT(specs); i++)
		for (size_t j = 0; j < COUNT(specs); j++)
			cr_expect_eq(id_equal(schema_fingerprint(&specs[i]), schema_fingerprint(&specs[j])),
			             i == j, "%zu %zu", i, j);
	const struct schema_spec harmless = {.drift = SCHEMA_DRIFT_FREEZE,
	                                     .missing = SCHEMA_MISSING_REJECT,
	                                     .ragged = SCHEMA_RAGGED_RESCUE,
	                                     .decimal = '.'};
	cr_expect(id_equal(schema_fingerprint(&specs[0]), schema_fingerprint(&harmless)));
}

Test(fingerprint, fingerprint_of_no_declaration_is_the_same_for_ever)
{
	char text[ID_TEXT_MAX];
	id_text(text, schema_fingerprint(&nothing_declared));
	cr_expect_str_eq(text, "dd64a85d1a3c6a0494940bcadb3dd45f");
}
