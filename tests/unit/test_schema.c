// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/row.h"
#include "schema/schema.h"
#include "schema_input.h"

/* "name:ordinal:type ..." */
static const char *columns_text(const struct schema *schema)
{
	static char text[4096];
	char *at = text;
	*at = '\0';
	for (size_t i = 0; i < schema->count; i++) {
		char type[TYPE_TEXT_MAX];
		type_text(type, &schema->columns[i].type);
		at += sprintf(at, "%s%s:%u:%s", i > 0 ? " " : "", schema->columns[i].name,
		              schema->columns[i].ordinal, type);
	}
	return text;
}

static void expect_columns(const struct schema_spec *spec, const char *header, const char *expected)
{
	struct schema *schema = schema_input_schema(spec, header);
	cr_expect_str_eq(columns_text(schema), expected, "%s: %s", header, columns_text(schema));
	schema_free(schema);
}

static struct type type_of(const char *text)
{
	struct type type;
	cr_assert_eq(type_parse(&type, text, NULL), RESULT_OK);
	return type;
}

/* The cells of a record as "ordinal=text ...", or "column: reason" where it is no row. */
static const char *row_text(const struct schema_map *map, const char *record)
{
	static char text[4096];
	struct line line = schema_input_line(record);
	struct buffer row = {0};
	struct schema_fault fault;
	char *at = text;
	*at = '\0';
	if (schema_input_row(map, line.fields, line.count, &row, &fault) != RESULT_OK) {
		cr_expect_eq(row.length, 0);
		sprintf(text, "%s: %s", fault.column != NULL ? fault.column : "-", fault.reason);
	}
	size_t position = 0;
	struct row_cell cell;
	while (row_next((struct slice){row.data, row.length}, &position, &cell))
		at += sprintf(at, "%s%u=%.*s", at > text ? " " : "", cell.ordinal, (int)cell.text.length,
		              cell.text.data);
	cr_expect_eq(position, row.length);
	buffer_free(&row);
	return text;
}

static const char *name_of(const char *text)
{
	static char name[SCHEMA_NAME_MAX + 1];
	return schema_name(name, slice_from_string(text)) ? name : NULL;
}

Test(schema, names_are_lower_case_with_underscores)
{
	static const char *const examples[][2] = {
	    {"Card Type", "card_type"},
	    {"  num_pages\t", "num_pages"},
	    {"index", "index"},
	    {"2015", "2015"},
	    {"%", "_"},
	    {"Gr\xc3\xb6\xc3\x9f"
	     "e",
	     "gr__e"},
	    {"\xf0\x9f\x98\x80 \xe2\x82\xac", "___"},
	    {"a\xff\xfe"
	     "b",
	     "a__b"},
	    {"a\xe2\x82"
	     "b",
	     "a__b"},
	    {"\xc4\xb0", "_"},
	    {"a\nb", "a_b"},
	};
	for (size_t i = 0; i < COUNT(examples); i++)
		cr_expect_str_eq(name_of(examples[i][0]), examples[i][1], "%s", examples[i][0]);
	char name[SCHEMA_NAME_MAX + 1];
	cr_expect(schema_name(name, SLICE("a\0b")));
	cr_expect_str_eq(name, "a_b");
}

Test(schema, names_are_compared_without_regard_to_ascii_case)
{
	cr_expect(schema_same_name("Amount", "aMOUNT"));
	cr_expect_not(schema_same_name("amount", "amount_"));
	cr_expect_not(schema_same_name("amount_", "amount"));
	cr_expect_not(schema_same_name("[", "{"));
	cr_expect_not(schema_same_name("\xc3\x84", "\xc3\xa4"));
}

Test(schema, names_have_1_to_64_characters)
{
	char text[200];
	memset(text, 'a', sizeof text);
	text[64] = '\0';
	cr_expect_str_eq(name_of(text), text);
	text[64] = 'a';
	text[65] = '\0';
	cr_expect_null(name_of(text));
	cr_expect_null(name_of(""));
	cr_expect_null(name_of(" \t "));
	for (size_t i = 0; i < 64; i++)
		memcpy(text + 2 * i, "\xc3\xa4", 2);
	text[128] = '\0';
	cr_expect_eq(strlen(name_of(text)), 64);
}

Test(schema, header_becomes_text_columns_with_rising_ordinals)
{
	expect_columns(&nothing_declared, "index|City|Card Type",
	               "index:1:text city:2:text card_type:3:text");
}

