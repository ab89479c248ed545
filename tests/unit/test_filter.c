// SPDX-License-Identifier: Apache-2.0
#include "schema/filter.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/row.h"
#include "schema_input.h"

/* Columns a to f: integer, decimal, text, date, real, boolean. */
static const struct schema_declared declared[] = {
    {.source = "a", .has_type = true, .type.kind = TYPE_INTEGER},
    {.source = "b", .has_type = true, .type = {.kind = TYPE_DECIMAL, .precision = 38, .scale = 4}},
    {.source = "Some Text", .name = "c"},
    {.source = "d", .has_type = true, .type.kind = TYPE_DATE},
    {.source = "e", .has_type = true, .type.kind = TYPE_REAL},
    {.source = "f", .has_type = true, .type.kind = TYPE_BOOLEAN},
};
static const char header[] = "a|b|Some Text|d|e|f";

static struct schema_spec spec_of(const char *const *where, size_t count)
{
	return (struct schema_spec){
	    .columns = declared, .count = COUNT(declared), .where = where, .where_count = count};
}

static bool holds(const char *where, const char *record)
{
	struct schema_spec spec = spec_of(&where, 1);
	struct schema *schema = schema_input_schema(&spec, header);
	struct schema_map map = schema_input_map(schema, &spec, header);
	struct line line = schema_input_line(record);
	struct buffer row = {0};
	struct schema_fault fault;
	cr_assert_eq(schema_input_row(&map, line.fields, line.count, &row, &fault), RESULT_OK);
	bool result = schema_map_holds(&map, (struct slice){row.data, row.length});
	buffer_free(&row);
	schema_map_free(&map);
	schema_free(schema);
	return result;
}

#define RECORD "-7|12.50|O'Brien|5-May-15|1e3|yes"

Test(filter, compares_as_the_column_does)
{
	static const struct {
		const char *where;
		bool holds;
	} cases[] = {
	    {"a = -7", true},
	    {"a < -6", true},
	    {"a > -70", true},
	    {"a > 5", false},
	    {"a <= '-7'", true},
	    {"a >= 0", false},
	    {"b = 12.5", true},
	    {"b > 12.4999", true},
	    {"b < 100", true},
	    {"b > 9", true},
	    {"b <> 12.5", false},
	    {"b != 12.51", true},
	    {"c = 'O''Brien'", true},
	    {"c = O", false},
	    {"c < 'P'", true},
	    {"d = 2015-05-05", true},
	    {"d > '29-Oct-14'", true},
	    {"d<2015-05-06", true},
	    {"e = 1000", true},
	    {"e > 999.5", true},
	    {"e < 2e3", true},
	    {"f = true", true},
	    {"f != on", false},
	    {"a in (1, -7)", true},
	    {"a IN(1)", false},
	    {"a not in (1, 2)", true},
	    {"c is null", false},
	    {"c is not null", true},
	    {"C = 'O''Brien'", true},
	    {"`c` in ('x')", false},
	    {"\"Some Text\" is NOT null", true},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect_eq(holds(cases[i].where, RECORD), cases[i].holds, "%s", cases[i].where);
}

Test(filter, nothing_is_true_of_a_missing_value_but_that_it_is)
{
	static const char *const wheres[] = {"a = 0",    "a != 0",       "a < 1",
	                                     "a in (0)", "a not in (0)", "a is not null"};
	for (size_t i = 0; i < COUNT(wheres); i++)
		cr_expect_not(holds(wheres[i], "||x|||"), "%s", wheres[i]);
	cr_expect(holds("a is null", "||x|||"));
}

Test(filter, all_must_hold)
{
	const char *const where[] = {"a < 0", "b > 100"};
	struct schema_spec spec = spec_of(where, 2);
	struct schema *schema = schema_input_schema(&spec, header);
	struct schema_map map = schema_input_map(schema, &spec, header);
	const struct slice both = SLICE("\1\2-1\2\003101"), one = SLICE("\1\2-1\2\00299");
	cr_expect(schema_map_holds(&map, both));
	cr_expect_not(schema_map_holds(&map, one));
	schema_map_free(&map);
	schema_free(schema);
}

Test(filter, what_is_none_is_refused_at_once)
{
	static const char *const texts[] = {
	    "",     "a",      "a =",    "= 1",     "a = 1 2", "a in 1", "a in ()",         "a in (1",
	    "a is", "a is 1", "a = 'x", "\"a = 1", "a not 1", "a == 1", "a = 1 and b = 2", "a like 'x'"};
	for (size_t i = 0; i < COUNT(texts); i++)
		cr_expect_eq(filter_check(texts[i], NULL), RESULT_CONFIG, "%s", texts[i]);
	cr_expect_eq(filter_check("a in ('(', ')')", NULL), RESULT_OK);
}

Test(filter, what_fits_no_column_is_said)
{
	static const struct {
		const char *where, *said;
	} cases[] = {{"x = 1", "no column 'x'"},
	             {"a = many", "'many' is not an integer"},
	             {"d = 3/4/15", "not a date"}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct schema_spec spec = spec_of(&cases[i].where, 1);
		struct schema *schema = schema_input_schema(&spec, header);
		struct line line = schema_input_line(header);
		struct schema_map map;
		struct error error = {0};
		cr_expect_eq(schema_map_header(&map, schema, &spec, line.fields, line.count, &error),
		             RESULT_CONFIG);
		cr_expect_not_null(strstr(error.message, cases[i].said), "%s", error.message);
		schema_free(schema);
	}
}
