// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "schema/row.h"
#include "schema_input.h"

/*
 * Usual fields take a short way to their cell. Whatever the field is, the cell is the one that schema/type.h says.
 */

enum { LENGTH_MAX = 300, TRIES = 60000 };

static const char *const formats[] = {"%d/%m/%Y", "%d %b %y"};
static const struct schema_declared columns[] = {
    {.source = "text", .has_type = true, .type.kind = TYPE_TEXT},
    {.source = "nine", .has_type = true, .type = {.kind = TYPE_TEXT, .length = 9}},
    {.source = "default", .has_type = true, .type.kind = TYPE_TEXT, .fallback = "none"},
    {.source = "integer", .has_type = true, .type.kind = TYPE_INTEGER},
    {.source = "date", .has_type = true, .type.kind = TYPE_DATE},
    {.source = "day", .has_type = true, .type.kind = TYPE_DATE, .formats = {formats, COUNT(formats)}},
    {.source = "decimal", .has_type = true, .type = {.kind = TYPE_DECIMAL, .precision = 9, .scale = 2}},
};
static const char header[] = "text|nine|default|integer|date|day|decimal";
enum { COLUMNS = COUNT(columns) };

/* The row as it is written one cell after another. */
static bool expect_row(const struct schema_map *map, const struct slice *fields, struct buffer *row)
{
	for (size_t i = 0; i < map->cell_count; i++) {
		const struct schema_map_cell *cell = &map->cells[i];
		struct slice field = fields[cell->field];
		struct slice text = cell->fallback;
		struct type_value value;
		const char *reason;
		if (!type_reads_null(&cell->reading, field)) {
			if (!type_read(&value, &cell->reading, field, &reason))
				return false;
			text = value.text;
		}
		if (text.data != NULL)
			cr_assert_eq(row_append(row, cell->ordinal, text), RESULT_OK);
	}
	return true;
}

/* A value that is at most a little wrong, or any bytes. */
static struct slice random_field(unsigned *seed)
{
	static const char *const values[] = {"",
	                                     "NA",
	                                     "null",
	                                     "None",
	                                     "0",
	                                     "007",
	                                     "-5",
	                                     "12",
	                                     "123456789012345678",
	                                     "+7",
	                                     "1,234",
	                                     "1-Jan-15",
	                                     "29-feb-16",
	                                     "31/December/2014",
	                                     "2014-10-29",
	                                     "29/10/2014",
	                                     "Oct 29, 2014",
	                                     "9.50",
	                                     "Bengaluru",
	                                     "Delhi, India",
	                                     " blank ",
	                                     "gr\xc3\xbcn",
	                                     "12345678",
	                                     "1234567",
	                                     "Food",
	                                     "9223372036854775807",
	                                     "9223372036854775808",
	                                     "0.0",
	                                     "3 Mar 99",
	                                     "30-Feb-15",
	                                     "x"};
	static const char few[] = "0159-/ .,JanMy\xc3\xbc\x80\x7f";
	char bytes[LENGTH_MAX];
	const char *value = values[(size_t)rand_r(seed) % COUNT(values)];
	size_t length = strlen(value);
	memcpy(bytes, value, length);
	if (rand_r(seed) % 4 == 0) {
		length = (size_t)rand_r(seed) % (rand_r(seed) % 8 == 0 ? LENGTH_MAX : 20);
		for (size_t i = 0; i < length; i++)
			bytes[i] = few[(size_t)rand_r(seed) % (rand_r(seed) % 2 == 0 ? 4 : sizeof few)];
	} else if (length > 0 && rand_r(seed) % 4 == 0) {
		bytes[(size_t)rand_r(seed) % length] = few[(size_t)rand_r(seed) % sizeof few];
	}
	char *copy = malloc(length);
	memcpy(copy, bytes, length);
	return (struct slice){copy, length};
}

