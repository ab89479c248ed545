// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "schema/infer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct schema_spec nothing_declared = {0};

/* The type inferred for one column of these values; the list ends with NULL. */
static const char *inferred(const char *const values[])
{
	static char text[TYPE_TEXT_MAX];
	struct schema *schema = schema_new();
	struct slice header[] = {SLICE("a")};
	size_t added;
	struct schema_map map;
	cr_assert_eq(schema_extend(schema, &nothing_declared, header, 1, &added, NULL), RESULT_OK);
	cr_assert_eq(schema_map_header(&map, schema, &nothing_declared, header, 1, NULL), RESULT_OK);
	struct infer *infer = infer_new(schema, &nothing_declared, 0);
	cr_assert_not_null(infer);
	for (; *values != NULL; values++) {
		struct slice field = slice_from_string(*values);
		infer_record(infer, &map, &field, 1);
	}
	infer_finish(infer, schema);
	type_text(text, &schema->columns[0].type);
	infer_free(infer);
	schema_map_free(&map);
	schema_free(schema);
	return text;
}

#define INFERRED(...) inferred((const char *const[]){__VA_ARGS__, NULL})

Test(infer, plain_integers_are_integers)
{
	cr_expect_str_eq(INFERRED("0", "-7", "82475"), "integer");
	cr_expect_str_eq(INFERRED("9223372036854775807", "-9223372036854775808"), "integer");
}

Test(infer, integers_beyond_64_bits_are_decimals_and_beyond_38_digits_text)
{
	cr_expect_str_eq(INFERRED("1", "9223372036854775808"), "decimal(38,0)");
	cr_expect_str_eq(INFERRED("99999999999999999999999999999999999999"), "decimal(38,0)");
	cr_expect_str_eq(INFERRED("100000000000000000000000000000000000000"), "text");
}

Test(infer, decimals_have_the_longest_scale_seen)
{
	cr_expect_str_eq(INFERRED("7.50", "1.125", "3"), "decimal(38,3)");
	cr_expect_str_eq(INFERRED("3", "7.50"), "decimal(38,2)");
	cr_expect_str_eq(INFERRED("0.000000000000000000000000000001"), "decimal(38,30)");
	cr_expect_str_eq(INFERRED("0.0000000000000000000000000000001"), "text");
}

Test(infer, decimals_that_need_more_than_38_digits_together_are_text)
{
	cr_expect_str_eq(INFERRED("12345678", "0.000000000000000000000000000001"), "decimal(38,30)");
	cr_expect_str_eq(INFERRED("123456789", "0.000000000000000000000000000001"), "text");
	cr_expect_str_eq(INFERRED("0.000000000000000000000000000001", "123456789"), "text");
}

Test(infer, numbers_that_would_not_read_back_are_text)
{
	static const char *const values[] = {"-0",   "-0.0", "007", "+7", "1,000", "1e5",      ".5", "7.",
	                                     "0x10", "$5",   "5%",  "--", "-",     "Infinity", " 7", "7 "};
	for (size_t i = 0; i < COUNT(values); i++) {
		cr_expect_str_eq(INFERRED(values[i]), "text", "%s", values[i]);
		cr_expect_str_eq(INFERRED("5", values[i]), "text", "%s", values[i]);
		cr_expect_str_eq(INFERRED(values[i], "5"), "text", "%s", values[i]);
	}
}

Test(infer, dates_are_iso_or_have_a_month_name)
{
	cr_expect_str_eq(INFERRED("2015-05-05", "29-Oct-14"), "date");
	cr_expect_str_eq(INFERRED("January 7, 2018", "August 1, 2018"), "date");
	cr_expect_str_eq(INFERRED("03/04/2015"), "text");
	cr_expect_str_eq(INFERRED("2015-5-5"), "text");
	cr_expect_str_eq(INFERRED("20150505"), "integer");
	cr_expect_str_eq(INFERRED("2015-05-05", "2015-02-30"), "text");
}

Test(infer, datetimes_are_iso_without_a_zone)
{
	cr_expect_str_eq(INFERRED("2015-05-05 10:11", "2015-05-05T10:11:12.5"), "datetime");
	cr_expect_str_eq(INFERRED("2015-05-05T10:11:12Z"), "text");
	cr_expect_str_eq(INFERRED("2015-05-05 10:11:12.1234567"), "text");
}

Test(infer, mixed_kinds_are_text)
{
	cr_expect_str_eq(INFERRED("2015-05-05", "2015-05-05 10:11"), "text");
	cr_expect_str_eq(INFERRED("2015-05-05 10:11", "2015-05-05"), "text");
	cr_expect_str_eq(INFERRED("2015", "2015-05-05"), "text");
	cr_expect_str_eq(INFERRED("2015-05-05", "2015"), "text");
	cr_expect_str_eq(INFERRED("5", "five"), "text");
	cr_expect_str_eq(INFERRED("five", "5"), "text");
}

Test(infer, missing_values_do_not_decide)
{
	cr_expect_str_eq(INFERRED("NA", "5", ""), "integer");
	cr_expect_str_eq(INFERRED("", "NaN", "null", "2015-05-05", "NULL"), "date");
	cr_expect_str_eq(INFERRED("NA"), "text");
	cr_expect_str_eq(INFERRED("", ""), "text");
	cr_expect_str_eq(INFERRED("na", "5"), "text");
	cr_expect_str_eq(inferred((const char *const[]){NULL}), "text");
}

