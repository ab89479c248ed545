// SPDX-License-Identifier: Apache-2.0
#include "schema_input.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct line schema_input_line(const char *text)
{
	struct line line = {0};
	for (;;) {
		size_t length = strcspn(text, "|");
		line.fields[line.count++] = (struct slice){text, length};
		if (text[length] == '\0')
			return line;
		text += length + 1;
	}
}

size_t schema_input_extend(struct schema *schema, const struct schema_spec *spec, const char *header)
{
	struct line line = schema_input_line(header);
	struct error error = {0};
	size_t added;
	cr_assert_eq(schema_extend(schema, spec, line.fields, line.count, &added, &error), RESULT_OK, "%s",
	             error.message);
	return added;
}

struct schema *schema_input_schema(const struct schema_spec *spec, const char *header)
{
	struct schema *schema = schema_new();
	cr_assert_not_null(schema);
	schema_input_extend(schema, spec, header);
	schema->version = 1;
	return schema;
}

struct schema_map schema_input_map(const struct schema *schema, const struct schema_spec *spec,
                                   const char *header)
{
	struct line line = schema_input_line(header);
	struct error error = {0};
	struct schema_map map;
	cr_assert_eq(schema_map_header(&map, schema, spec, line.fields, line.count, &error), RESULT_OK, "%s",
	             error.message);
	return map;
}

enum result schema_input_row(const struct schema_map *map, const struct slice *fields, size_t count,
                             struct buffer *out, struct schema_fault *fault)
{
	struct slice *copies = calloc(count, sizeof *copies);
	cr_assert_not_null(copies);
	for (size_t i = 0; i < count; i++) {
		size_t slack = fields[i].length > 0 ? SLICE_SLACK : 0;
		char *data = malloc(fields[i].length + slack);
		cr_assert_not_null(data);
		memcpy(data, fields[i].data, fields[i].length);
		memset(data + fields[i].length, i % 2 == 0 ? '7' : '\xff', slack);
		copies[i] = (struct slice){data, fields[i].length};
	}
	enum result result = schema_map_row(map, copies, count, out, fault);
	for (size_t i = 0; i < count; i++)
		free((void *)copies[i].data);
	free(copies);
	return result;
}
