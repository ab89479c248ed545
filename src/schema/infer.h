// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_INFER_H
#define ROWSIEVE_SCHEMA_INFER_H

#include "schema/schema_map.h"

/*
 * Types from the values of the first delivery. A column gets a type only if every value that is not null fits
 * it and reading it back loses nothing; otherwise, and without any value, it is text. The kinds: integer (-0
 * and 007 are none), decimal (+7 and 1e5 are none, nor is 1,000 unless the configuration says what stands
 * between thousands; the scale is the longest seen), date (ISO or with a month's name, never 03/04/2015),
 * datetime (ISO, without a zone). Integers among decimals are decimals; any other mixture is text.
 */
struct infer;

/* For the columns of `schema` from index `first` on that `spec` declares no type for. Later columns are not
 * looked at. NULL without memory. */
struct infer *infer_new(const struct schema *schema, const struct schema_spec *spec, size_t first);

/* For the integers and decimals that are no key and that `spec` declares no type for, beginning with the types
 * they have: values that are no numbers are passed over. NULL without memory. */
struct infer *infer_new_wider(const struct schema *schema, const struct schema_spec *spec);

/* One record, mapped to columns as for schema_map_row(); records of which that makes no row for their number of
 * fields are passed over. */
void infer_record(struct infer *infer, const struct schema_map *map, const struct slice *fields,
                  size_t count);

/* Sets the types found in `schema`, the one given to infer_new(). True: some type is another one now. */
bool infer_finish(const struct infer *infer, struct schema *schema);
void infer_free(struct infer *infer); /* NULL is fine */

#endif