Test(infer, inferred_type_takes_every_value_it_was_inferred_from)
{
	static const char *const columns[][4] = {
	    {"7.50", "-123.125", "0", "99999999999999999999999"},
	    {"12345678", "0.000000000000000000000000000001", "-1.0", "0.10"},
	    {"9223372036854775808", "0", "-5", "99999999999999999999999999999999999999"},
	    {"9223372036854775807", "0", "-5", "1"},
	    {"5-May-15", "2015-05-05", "May 5, 2015", "05/May/2015"},
	    {"2015-05-05 10:11", "2015-05-05T10:11", "2015-05-05 10:11:00.000", "2015-05-05 00:00"},
	};
	const struct type_formats none = {0};
	for (size_t i = 0; i < COUNT(columns); i++) {
		struct type type;
		const char *name = INFERRED(columns[i][0], columns[i][1], columns[i][2], columns[i][3]);
		cr_assert_eq(type_parse(&type, name, NULL), RESULT_OK);
		cr_expect_neq(type.kind, TYPE_TEXT, "%zu", i);
		for (size_t j = 0; j < 4; j++) {
			struct type_value value;
			const char *reason;
			cr_expect(
			    type_canonical(&value, &type, &none, slice_from_string(columns[i][j]), &reason),
			    "%s", columns[i][j]);
		}
	}
}

struct table {
	struct schema *schema;
	struct schema_map map;
};

static struct table table_of(const struct schema_spec *spec, struct slice *header, size_t count)
{
	struct table table = {.schema = schema_new()};
	size_t added;
	cr_assert_eq(schema_extend(table.schema, spec, header, count, &added, NULL), RESULT_OK);
	cr_assert_eq(schema_map_header(&table.map, table.schema, spec, header, count, NULL), RESULT_OK);
	return table;
}

static void table_free(struct table *table)
{
	schema_map_free(&table->map);
	schema_free(table->schema);
}

Test(infer, declared_types_and_older_columns_are_left_alone)
{
	const struct schema_declared declared[] = {
	    {.source = "B", .name = "bee", .has_type = true, .type.kind = TYPE_TEXT},
	    {.source = "C"},
	};
	const struct schema_spec spec = {.columns = declared, .count = COUNT(declared)};
	struct slice header[] = {SLICE("a"), SLICE("B"), SLICE("C"), SLICE("d")};
	struct table table = table_of(&spec, header, 4);
	struct infer *infer = infer_new(table.schema, &spec, 1);
	struct slice record[] = {SLICE("1"), SLICE("2"), SLICE("3"), SLICE("4.5")};
	infer_record(infer, &table.map, record, 4);
	infer_finish(infer, table.schema);
	cr_expect_eq(table.schema->columns[0].type.kind, TYPE_TEXT);
	cr_expect_eq(table.schema->columns[1].type.kind, TYPE_TEXT);
	cr_expect_eq(table.schema->columns[2].type.kind, TYPE_INTEGER);
	cr_expect_eq(table.schema->columns[3].type.kind, TYPE_DECIMAL);
	infer_free(infer);
	table_free(&table);
}

Test(infer, records_of_another_field_count_are_passed_over)
{
	struct slice header[] = {SLICE("a"), SLICE("b")};
	struct table table = table_of(&nothing_declared, header, 2);
	struct infer *infer = infer_new(table.schema, &nothing_declared, 0);
	struct slice good[] = {SLICE("1"), SLICE("2")};
	struct slice ragged[] = {SLICE("x"), SLICE("y"), SLICE("z")};
	infer_record(infer, &table.map, good, 2);
	infer_record(infer, &table.map, ragged, 3);
	infer_record(infer, &table.map, ragged, 1);
	infer_record(infer, &table.map, NULL, 0);
	infer_finish(infer, table.schema);
	cr_expect_eq(table.schema->columns[0].type.kind, TYPE_INTEGER);
	cr_expect_eq(table.schema->columns[1].type.kind, TYPE_INTEGER);
	infer_free(infer);
	table_free(&table);
}

Test(infer, columns_are_judged_independently_of_each_other)
{
	static const char *const rows[][4] = {
	    {"x", "1", "2015-05-05", "1"},
	    {"1", "2", "2015-05-06", "y"},
	    {"2", "3.5", "May 7, 2015", "3"},
	};
	struct slice header[] = {SLICE("a"), SLICE("b"), SLICE("c"), SLICE("d")};
	struct table table = table_of(&nothing_declared, header, 4);
	struct infer *infer = infer_new(table.schema, &nothing_declared, 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice record[4];
		for (size_t j = 0; j < 4; j++)
			record[j] = slice_from_string(rows[i][j]);
		infer_record(infer, &table.map, record, 4);
	}
	infer_finish(infer, table.schema);
	cr_expect_eq(table.schema->columns[0].type.kind, TYPE_TEXT);
	cr_expect_eq(table.schema->columns[1].type.kind, TYPE_DECIMAL);
	cr_expect_eq(table.schema->columns[2].type.kind, TYPE_DATE);
	cr_expect_eq(table.schema->columns[3].type.kind, TYPE_TEXT);
	infer_free(infer);
	table_free(&table);
}
