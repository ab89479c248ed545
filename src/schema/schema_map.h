// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_SCHEMA_MAP_H
#define ROWSIEVE_SCHEMA_SCHEMA_MAP_H

#include "schema/date_memo.h"
#include "schema/schema.h"

/*
 * How the records under one header become rows: a field is the column of the same table name
 * (schema/header.h), and each column has the reading of its fields ready. Made once for a member.
 */

#define SCHEMA_MAP_NONE UINT32_MAX

/* How its usual fields become cells (schema/schema_map_row.c). */
enum schema_map_way {
	SCHEMA_MAP_ANY = 0, /* as type_read() says */
	SCHEMA_MAP_TEXT,
	SCHEMA_MAP_INTEGER,
	SCHEMA_MAP_DATE,
};

/* A column of the schema, in its order. */
struct schema_map_cell {
	uint32_t ordinal;
	uint32_t field;    /* index of its field, or SCHEMA_MAP_NONE */
	const char *name;  /* the schema's */
	bool is_plain;     /* nothing is trimmed, and only the usual texts are null */
	bool is_widenable; /* an inferred number, no key, of a dataset whose table may change */
	bool is_rescued;   /* SCHEMA_RESCUED itself */
	enum schema_map_way way;
	struct type_reading reading;
	struct date_memo *memo; /* of SCHEMA_MAP_DATE */
	struct slice fallback;  /* canonical; data NULL: a missing value is null */
};

/* For one thread: reading a row may change the memo of a cell. */
struct schema_map {
	size_t field_count;
	uint32_t *column; /* per field: index of its cell, or SCHEMA_MAP_NONE */
	struct schema_map_cell *cells;
	size_t cell_count;
	enum schema_bad_value bad_value;
	enum schema_ragged ragged;
	struct rescue *rescue; /* schema/rescue.h; NULL: nothing is rescued */
	struct filter *filter; /* schema/filter.h; NULL: every row is wanted */
	char *texts;           /* what the fallbacks point to */
};

/*
 * RESULT_INVALID: the header has a column that the schema lacks, or none that it has, or, where that is a
 * reason, lacks one of the schema's. RESULT_CONFIG: a default or a filter fits no column. A map that was not made is empty. The schema,
 * and the strings of the spec, must outlive the map.
 */
enum result schema_map_header(struct schema_map *map, const struct schema *schema,
                              const struct schema_spec *spec, const struct slice *header, size_t count,
                              struct error *error) WARN_UNUSED;
void schema_map_free(struct schema_map *map);

/*
 * Appends the canonical form (schema/row.h) of a record, whose fields have slack (base/slice.h), to `out`.
 * RESULT_INVALID: *fault says why there is none. Otherwise RESULT_NO_MEMORY. After either, out is as it was.
 */
enum result schema_map_row(const struct schema_map *map, const struct slice *fields, size_t count,
                           struct buffer *out, struct schema_fault *fault) WARN_UNUSED;

/* Do all filters hold for this row of schema_map_row()? */
bool schema_map_holds(const struct schema_map *map, struct slice row);

#endif
