// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "fuzz.h"
#include "schema/filter.h"
#include "schema/schema.h"
#include "schema/schema_map.h"
#include "schema/type.h"

/*
 * Frozen schemas, types, formats, filters and values. A schema that is read back is written as it was read; a
 * canonical text is its own canonical text; a field that takes a short way to its cell becomes what the long way
 * makes of it. The first byte chooses.
 */
static void decode_schema(const char *text, size_t size)
{
	struct schema *schema;
	if (schema_decode(&schema, text, size, NULL) != RESULT_OK)
		return;
	struct buffer once = {0};
	struct buffer twice = {0};
	struct schema *again;
	FUZZ_ASSERT(schema_encode(schema, &once) == RESULT_OK);
	FUZZ_ASSERT(schema_decode(&again, once.data, once.length, NULL) == RESULT_OK);
	FUZZ_ASSERT(schema_encode(again, &twice) == RESULT_OK);
	FUZZ_ASSERT(once.length == twice.length && memcmp(once.data, twice.data, once.length) == 0);
	schema_free(schema);
	schema_free(again);
	buffer_free(&once);
	buffer_free(&twice);
}

static void parse_type(const char *text)
{
	struct type type;
	if (type_parse(&type, text, NULL) != RESULT_OK)
		return;
	char shown[TYPE_TEXT_MAX];
	struct type again;
	type_text(shown, &type);
	FUZZ_ASSERT(type_parse(&again, shown, NULL) == RESULT_OK);
	FUZZ_ASSERT(again.kind == type.kind && again.length == type.length && again.scale == type.scale);
}

static void read_value(uint8_t choice, const char *text, size_t size)
{
	static const struct type types[] = {
	    {.kind = TYPE_TEXT},    {.kind = TYPE_TEXT, .length = 3},
	    {.kind = TYPE_INTEGER}, {.kind = TYPE_DECIMAL, .precision = 12, .scale = 2},
	    {.kind = TYPE_DATE},    {.kind = TYPE_DATETIME},
	    {.kind = TYPE_REAL},    {.kind = TYPE_BOOLEAN},
	};
	const struct type *type = &types[choice % (sizeof types / sizeof types[0])];
	struct type_reading reading = {
	    .type = *type, .is_loose = true, .trim = true, .thousands = '.', .decimal = ','};
	struct type_formats formats = {0};
	struct type_value value;
	struct type_value again;
	const char *reason = NULL;
	struct slice field = {text, size};
	if (type_reads_null(&reading, type_trim(&reading, field)))
		return;
	if (!type_read(&value, &reading, field, &reason)) {
		FUZZ_ASSERT(reason != NULL);
		return;
	}
	/* What is stored reads back as itself. */
	FUZZ_ASSERT(type_canonical(&again, type, &formats, value.text, &reason));
	FUZZ_ASSERT(again.text.length == value.text.length);
	FUZZ_ASSERT(value.text.length == 0 ||
	            memcmp(again.text.data, value.text.data, value.text.length) == 0);
}

/* By the short way, for which the field has slack, and by the long one, for which it needs none. */
static void take_field(uint8_t choice, struct slice slack, struct slice exact)
{
	static const struct {
		enum schema_map_way way;
		struct type type;
	} ways[] = {
	    {SCHEMA_MAP_TEXT, {.kind = TYPE_TEXT}},
	    {SCHEMA_MAP_TEXT, {.kind = TYPE_TEXT, .length = 9}},
	    {SCHEMA_MAP_INTEGER, {.kind = TYPE_INTEGER}},
	    {SCHEMA_MAP_DATE, {.kind = TYPE_DATE}},
	};
	static struct date_memo *memo; /* kept, so that fields find what others have left */
	memo = memo != NULL ? memo : date_memo_new();
	size_t chosen = choice % (sizeof ways / sizeof ways[0]);
	struct schema_map_cell cell = {
	    .name = "x", .is_plain = true, .reading.type = ways[chosen].type, .memo = memo};
	struct schema_map map = {.field_count = 1, .cells = &cell, .cell_count = 1};
	FUZZ_ASSERT(memo != NULL);
	struct buffer rows[2] = {{0}, {0}};
	enum result results[2];
	struct schema_fault fault;
	for (size_t i = 0; i < 2; i++) {
		cell.way = i == 0 ? ways[chosen].way : SCHEMA_MAP_ANY;
		results[i] = schema_map_row(&map, i == 0 ? &slack : &exact, 1, &rows[i], &fault);
	}
	FUZZ_ASSERT(results[0] == results[1]);
	FUZZ_ASSERT(rows[0].length == rows[1].length);
	FUZZ_ASSERT(rows[0].length == 0 || memcmp(rows[0].data, rows[1].data, rows[0].length) == 0);
	buffer_free(&rows[0]);
	buffer_free(&rows[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	char *text = calloc(size + SLICE_SLACK, 1);
	FUZZ_ASSERT(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	enum result ignored = RESULT_OK;
	switch (data[0] % 5) {
	case 0:
		decode_schema(text, size - 1);
		break;
	case 1:
		parse_type(text);
		break;
	case 2:
		ignored = type_check_format(text, data[0] & 128 ? TYPE_DATE : TYPE_DATETIME, NULL);
		break;
	case 3:
		ignored = filter_check(text, NULL);
		break;
	default:
		read_value(data[0] / 5, text, size - 1);
		take_field(data[0] / 5, (struct slice){text, size - 1},
		           (struct slice){(const char *)data + 1, size - 1});
		break;
	}
	(void)ignored;
	free(text);
	return 0;
}