Test(schema, declared_columns_get_their_name_type_and_formats)
{
	const char *formats[] = {"%d-%b-%y", "%F"};
	const struct schema_declared declared[] = {
	    {.source = "Date", .has_type = true, .type = type_of("date"), .formats = {formats, 2}},
	    {.source = "Card Type",
	     .name = "Typ der \xc3\x84",
	     .has_type = true,
	     .type = type_of("text(32)")},
	    {.source = "Amount"},
	    {.source = "Absent", .has_type = true, .type = type_of("integer")},
	};
	const struct schema_spec spec = {.columns = declared, .count = COUNT(declared)};
	struct schema *schema = schema_input_schema(&spec, "index|Card Type|Date|Amount");
	cr_expect_str_eq(
	    columns_text(schema),
	    "index:1:text Typ der \xc3\x84:2:text(32) date:3:date amount:4:text absent:5:integer");
	cr_assert_eq(schema->columns[2].format_count, 2);
	cr_expect_str_eq(schema->columns[2].formats[0], "%d-%b-%y");
	cr_expect_str_eq(schema->columns[2].formats[1], "%F");
	cr_expect_str_eq(schema->columns[1].source, "Card Type");
	schema_free(schema);
}

Test(schema, later_headers_keep_ordinals_and_add_behind)
{
	struct schema *schema = schema_input_schema(&nothing_declared, "a|b");
	cr_expect_eq(schema_input_extend(schema, &nothing_declared, "B|A"), 0);
	cr_expect_eq(schema_input_extend(schema, &nothing_declared, "c|B|d|A"), 2);
	cr_expect_str_eq(columns_text(schema), "a:1:text b:2:text c:3:text d:4:text");
	schema_free(schema);
}

Test(schema, source_of_any_bytes_is_kept_as_a_line_of_text)
{
	struct slice header[] = {SLICE("a\xff\nb")};
	struct schema *schema = schema_new();
	size_t added;
	cr_assert_eq(schema_extend(schema, &nothing_declared, header, 1, &added, NULL), RESULT_OK);
	cr_expect_str_eq(schema->columns[0].source, "a\\xff\\x0ab");
	schema_free(schema);
}

Test(schema, map_names_the_first_unknown_column)
{
	struct schema *schema = schema_input_schema(&nothing_declared, "a|b");
	struct line header = schema_input_line("b|new one|newer");
	struct schema_map map;
	struct error error;
	cr_expect_eq(schema_map_header(&map, schema, &nothing_declared, header.fields, header.count, &error),
	             RESULT_INVALID);
	cr_expect_not_null(strstr(error.message, "'new_one'"), "%s", error.message);
	schema_map_free(&map);
	schema_free(schema);
}

Test(schema, map_leads_from_fields_to_columns_and_back)
{
	struct schema *schema = schema_input_schema(&nothing_declared, "a|b|c");
	struct schema_map map = schema_input_map(schema, &nothing_declared, "C|a");
	cr_assert_eq(map.field_count, 2);
	cr_assert_eq(map.cell_count, 3);
	cr_expect_eq(map.column[0], 2);
	cr_expect_eq(map.column[1], 0);
	cr_expect_eq(map.cells[0].field, 1);
	cr_expect_eq(map.cells[1].field, SCHEMA_MAP_NONE);
	cr_expect_eq(map.cells[2].field, 0);
	schema_map_free(&map);
	schema_free(schema);
}

static const struct schema_declared typed_columns[] = {
    {.source = "id", .has_type = true, .type = {.kind = TYPE_INTEGER}},
    {.source = "price", .has_type = true, .type = {.kind = TYPE_DECIMAL, .scale = 4}},
    {.source = "day", .has_type = true, .type = {.kind = TYPE_DATE}},
    {.source = "time", .has_type = true, .type = {.kind = TYPE_DATETIME}},
    {.source = "city", .has_type = true, .type = {.kind = TYPE_TEXT, .length = 100}},
    {.source = "note"},
};
static const struct schema_spec typed = {.columns = typed_columns, .count = COUNT(typed_columns)};

Test(schema, row_holds_the_values_that_are_not_null_in_the_order_of_ordinals)
{
	struct schema *schema = schema_input_schema(&typed, "id|price|day|note");
	struct schema_map map = schema_input_map(schema, &typed, "note|day|id");
	cr_expect_str_eq(row_text(&map, "NA|29-Oct-14|-0"), "1=0 3=2014-10-29 4=NA");
	cr_expect_str_eq(row_text(&map, "|NA|NULL"), "");
	schema_map_free(&map);
	schema_free(schema);
}

