// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_TESTS_SCHEMA_INPUT_H
#define ROWSIEVE_TESTS_SCHEMA_INPUT_H

#include <stddef.h>

#include "schema/schema_map.h"

/* Schemas and maps from headers written as "a|b|c". What cannot be made fails the test. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct schema_spec nothing_declared = {0};

/* A header or a record. */
struct line {
	struct slice fields[32];
	size_t count;
};

struct line schema_input_line(const char *text);

/* The number of columns that the header adds. */
size_t schema_input_extend(struct schema *schema, const struct schema_spec *spec, const char *header);

/* Of version 1; schema_free() it. */
struct schema *schema_input_schema(const struct schema_spec *spec, const char *header);

/* schema_map_free() it. */
struct schema_map schema_input_map(const struct schema *schema, const struct schema_spec *spec,
                                   const char *header);

/* schema_map_row() of fields that have no slack: of copies that have it, each for the address sanitizer by itself. */
enum result schema_input_row(const struct schema_map *map, const struct slice *fields, size_t count,
                             struct buffer *out, struct schema_fault *fault);

#endif
