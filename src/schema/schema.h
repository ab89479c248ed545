// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_SCHEMA_H
#define ROWSIEVE_SCHEMA_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/id.h"
#include "schema/type.h"

/*
 * The columns of a dataset. What the configuration declares is a schema_spec; what the state freezes is a
 * schema: every column ever seen, each with an ordinal that is given once and never reused.
 */

enum { SCHEMA_NAME_MAX = 64 };

/* One `column` section of the configuration. Strings are the configuration's. */
struct schema_declared {
	const char *source; /* title of the section: the column's name in the header */
	const char *name;   /* `as`; NULL = the source, made a column name */
	bool has_type;
	struct type type; /* where has_type */
	struct type_formats formats;
};

struct schema_spec {
	const struct schema_declared *columns;
	size_t count;
	/* columns as the configuration calls them: schema/identity.h */
	const char *const *key; /* none: a row is a member of a set, or of a bag */
	size_t key_count;
	const char *const *ignored; /* stored, and not compared */
	size_t ignored_count;
	bool keeps_duplicates; /* a bag: equal rows of one member are all stored */
};

struct schema_column {
	uint32_t ordinal;               /* from 1; columns stand in the order of their ordinals */
	char name[SCHEMA_NAME_MAX + 1]; /* in the table */
	char *source;                   /* in the header where it was first seen, as error_quote() shows it */
	struct type type;
	char *formats[TYPE_FORMATS_MAX];
	size_t format_count;
	bool is_key;     /* part of what names a row; never null */
	bool is_outside; /* of the identity: stored, and not compared */
};

struct schema {
	uint32_t version; /* from 1; whoever freezes the schema counts it up */
	struct schema_column *columns;
	size_t count;
};

struct schema *schema_new(void); /* of no columns, version 0; NULL without memory */
struct schema *schema_copy(const struct schema *schema);
void schema_free(struct schema *schema); /* NULL is fine */

/* The frozen form: JSON. What is read back is checked like any input; damage is RESULT_STATE. */
enum result schema_encode(const struct schema *schema, struct buffer *out) WARN_UNUSED;
enum result schema_decode(struct schema **out, const void *bytes, size_t count,
                          struct error *error) WARN_UNUSED;

/*
 * Names as the table gets them: lower case, every character that is not a-z, 0-9 or _ becomes _, blanks at
 * both ends dropped. False when nothing is left (the name is then empty) or it is longer than SCHEMA_NAME_MAX
 * (it is then cut).
 */
bool schema_name(char name[SCHEMA_NAME_MAX + 1], struct slice text);

/* The table's name for a declared column. False when it has none: the source makes no name, or `as` is not
 * valid UTF-8 of 1 to SCHEMA_NAME_MAX bytes. */
bool schema_declared_name(char name[SCHEMA_NAME_MAX + 1], const struct schema_declared *declared);

/* Databases take column names that differ in case for the same. */
bool schema_same_name(const char *a, const char *b);

/*
 * How the fields of one header map to columns: a field is the column of the same table name
 * (schema/header.h).
 */
struct schema_map {
	size_t field_count;
	uint32_t *column; /* per field: index into schema->columns */
	uint32_t *field;  /* per column, in order: index of its field, or SCHEMA_NO_FIELD */
	size_t column_count;
};

#define SCHEMA_NO_FIELD UINT32_MAX

/* Appends to `schema` a text column, or one as declared, for each header name it does not have yet; *added
 * says how many. Their inferred types are set later (schema/infer.h). */
enum result schema_extend(struct schema *schema, const struct schema_spec *spec, const struct slice *header,
                          size_t count, size_t *added, struct error *error) WARN_UNUSED;

/* Every header name must be a column (RESULT_INVALID names the first that is not). A map that was not made is
 * empty. */
enum result schema_map_header(struct schema_map *map, const struct schema *schema,
                              const struct schema_spec *spec, const struct slice *header, size_t count,
                              struct error *error) WARN_UNUSED;
void schema_map_free(struct schema_map *map);

/* Why a record is no row. */
struct schema_fault {
	const char *column; /* table name, or NULL when it concerns the whole record */
	const char *reason; /* static */
};

/*
 * Appends the canonical form (schema/row.h) of a record with map->field_count fields to `out`.
 * RESULT_INVALID: *fault says why; every field count but the header's is a fault. Otherwise RESULT_NO_MEMORY.
 * After either, out is as it was.
 */
enum result schema_row(const struct schema *schema, const struct schema_map *map, const struct slice *fields,
                       size_t count, struct buffer *out, struct schema_fault *fault) WARN_UNUSED;

/* The identity fingerprint: of everything in the configuration that decides whether two records are the same
 * row. The order of declarations does not matter. */
struct id schema_fingerprint(const struct schema_spec *spec);

#endif
