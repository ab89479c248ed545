// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_COLUMN_H
#define ROWSIEVE_SCHEMA_COLUMN_H

#include <jansson.h>

#include "schema/schema.h"

/* One column of a schema: its strings and its frozen form. */

/* Releases the strings. */
void column_clear(struct schema_column *column);

/* Sets the source and the formats, at most TYPE_FORMATS_MAX, to copies. RESULT_NO_MEMORY: some are missing;
 * clear the column. */
enum result column_set_strings(struct schema_column *column, const char *source,
                               const struct type_formats *formats) WARN_UNUSED;

/* 1 to SCHEMA_NAME_MAX bytes of UTF-8. */
bool column_is_name(const char *name);

struct type_formats column_formats(const struct schema_column *column);

json_t *column_encode(const struct schema_column *column); /* NULL without memory */

/* RESULT_NO_MEMORY or RESULT_INVALID, after jansson failed to read something. */
enum result column_json_fault(const json_error_t *detail);

/* RESULT_INVALID: not what column_encode() makes. The column is to be cleared whatever the result. */
enum result column_decode(struct schema_column *column, json_t *encoded) WARN_UNUSED;

#endif
