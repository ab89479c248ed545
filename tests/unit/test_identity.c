// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/identity.h"
#include "schema/schema.h"
#include "schema_input.h"

static const struct schema_declared typed_columns[] = {
    {.source = "id", .has_type = true, .type = {.kind = TYPE_INTEGER}},
    {.source = "price", .has_type = true, .type = {.kind = TYPE_DECIMAL, .scale = 4}},
    {.source = "day", .has_type = true, .type = {.kind = TYPE_DATE}},
    {.source = "time", .has_type = true, .type = {.kind = TYPE_DATETIME}},
    {.source = "city", .has_type = true, .type = {.kind = TYPE_TEXT, .length = 100}},
    {.source = "note"},
};
static const struct schema_spec typed = {.columns = typed_columns, .count = COUNT(typed_columns)};

static struct row_digest digest_of(const struct schema_map *map, const struct slice *fields)
{
	static const uint8_t key[ROW_KEY_SIZE] = {7};
	struct buffer row = {0};
	struct schema_fault fault = {0};
	cr_assert_eq(schema_input_row(map, fields, map->field_count, &row, &fault), RESULT_OK, "%s %s",
	             fault.column, fault.reason);
	struct row_digest digest = row_digest((struct slice){row.data, row.length}, key);
	buffer_free(&row);
	return digest;
}