static void expect_same(const struct schema_map *map, const struct slice *fields, size_t *taken)
{
	struct buffer row = {0}, expected = {0};
	struct schema_fault fault;
	bool is_row = schema_input_row(map, fields, COLUMNS, &row, &fault) == RESULT_OK;
	bool is_expected = expect_row(map, fields, &expected);
	cr_assert_eq(is_row, is_expected, "%s: %s", fault.column, fault.reason);
	if (is_row)
		cr_assert(slice_equal((struct slice){row.data, row.length},
		                      (struct slice){expected.data, expected.length}));
	else
		cr_assert_eq(row.length, 0);
	*taken += is_row;
	buffer_free(&row);
	buffer_free(&expected);
}

/* One random field among fields that are taken, so that most rows are. */
static void check(struct schema_spec spec, const char *number)
{
	spec.columns = columns;
	spec.count = COLUMNS;
	struct schema *schema = schema_input_schema(&spec, header);
	struct schema_map map = schema_input_map(schema, &spec, header);
	unsigned seed = 1;
	size_t taken = 0;
	for (int i = 0; i < TRIES; i++) {
		struct slice fields[COLUMNS] = {SLICE("a"),
		                                SLICE("b"),
		                                SLICE("c"),
		                                SLICE("12"),
		                                SLICE("3-Mar-15"),
		                                SLICE("31/12/2014"),
		                                slice_from_string(number)};
		struct slice *field = &fields[(size_t)rand_r(&seed) % COLUMNS];
		*field = random_field(&seed);
		expect_same(&map, fields, &taken);
		free((void *)field->data);
	}
	cr_assert_gt(taken, TRIES / 4);
	cr_assert_lt(taken, TRIES);
	schema_map_free(&map);
	schema_free(schema);
}

Test(schema_map_row, fields_become_what_their_types_say)
{
	check((struct schema_spec){0}, "1.5");
}

Test(schema_map_row, also_where_blanks_are_trimmed)
{
	check((struct schema_spec){.trim = true}, "1.5");
}

Test(schema_map_row, also_where_null_tokens_are_others)
{
	static const char *const nulls[] = {"x", "0", "Food", "1-Jan-15"};
	check((struct schema_spec){.nulls = nulls, .null_count = COUNT(nulls), .has_nulls = true}, "1.5");
}

Test(schema_map_row, also_where_numbers_are_written_otherwise)
{
	check((struct schema_spec){.thousands = '.', .decimal = ','}, "1,5");
	check((struct schema_spec){.thousands = ','}, "1.5");
}

Test(schema_map_row, cells_beyond_a_byte_of_ordinal_or_length_are_written_alike)
{
	/* More columns than ordinals of one byte, each field longer than the one before. */
	enum { MANY = 200 };
	struct buffer names = {0};
	struct slice fields[MANY], heads[MANY];
	char bytes[MANY];
	memset(bytes, 'x', sizeof bytes);
	cr_assert_eq(buffer_reserve(&names, MANY * 8), RESULT_OK);
	for (size_t i = 0; i < MANY; i++) {
		size_t begin = names.length;
		cr_assert_eq(buffer_printf(&names, "c%zu", i), RESULT_OK);
		heads[i] = (struct slice){names.data + begin, names.length - begin};
		fields[i] = (struct slice){bytes, i};
	}
	struct schema *schema = schema_new();
	struct schema_map map;
	struct schema_fault fault;
	size_t added;
	struct buffer row = {0}, expected = {0};
	cr_assert_eq(schema_extend(schema, &nothing_declared, heads, MANY, &added, NULL), RESULT_OK);
	cr_assert_eq(schema_map_header(&map, schema, &nothing_declared, heads, MANY, NULL), RESULT_OK);
	cr_assert_eq(schema_input_row(&map, fields, MANY, &row, &fault), RESULT_OK);
	cr_assert(expect_row(&map, fields, &expected));
	cr_assert(slice_equal((struct slice){row.data, row.length},
	                      (struct slice){expected.data, expected.length}));
	buffer_free(&row);
	buffer_free(&expected);
	buffer_free(&names);
	schema_map_free(&map);
	schema_free(schema);
}
