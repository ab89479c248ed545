// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_FILTER_H
#define ROWSIEVE_SCHEMA_FILTER_H

#include "schema/schema.h"

/*
 * Which rows are wanted. Each text is one of
 *
 *   COLUMN = VALUE      also !=  <>  <  <=  >  >=
 *   COLUMN in (VALUE, …)            COLUMN not in (VALUE, …)
 *   COLUMN is null                  COLUMN is not null
 *
 * and all must hold. A column is named as in the table or as in the header; a name that is not made of
 * letters, digits and _ stands in "" or ``. Text values stand in single quotes (doubled within); numbers, dates
 * and booleans may. Values are read and compared as what the column holds: numbers as numbers, dates in their
 * order, texts byte by byte. Of a missing value nothing is true but `is null`.
 */
struct filter;

/* RESULT_CONFIG: that is no filter. Columns and values are looked at by filter_open(). */
enum result filter_check(const char *text, struct error *error) WARN_UNUSED;

/* `readings` has one for each column of the schema. RESULT_CONFIG: no filter, no such column, or a value that
 * is none of the column's. */
enum result filter_open(struct filter **out, const struct schema *schema,
                        const struct type_reading *const *readings, const char *const *texts, size_t count,
                        struct error *error) WARN_UNUSED;
void filter_free(struct filter *filter); /* NULL is fine */

/* For a canonical row of that schema. */
bool filter_holds(const struct filter *filter, struct slice row);

#endif
