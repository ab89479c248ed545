// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_IDENTITY_H
#define ROWSIEVE_SCHEMA_IDENTITY_H

#include "schema/row.h"
#include "schema/schema.h"

/*
 * What makes two rows the same: every column but those outside the identity, and, where the dataset has a
 * key, which of them name a row.
 */

/* The table's name of a column that the configuration names as in the header or as in the table. False when
 * the text makes no name. */
bool identity_name(char name[SCHEMA_NAME_MAX + 1], const struct schema_spec *spec, const char *text);

/*
 * Sets is_key and is_outside of every column as the configuration says, and gives texts of the key that have
 * no length one that an index can hold: 255 characters, less in a key of more than three columns. Idempotent;
 * for every schema that is about to be frozen.
 */
void identity_mark(struct schema *schema, const struct schema_spec *spec);

/* The first column of the configured key, as configured, that the schema lacks, NULL when there is none. */
const char *identity_missing(const struct schema *schema, const struct schema_spec *spec);

/* The identity fingerprint: schema_fingerprint(), and the key, the columns outside the identity and the bag.
 * What stands in a list in another order, or twice under two names, is the same. */
struct id identity_fingerprint(const struct schema_spec *spec);

/* Does this fingerprint, of an earlier configuration, mean the same identity for every row that is stored? So it
 * is when the two differ in what only lets more records through, or rescues what was not stored at all. */
bool identity_accepts(const struct schema_spec *spec, struct id earlier);

struct identity_digests {
	struct row_digest row; /* of the columns within the identity */
	struct row_digest key; /* of the key's columns; zero without a key */
	uint64_t rank;         /* with a key: rises about as the value of its first column does */
};

/* Digests rows of one schema, which it borrows. */
struct identity {
	const struct schema *schema;
	bool is_keyed;
	bool is_partial; /* some column is outside */
	struct buffer scratch;
};

struct identity identity_of(const struct schema *schema);

/* There is no key, and the digest of a row is that of all its bytes: row_digest() will do. */
static inline bool identity_is_all(const struct identity *identity)
{
	return !identity->is_keyed && !identity->is_partial;
}

void identity_close(struct identity *identity);

/* RESULT_INVALID: a column of the key is null; *column is its name. Otherwise RESULT_NO_MEMORY. */
enum result identity_digest(struct identity *identity, struct slice row, const uint8_t row_key[ROW_KEY_SIZE],
                            struct identity_digests *digests, const char **column) WARN_UNUSED;

/* The n-th of equal rows in a bag, n from 2 on: an element of its own. */
struct row_digest identity_occurrence(struct row_digest row, uint64_t n, const uint8_t row_key[ROW_KEY_SIZE]);

#endif