static bool same_digest(struct row_digest a, struct row_digest b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

enum { CELLS = 6, CELL_MAX = 64 };

/* Values of a row of the typed columns; a writing of it is any text of each that means the same. */
struct values {
	long id;
	long price; /* in hundredths */
	int year, month, day, second, fraction;
	unsigned city;
	bool is_null[CELLS];
};

static unsigned seed;

static int below(int limit)
{
	return rand_r(&seed) % limit;
}

static struct values random_values(void)
{
	struct values values = {
	    .id = below(2000) - 1000,
	    .price = below(200000) - 100000,
	    .year = 1969 + below(100),
	    .month = below(12),
	    .day = 1 + below(28),
	    .second = below(60),
	    .fraction = below(1000),
	    .city = (unsigned)below(1000),
	};
	for (size_t i = 0; i < CELLS; i++)
		values.is_null[i] = below(5) == 0;
	return values;
}

static void write_date(char *text, const struct values *values)
{
	static const char *const months[] = {"January",   "February", "March",    "April",
	                                     "May",       "June",     "July",     "August",
	                                     "September", "October",  "November", "December"};
	const char *month = months[values->month];
	switch (below(5)) {
	case 0:
		sprintf(text, "%d-%02d-%02d", values->year, values->month + 1, values->day);
		break;
	case 1:
		sprintf(text, "%d-%.3s-%02d", values->day, month, values->year % 100);
		break;
	case 2:
		sprintf(text, "%02d %s %d", values->day, month, values->year);
		break;
	case 3:
		sprintf(text, "%s %d, %d", month, values->day, values->year);
		break;
	default:
		sprintf(text, "%d/%.3s/%d", values->day, month, values->year);
	}
}

static void write_price(char *text, const struct values *values)
{
	long size = labs(values->price);
	int length = sprintf(text, "%s%ld.%02ld", values->price < 0 ? "-" : "", size / 100, size % 100);
	switch (below(3)) {
	case 0:
		strcpy(text + length, "000000");
		break;
	case 1:
		while (text[length - 1] == '0')
			text[--length] = '\0';
		if (text[length - 1] == '.')
			text[length - 1] = '\0';
		break;
	default:
		break;
	}
}

static void write_values(char text[CELLS][CELL_MAX], const struct values *values)
{
	static const char *const nulls[] = {"", "NA", "N/A", "NULL", "NaN", "null", "None"};
	sprintf(text[0], "%ld", values->id);
	write_price(text[1], values);
	write_date(text[2], values);
	sprintf(text[3], "%d-%02d-%02d%c10:00:%02d.%03d%s", values->year, values->month + 1, values->day,
	        " T"[below(2)], values -> second, values -> fraction, below(2) > 0 ? "00" : "");
	sprintf(text[4], "city %u \xe2\x82\xac", values->city);
	sprintf(text[5], "%u", values->city);
	for (size_t i = 0; i < CELLS; i++)
		if (values->is_null[i])
			strcpy(text[i], i < 4 ? nulls[below(COUNT(nulls))] : "");
}

static struct row_digest digest_of_writing(const struct schema_map *map, const struct values *values)
{
	char text[CELLS][CELL_MAX];
	write_values(text, values);
	struct slice fields[CELLS];
	for (size_t i = 0; i < CELLS;
	     i++) /* the typed columns were declared in the order of their ordinals */
		fields[map->cells[i].field] = slice_from_string(text[i]);
	return digest_of(map, fields);
}

Test(identity, digest_does_not_depend_on_how_a_row_is_written)
{
	struct schema *schema = schema_input_schema(&typed, "id|price|day|time|city|note");
	struct schema_map maps[] = {
	    schema_input_map(schema, &typed, "id|price|day|time|city|note"),
	    schema_input_map(schema, &typed, "note|city|time|day|price|id"),
	    schema_input_map(schema, &typed, "Price|Note|ID|City|Time|Day"),
	};
	seed = 1;
	for (int i = 0; i < 20000; i++) {
		struct values values = random_values();
		struct row_digest digest = digest_of_writing(&maps[0], &values);
		for (size_t j = 0; j < COUNT(maps); j++)
			cr_assert(same_digest(digest, digest_of_writing(&maps[j], &values)), "row %d", i);
	}
	for (size_t j = 0; j < COUNT(maps); j++)
		schema_map_free(&maps[j]);
	schema_free(schema);
}

static void change_one(struct values *values)
{
	size_t cell = (size_t)below(CELLS + 1);
	if (cell == CELLS || values->is_null[cell]) {
		cell %= CELLS;
		values->is_null[cell] = !values->is_null[cell];
		return;
	}
	switch (cell) {
	case 0:
		values->id = -values->id - 1;
		break;
	case 1:
		values->price++;
		break;
	case 2:
	case 3:
		values->day = values->day % 28 + 1;
		break;
	default:
		values->city++;
	}
}

Test(identity, digest_changes_with_every_value)
{
	struct schema *schema = schema_input_schema(&typed, "id|price|day|time|city|note");
	struct schema_map map = schema_input_map(schema, &typed, "id|price|day|time|city|note");
	seed = 2;
	for (int i = 0; i < 20000; i++) {
		struct values values = random_values();
		struct row_digest digest = digest_of_writing(&map, &values);
		change_one(&values);
		cr_assert_not(same_digest(digest, digest_of_writing(&map, &values)), "row %d", i);
	}
	schema_map_free(&map);
	schema_free(schema);
}

Test(identity, value_in_another_column_is_another_row)
{
	struct schema *schema = schema_input_schema(&nothing_declared, "a|b|c");
	struct schema_map map = schema_input_map(schema, &nothing_declared, "a|b|c");
	struct line first = schema_input_line("x||"), second = schema_input_line("|x|"),
		    joined = schema_input_line("xy||"), apart = schema_input_line("x|y|");
	cr_expect_not(same_digest(digest_of(&map, first.fields), digest_of(&map, second.fields)));
	cr_expect_not(same_digest(digest_of(&map, joined.fields), digest_of(&map, apart.fields)));
	schema_map_free(&map);
	schema_free(schema);
}

Test(identity, added_column_that_is_empty_leaves_a_row_the_same)
{
	struct schema *schema = schema_input_schema(&nothing_declared, "a|b");
	struct schema_map before = schema_input_map(schema, &nothing_declared, "a|b");
	schema_input_extend(schema, &nothing_declared, "a|new|b");
	struct schema_map after = schema_input_map(schema, &nothing_declared, "a|new|b");
	struct line old = schema_input_line("1|2"), empty = schema_input_line("1||2"),
		    filled = schema_input_line("1|x|2");
	struct row_digest digest = digest_of(&before, old.fields);
	cr_expect(same_digest(digest, digest_of(&after, empty.fields)));
	cr_expect_not(same_digest(digest, digest_of(&after, filled.fields)));
	schema_map_free(&before);
	schema_map_free(&after);
	schema_free(schema);
}

static const char *const key_names[] = {"City", "id"};
static const char *const ignored_names[] = {"note"};
static const struct schema_spec keyed = {.columns = typed_columns,
                                         .count = COUNT(typed_columns),
                                         .key = key_names,
                                         .key_count = COUNT(key_names),
                                         .ignored = ignored_names,
                                         .ignored_count = COUNT(ignored_names)};

static enum result digests_of(const struct schema *schema, const char *text, struct identity_digests *digests,
                              const char **column)
{
	static const uint8_t row_key[ROW_KEY_SIZE] = {7};
	struct schema_map map = schema_input_map(schema, &keyed, "id|price|day|time|city|note");
	struct line line = schema_input_line(text);
	struct buffer row = {0};
	struct schema_fault fault = {0};
	cr_assert_eq(schema_input_row(&map, line.fields, map.field_count, &row, &fault), RESULT_OK);
	struct identity identity = identity_of(schema);
	enum result result =
	    identity_digest(&identity, (struct slice){row.data, row.length}, row_key, digests, column);
	identity_close(&identity);
	buffer_free(&row);
	schema_map_free(&map);
	return result;
}

Test(identity, key_and_row_have_digests_of_their_own_columns)
{
	struct schema *schema = schema_input_schema(&keyed, "id|price|day|time|city|note");
	identity_mark(schema, &keyed);
	const char *column = NULL;
	struct identity_digests one, other;
	cr_assert_eq(digests_of(schema, "1|2.50|||Oslo|x", &one, &column), RESULT_OK);

	cr_assert_eq(digests_of(schema, "1|2.5|||Oslo|another note", &other, &column), RESULT_OK);
	cr_expect(same_digest(one.key, other.key) && same_digest(one.row, other.row),
	          "a column outside the identity counts");
	cr_assert_eq(digests_of(schema, "1|3|||Oslo|x", &other, &column), RESULT_OK);
	cr_expect(same_digest(one.key, other.key) && !same_digest(one.row, other.row),
	          "a value beside the key");
	cr_assert_eq(digests_of(schema, "1|2.50|||Oslo |x", &other, &column), RESULT_OK);
	cr_expect(!same_digest(one.key, other.key), "keys differ in a trailing blank");
	cr_assert_eq(digests_of(schema, "1|2.50||||x", &other, &column), RESULT_INVALID);
	cr_expect_str_eq(column, "city");
	schema_free(schema);
}

Test(identity, texts_of_a_key_get_a_length_that_an_index_holds)
{
	const char *const names[] = {"a", "b", "c", "d"};
	for (size_t count = 1; count <= COUNT(names); count++) {
		const struct schema_spec spec = {.key = names, .key_count = count};
		struct schema *schema = schema_input_schema(&spec, "a|b|c|d|e");
		identity_mark(schema, &spec);
		size_t characters = 0;
		for (size_t i = 0; i < count; i++)
			characters += schema->columns[i].type.length;
		cr_expect(characters >= count && characters <= 768, "%zu columns, %zu characters", count,
		          characters);
		cr_expect_eq(schema->columns[4].type.length, 0);
		schema_free(schema);
	}
}

Test(identity, fingerprint_tells_changes_from_mere_edits)
{
	static const char *const turned[] = {"id", "city"}, *const one[] = {"id"},
				 *const two[] = {"id", "note"};
	struct id fingerprint = identity_fingerprint(&keyed);
	struct schema_spec spec = keyed;
	spec.key = turned;
	cr_expect(id_equal(fingerprint, identity_fingerprint(&spec)), "the order of the key");
	spec.key = one;
	spec.key_count = 1;
	cr_expect_not(id_equal(fingerprint, identity_fingerprint(&spec)), "another key");
	spec = keyed;
	spec.ignored_count = 0;
	cr_expect_not(id_equal(fingerprint, identity_fingerprint(&spec)), "a column compared again");
	spec.ignored = two;
	spec.ignored_count = 2;
	spec.key_count = 1;
	cr_expect_not(id_equal(fingerprint, identity_fingerprint(&spec)), "the columns change places");
	cr_expect_not(
	    id_equal(identity_fingerprint(&typed),
	             identity_fingerprint(&(struct schema_spec){
			 .columns = typed_columns, .count = COUNT(typed_columns), .keeps_duplicates = true})),
	    "a bag");
}

Test(identity, accepts_what_lets_more_through_and_refuses_what_changes_stored_rows)
{
	enum {
		REJECT = SCHEMA_BAD_VALUE_REJECT,
		NONE = SCHEMA_BAD_VALUE_NULL,
		RESCUE = SCHEMA_BAD_VALUE_RESCUE
	};
	static const struct {
		int before, after;
		bool accepts;
	} values[] = {{REJECT, NONE, true},   {REJECT, RESCUE, true}, {NONE, REJECT, true},
	              {RESCUE, REJECT, true}, {NONE, RESCUE, false},  {RESCUE, NONE, false}};
	for (size_t i = 0; i < COUNT(values); i++) {
		struct schema_spec before = {.bad_value = (enum schema_bad_value)values[i].before};
		struct schema_spec after = {.bad_value = (enum schema_bad_value)values[i].after};
		cr_expect_eq(identity_accepts(&after, identity_fingerprint(&before)), values[i].accepts,
		             "%zu", i);
	}
	const struct schema_spec add = {0}, rescue = {.drift = SCHEMA_DRIFT_RESCUE}, trim = {.trim = true};
	cr_expect(identity_accepts(&rescue, identity_fingerprint(&add)));
	cr_expect_not(identity_accepts(&add, identity_fingerprint(&rescue)));
	cr_expect_not(identity_accepts(&add, identity_fingerprint(&trim)));
	cr_expect_not(identity_accepts(&trim, identity_fingerprint(&add)));
}