Test(schema, record_that_is_no_row_leaves_the_buffer_and_names_column_and_reason)
{
	struct schema *schema = schema_input_schema(&typed, "id|price|day|time|city|note");
	struct schema_map map = schema_input_map(schema, &typed, "id|price|day|time|city|note");
	cr_expect_str_eq(row_text(&map, "1|2|3"), "-: too few fields");
	cr_expect_str_eq(row_text(&map, "1|2|||||"), "-: too many fields");
	cr_expect_str_eq(row_text(&map, "1a|||||"), "id: not an integer");
	cr_expect_str_eq(row_text(&map, "1|1.23456||||"),
	                 "price: more digits behind the point than declared");
	cr_expect_str_eq(row_text(&map, "1||03/04/2015|||"), "day: not a date");
	cr_expect_str_eq(row_text(&map, "1|||2015-01-01T00:00Z||"), "time: has a time zone");
	cr_expect_str_eq(row_text(&map, "1|||||caf\xe9"), "note: invalid UTF-8");
	struct buffer out = {0};
	cr_assert_eq(buffer_append_string(&out, "before"), RESULT_OK);
	struct line record = schema_input_line("1|2|x|||");
	struct schema_fault fault;
	cr_expect_eq(schema_input_row(&map, record.fields, record.count, &out, &fault), RESULT_INVALID);
	cr_expect(slice_equal((struct slice){out.data, out.length}, SLICE("before")));
	buffer_free(&out);
	schema_map_free(&map);
	schema_free(schema);
}

static struct schema *example_schema(void)
{
	static const char *formats[] = {"%d-%b-%y", "%d/%m/%Y"};
	static const struct schema_declared declared[] = {
	    {.source = "Date", .has_type = true, .type = {.kind = TYPE_DATE}, .formats = {formats, 2}},
	    {.source = "Amount",
	     .name = "Bet\"rag \xe2\x82\xac",
	     .has_type = true,
	     .type = {.kind = TYPE_DECIMAL, .precision = 12, .scale = 2}},
	    {.source = "City", .has_type = true, .type = {.kind = TYPE_TEXT, .length = 32}},
	    {.source = "At", .has_type = true, .type = {.kind = TYPE_DATETIME}},
	    {.source = "No", .has_type = true, .type = {.kind = TYPE_INTEGER}},
	};
	return schema_input_schema(&(struct schema_spec){.columns = declared, .count = COUNT(declared)},
	                           "No|Date|Amount|City|At|free \xff text");
}

static struct buffer encode(const struct schema *schema)
{
	struct buffer bytes = {0};
	cr_assert_eq(schema_encode(schema, &bytes), RESULT_OK);
	return bytes;
}

