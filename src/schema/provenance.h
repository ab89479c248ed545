// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_PROVENANCE_H
#define ROWSIEVE_SCHEMA_PROVENANCE_H

#include "schema/schema_map.h"

/*
 * Where a row came from, in columns of its own that no header names and that are outside the identity:
 *
 *   _delivery   the id of the delivery       _line   the record's line in its member
 *   _loaded_at  when the delivery was begun, UTC: the same however often it is read
 */
bool provenance_is_name(const char *name);

/* The type of such a column. */
struct type provenance_type(const char *name);

enum { PROVENANCE_COUNT = 3 };
extern const char *const provenance_names[PROVENANCE_COUNT];

struct provenance {
	char delivery[33];
	char line[24];
	char loaded_at[32];
	struct schema_map_cell *line_cell; /* NULL: the map has no such column */
};

/* The member's part; the map borrows `provenance`. started_ns since 1970. */
void provenance_begin(struct provenance *provenance, struct schema_map *map, const char *delivery,
                      int64_t started_ns);

/* The record's part, before its row is made. */
void provenance_set_line(struct provenance *provenance, uint64_t line);

#endif
