// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_STORED_H
#define ROWSIEVE_SCHEMA_STORED_H

#include "schema/schema.h"

/* The way back: from what a table holds to schema and canonical rows. */

/* Appends a column that a table has. A name that a column of ours cannot bear is passed over. */
enum result stored_add_column(struct schema *schema, const char *name, const struct type *type) WARN_UNUSED;

/* Gives columns the types, formats and sources that the configuration declares for them, and their places in
 * the identity. Ordinals and names stay. */
enum result stored_declare(struct schema *schema, const struct schema_spec *spec) WARN_UNUSED;

/*
 * Appends the canonical form of a row whose values a database shows as these texts, cells[schema->count], a
 * missing one with data NULL. For a row that was stored under the schema it is the form it had then. A value
 * of another shape is read as a file's would be: by the column's formats, a datetime at midnight as its date.
 * RESULT_INVALID: *fault says which value is none of its column. After any failure `out` is as it was.
 */
enum result stored_row(const struct schema *schema, const struct slice *cells, struct buffer *out,
                       struct schema_fault *fault) WARN_UNUSED;

/* A datetime at midnight, fractions included. */
bool stored_is_midnight(struct slice text);

#endif