Test(schema, frozen_schema_reads_back_the_same)
{
	struct schema *schema = example_schema();
	schema->version = 77;
	schema->columns[5].ordinal = 4000000000;
	struct buffer bytes = encode(schema);
	struct schema *again = NULL;
	struct error error = {0};
	cr_assert_eq(schema_decode(&again, bytes.data, bytes.length, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(again->version, 77);
	cr_assert_eq(again->count, schema->count);
	for (size_t i = 0; i < schema->count; i++) {
		const struct schema_column *a = &schema->columns[i], *b = &again->columns[i];
		cr_expect_eq(a->ordinal, b->ordinal);
		cr_expect_str_eq(a->name, b->name);
		cr_expect_str_eq(a->source, b->source);
		cr_expect_eq(a->type.kind, b->type.kind);
		cr_expect_eq(a->type.precision, b->type.precision);
		cr_expect_eq(a->type.scale, b->type.scale);
		cr_expect_eq(a->type.length, b->type.length);
		cr_assert_eq(a->format_count, b->format_count);
		for (size_t j = 0; j < a->format_count; j++)
			cr_expect_str_eq(a->formats[j], b->formats[j]);
	}
	buffer_free(&bytes);
	schema_free(again);
	schema_free(schema);
}

Test(schema, copy_freezes_to_the_same_bytes_and_stands_alone)
{
	struct schema *schema = example_schema();
	struct buffer bytes = encode(schema);
	struct schema *copy = schema_copy(schema);
	cr_assert_not_null(copy);
	schema_free(schema);
	schema_input_extend(copy, &nothing_declared, "one more");
	copy->count--;
	struct buffer again = encode(copy);
	copy->count++;
	cr_expect(
	    slice_equal((struct slice){bytes.data, bytes.length}, (struct slice){again.data, again.length}));
	buffer_free(&bytes);
	buffer_free(&again);
	schema_free(copy);
}

/* Decoding may fail, but then as damage; what it accepts is a schema that can be frozen again. */
static bool decodes(const void *bytes, size_t count)
{
	struct schema *schema = NULL;
	struct error error;
	void *exact = malloc(count); /* of exactly that size, for the address sanitizer */
	memcpy(exact, bytes, count);
	enum result result = schema_decode(&schema, exact, count, &error);
	free(exact);
	cr_assert(result == RESULT_OK || result == RESULT_STATE);
	if (result != RESULT_OK) {
		cr_assert_null(schema);
		return false;
	}
	struct buffer again = encode(schema);
	buffer_free(&again);
	schema_free(schema);
	return true;
}

Test(schema, every_truncation_of_a_frozen_schema_is_damage)
{
	struct schema *schema = example_schema();
	struct buffer bytes = encode(schema);
	for (size_t length = 1; length < bytes.length; length++)
		cr_expect_not(decodes(bytes.data, length), "%zu", length);
	cr_expect(decodes(bytes.data, bytes.length));
	buffer_free(&bytes);
	schema_free(schema);
}

Test(schema, flipped_bits_never_crash_the_decoder)
{
	struct schema *schema = example_schema();
	struct buffer bytes = encode(schema);
	size_t refused = 0;
	for (size_t i = 0; i < bytes.length * 8; i++) {
		bytes.data[i / 8] = (char)(bytes.data[i / 8] ^ 1 << i % 8);
		refused += !decodes(bytes.data, bytes.length);
		bytes.data[i / 8] = (char)(bytes.data[i / 8] ^ 1 << i % 8);
	}
	cr_expect_gt(refused, bytes.length * 4);
	buffer_free(&bytes);
	schema_free(schema);
}

#define COLUMN(ordinal, name, type, formats)                                                                 \
	"{\"formats\":" formats ",\"key\":false,\"outside\":false,\"name\":\"" name                          \
	"\",\"ordinal\":" ordinal ",\"source\":\"s\",\"type\":\"" type "\"}"
#define SCHEMA(columns) "{\"columns\":[" columns "],\"version\":1}"

Test(schema, decoder_refuses_what_no_schema_can_be)
{
	cr_expect(
	    decodes(SCHEMA(COLUMN("1", "a", "text", "[]") "," COLUMN("3", "b", "date", "[\"%F\"]")),
	            strlen(SCHEMA(COLUMN("1", "a", "text", "[]") "," COLUMN("3", "b", "date", "[\"%F\"]")))));
	static const char *const damaged[] = {
	    "null",
	    "[]",
	    "{}",
	    "{\"columns\":[],\"version\":0}",
	    "{\"columns\":[],\"version\":4294967296}",
	    "{\"columns\":[],\"version\":1.0}",
	    "{\"columns\":{},\"version\":1}",
	    "{\"columns\":[],\"version\":1,\"more\":1}",
	    "{\"columns\":[],\"version\":1,\"version\":1}",
	    SCHEMA("1"),
	    SCHEMA("{}"),
	    SCHEMA(COLUMN("0", "a", "text", "[]")),
	    SCHEMA(COLUMN("-1", "a", "text", "[]")),
	    SCHEMA(COLUMN("4294967296", "a", "text", "[]")),
	    SCHEMA(COLUMN("\"1\"", "a", "text", "[]")),
	    SCHEMA(COLUMN("1", "", "text", "[]")),
	    SCHEMA(COLUMN("1", "a\\u0000", "text", "[]")),
	    SCHEMA(COLUMN("1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "text",
	                  "[]")),
	    SCHEMA(COLUMN("1", "a", "", "[]")),
	    SCHEMA(COLUMN("1", "a", "decimal(99,2)", "[]")),
	    SCHEMA(COLUMN("1", "a", "text", "{}")),
	    SCHEMA(COLUMN("1", "a", "text", "[\"%F\"]")),
	    SCHEMA(COLUMN("1", "a", "date", "[1]")),
	    SCHEMA(COLUMN("1", "a", "date", "[\"%F %T\"]")),
	    SCHEMA(
		COLUMN("1", "a", "date", "[\"%F\",\"%F\",\"%F\",\"%F\",\"%F\",\"%F\",\"%F\",\"%F\",\"%F\"]")),
	    SCHEMA(COLUMN("1", "a", "text", "[]") "," COLUMN("2", "A", "text", "[]")),
	    SCHEMA(COLUMN("1", "a", "text", "[]") "," COLUMN("1", "b", "text", "[]")),
	    SCHEMA(COLUMN("2", "a", "text", "[]") "," COLUMN("1", "b", "text", "[]")),
	};
	for (size_t i = 0; i < COUNT(damaged); i++)
		cr_expect_not(decodes(damaged[i], strlen(damaged[i])), "%s", damaged[i]);
}
