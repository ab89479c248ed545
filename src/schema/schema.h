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
	const char *source;         /* title of the section: the column's name in the header */
	const char *name;           /* `as`; NULL = the source, made a column name */
	const char *const *aliases; /* other names that it has in headers */
	size_t alias_count;
	bool has_type;
	struct type type; /* where has_type */
	struct type_formats formats;
	const char *fallback;    /* `default` of a missing value, as a field would write it; NULL = none */
	const char *zone_name;   /* NULL = none */
	const struct zone *zone; /* that of the name */
};

enum schema_drift {
	SCHEMA_DRIFT_ADD,    /* a new column is added to the table */
	SCHEMA_DRIFT_FREEZE, /* a file with other columns is rejected */
	SCHEMA_DRIFT_RESCUE, /* its values go into SCHEMA_RESCUED */
};

enum schema_missing {
	SCHEMA_MISSING_NULL,
	SCHEMA_MISSING_REJECT, /* a file that lacks a column is rejected */
};

/* A value that is none of its column. */
enum schema_bad_value {
	SCHEMA_BAD_VALUE_REJECT,
	SCHEMA_BAD_VALUE_NULL, /* counts as missing */
	SCHEMA_BAD_VALUE_RESCUE,
};

/* A record of too few or too many fields. */
enum schema_ragged {
	SCHEMA_RAGGED_REJECT,
	SCHEMA_RAGGED_PAD, /* fields that are not there are missing; empty ones too many are none */
	SCHEMA_RAGGED_RESCUE,
};

/* What the configuration says of a dataset's columns and values. Zero-initialised: nothing. */
struct schema_spec {
	const struct schema_declared *columns;
	size_t count;
	bool only_declared;       /* other columns are passed over */
	bool trim;                /* blanks around values */
	char thousands;           /* '\0' = none */
	char decimal;             /* '\0' = '.' */
	const char *const *nulls; /* type_reading.nulls */
	size_t null_count;
	bool has_nulls;
	enum schema_drift drift;
	enum schema_missing missing;
	enum schema_bad_value bad_value;
	enum schema_ragged ragged;
	const struct schema
	    *present;             /* of a new dataset: the columns of the table that it is to feed, made by
	                               * others; what they are called and hold is kept. NULL: none */
	const char *const *where; /* filters (schema/filter.h), all of which must hold */
	size_t where_count;
	/* columns as the configuration calls them: schema/identity.h */
	const char *const *key; /* none: a row is a member of a set, or of a bag */
	size_t key_count;
	const char *const *ignored; /* stored, and not compared */
	size_t ignored_count;
	const char *watermark; /* column; NULL: none */
	bool provenance;       /* columns that say where a row came from: schema/provenance.h */
	bool keeps_duplicates; /* a bag: equal rows of one member are all stored */
};

/* The column of what found no other place: a JSON object of texts by column name, keys sorted. It is in the
 * table of every dataset that rescues something, and part of its rows' identity. */
#define SCHEMA_RESCUED "_rescued"

/* Does something of this dataset go there? */
bool schema_rescues(const struct schema_spec *spec);

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
 * Appends to `schema` what a header (schema/header.h) has and it has not: text columns, or columns as declared;
 * *added says how many. Their inferred types are set later (schema/infer.h). The first time that is in the
 * header's order, with only_declared in that of the declarations; then declared columns that the header lacks,
 * then SCHEMA_RESCUED where it is needed. Columns that are declared wider than they are, or with more formats, become
 * so, and count as added. Later SCHEMA_DRIFT_RESCUE adds no column of a header, and
 * SCHEMA_DRIFT_FREEZE makes a header with other columns RESULT_INVALID, which says what they are.
 */
enum result schema_extend(struct schema *schema, const struct schema_spec *spec, const struct slice *header,
                          size_t count, size_t *added, struct error *error) WARN_UNUSED;

/* The column of that name, or NULL. */
struct schema_column *schema_find(const struct schema *schema, const char *name);

/* Why a record is no row. */
struct schema_fault {
	const char *column; /* table name, or NULL when it concerns the whole record */
	const char *reason; /* static */
	bool is_widenable;  /* it is a number that its inferred column would hold if that were wider */
};

/* A column of which the declared type or formats would make other values than the frozen ones, or NULL. More
 * formats behind the frozen ones, and how wide a type is, make none. */
const char *schema_disagreement(const struct schema *schema, const struct schema_spec *spec);

/* Of everything in the configuration that decides whether two records are the same row and that no frozen
 * schema says. The order of declarations does not matter. */
struct id schema_fingerprint(const struct schema_spec *spec);

#endif
