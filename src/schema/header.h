// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_HEADER_H
#define ROWSIEVE_SCHEMA_HEADER_H

#include "schema/schema.h"

/*
 * From a header's fields to the table's names.
 *
 * A declared column takes the first field that is its source to the letter; without one, one of its aliases;
 * without one, a field whose name is the source's name, then an alias's; without one, a field of the declared
 * column's own name. The other fields are called
 * by schema_name(), an empty one column_N after its place. A name that is taken gets _2, _3 …, whichever is
 * free; first choice have the declared columns, then the others in the order of the header. SCHEMA_RESCUED is
 * always taken.
 */
struct header_name {
	char text[SCHEMA_NAME_MAX + 1];
	const struct schema_declared *declared; /* NULL: not declared */
};

/* `known` (NULL: none) are the columns that the table has: where one of them, made a column name, is that of a
 * field which is not declared, the field is called as it is. One for each field, all different (schema_same_name()); to be freed. RESULT_INVALID: a name is too long.
 * RESULT_CONFIG: a declared name is none, or another's, or there are more than TYPE_FORMATS_MAX formats. */
enum result header_names(struct header_name **out, const struct schema_spec *spec, const struct schema *known,
                         const struct slice *header, size_t count, struct error *error) WARN_UNUSED;

#endif
