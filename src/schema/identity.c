// SPDX-License-Identifier: Apache-2.0
#include "schema/identity.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>

#include "schema/provenance.h"

/* Bytes of utf8mb4 that InnoDB takes into one index, as characters; columns of 255 keep their length in one
 * byte. */
enum { INDEX_CHARACTERS = 768, KEY_TEXT_LENGTH = 255 };

bool identity_name(char name[SCHEMA_NAME_MAX + 1], const struct schema_spec *spec, const char *text)
{
	for (size_t i = 0; i < spec->count; i++)
		if (strcmp(spec->columns[i].source, text) == 0)
			return schema_declared_name(name, &spec->columns[i]);
	for (size_t i = 0; i < spec->count; i++)
		if (schema_declared_name(name, &spec->columns[i]) && schema_same_name(name, text))
			return true;
	return schema_name(name, slice_from_string(text));
}

static bool is_listed(const struct schema_spec *spec, const char *const *texts, size_t count,
                      const char *column)
{
	char name[SCHEMA_NAME_MAX + 1];
	for (size_t i = 0; i < count; i++)
		if (identity_name(name, spec, texts[i]) && schema_same_name(name, column))
			return true;
	return false;
}

static uint32_t key_text_length(size_t key_count)
{
	uint32_t share = INDEX_CHARACTERS / (uint32_t)key_count;
	return share < KEY_TEXT_LENGTH ? share : KEY_TEXT_LENGTH;
}

void identity_mark(struct schema *schema, const struct schema_spec *spec)
{
	for (size_t i = 0; i < schema->count; i++) {
		struct schema_column *column = &schema->columns[i];
		column->is_key = is_listed(spec, spec->key, spec->key_count, column->name);
		column->is_outside = is_listed(spec, spec->ignored, spec->ignored_count, column->name) ||
		                     provenance_is_name(column->name);
		if (column->is_key && column->type.kind == TYPE_TEXT && column->type.length == 0)
			column->type.length = key_text_length(spec->key_count);
	}
}

const char *identity_missing(const struct schema *schema, const struct schema_spec *spec)
{
	for (size_t i = 0; i < spec->key_count; i++) {
		char name[SCHEMA_NAME_MAX + 1];
		bool is_found = false;
		bool is_name = identity_name(name, spec, spec->key[i]);
		for (size_t j = 0; is_name && j < schema->count; j++)
			is_found |= schema_same_name(schema->columns[j].name, name);
		if (!is_found)
			return spec->key[i];
	}
	return NULL;
}

/* Adds up the hashes of the names, each once: the sum does not depend on their order. */
static void add_names(struct id *sum, const char *label, const struct schema_spec *spec,
                      const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char name[SCHEMA_NAME_MAX + 1];
		if (!identity_name(name, spec, texts[i]) || is_listed(spec, texts, i, name))
			continue;
		for (char *c = name; *c != '\0'; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
		struct id hash;
		crypto_generichash(hash.bytes, sizeof hash.bytes, (const unsigned char *)name, strlen(name),
		                   (const unsigned char *)label, strlen(label));
		sodium_add(sum->bytes, hash.bytes, sizeof sum->bytes);
	}
}

struct id identity_fingerprint(const struct schema_spec *spec)
{
	static const char label[] = "rowsieve identity";
	struct {
		struct id schema, key, ignored;
		uint8_t keeps_duplicates;
	} parts = {.schema = schema_fingerprint(spec), .keeps_duplicates = spec->keeps_duplicates};
	add_names(&parts.key, "rowsieve key column", spec, spec->key, spec->key_count);
	add_names(&parts.ignored, "rowsieve ignored column", spec, spec->ignored, spec->ignored_count);
	struct id fingerprint;
	crypto_generichash(fingerprint.bytes, sizeof fingerprint.bytes, (const unsigned char *)&parts,
	                   sizeof parts, (const unsigned char *)label, sizeof label - 1);
	return fingerprint;
}

bool identity_accepts(const struct schema_spec *spec, struct id earlier)
{
	/* What bad values may have been before, by what they are now: rows with one were not stored, or will not
	 * be read any more. */
	static const bool may_have_been[][3] = {
	    [SCHEMA_BAD_VALUE_REJECT] = {true, true, true},
	    [SCHEMA_BAD_VALUE_NULL] = {[SCHEMA_BAD_VALUE_REJECT] = true, [SCHEMA_BAD_VALUE_NULL] = true},
	    [SCHEMA_BAD_VALUE_RESCUE] = {[SCHEMA_BAD_VALUE_REJECT] = true, [SCHEMA_BAD_VALUE_RESCUE] = true},
	};
	for (unsigned bad = SCHEMA_BAD_VALUE_REJECT; bad <= SCHEMA_BAD_VALUE_RESCUE; bad++) {
		struct schema_spec before = *spec;
		before.bad_value = (enum schema_bad_value)bad;
		if (!may_have_been[spec->bad_value][bad])
			continue;
		if (id_equal(identity_fingerprint(&before), earlier))
			return true;
		/* Columns that were not there when nothing was rescued are in no stored row. */
		before.drift = SCHEMA_DRIFT_ADD;
		if (spec->drift == SCHEMA_DRIFT_RESCUE && id_equal(identity_fingerprint(&before), earlier))
			return true;
	}
	return false;
}

struct identity identity_of(const struct schema *schema)
{
	struct identity identity = {.schema = schema};
	for (size_t i = 0; i < schema->count; i++) {
		identity.is_keyed |= schema->columns[i].is_key;
		identity.is_partial |= schema->columns[i].is_outside;
	}
	return identity;
}

void identity_close(struct identity *identity)
{
	buffer_free(&identity->scratch);
}

/* The cells of a row beside the columns of its schema: both stand in the order of ordinals. */
struct cells {
	struct slice row;
	size_t position;
	struct row_cell next;
	bool has_next;
};

static struct cells cells_of(struct slice row)
{
	struct cells cells = {.row = row};
	cells.has_next = row_next(row, &cells.position, &cells.next);
	return cells;
}

static bool take_cell(struct cells *cells, uint32_t ordinal, struct slice *text)
{
	if (!cells->has_next || cells->next.ordinal != ordinal)
		return false;
	*text = cells->next.text;
	cells->has_next = row_next(cells->row, &cells->position, &cells->next);
	return true;
}

/* The first eight bytes of a text, an integer as it is: enough to write rows in about the order of an index. */
static uint64_t rank_of(enum type_kind kind, struct slice text)
{
	uint64_t rank = 0;
	if (kind != TYPE_INTEGER) {
		for (size_t i = 0; i < sizeof rank; i++)
			rank = rank << 8 | (i < text.length ? (unsigned char)text.data[i] : 0);
		return rank;
	}
	bool is_negative = text.length > 0 && text.data[0] == '-';
	for (size_t i = is_negative; i < text.length; i++)
		rank = 10 * rank + (uint64_t)(text.data[i] - '0');
	return (UINT64_C(1) << 63) + (is_negative ? -rank : rank);
}

static enum result digest_key(struct identity *identity, struct slice row, const uint8_t *row_key,
                              struct identity_digests *digests, const char **missing)
{
	struct cells cells = cells_of(row);
	identity->scratch.length = 0;
	for (size_t i = 0; i < identity->schema->count; i++) {
		const struct schema_column *column = &identity->schema->columns[i];
		struct slice text;
		bool is_there = take_cell(&cells, column->ordinal, &text);
		if (!column->is_key)
			continue;
		if (!is_there) {
			*missing = column->name;
			return RESULT_INVALID;
		}
		if (identity->scratch.length == 0)
			digests->rank = rank_of(column->type.kind, text);
		if (row_append(&identity->scratch, column->ordinal, text) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	digests->key = row_digest((struct slice){identity->scratch.data, identity->scratch.length}, row_key);
	return RESULT_OK;
}

static enum result digest_inside(struct identity *identity, struct slice row, const uint8_t *row_key,
                                 struct row_digest *digest)
{
	struct cells cells = cells_of(row);
	identity->scratch.length = 0;
	for (size_t i = 0; i < identity->schema->count; i++) {
		const struct schema_column *column = &identity->schema->columns[i];
		struct slice text;
		if (!take_cell(&cells, column->ordinal, &text) || column->is_outside)
			continue;
		if (row_append(&identity->scratch, column->ordinal, text) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	*digest = row_digest((struct slice){identity->scratch.data, identity->scratch.length}, row_key);
	return RESULT_OK;
}

enum result identity_digest(struct identity *identity, struct slice row, const uint8_t row_key[ROW_KEY_SIZE],
                            struct identity_digests *digests, const char **column)
{
	digests->key = (struct row_digest){0};
	digests->rank = 0;
	enum result result = RESULT_OK;
	if (identity->is_keyed)
		result = digest_key(identity, row, row_key, digests, column);
	if (result == RESULT_OK && identity->is_partial)
		return digest_inside(identity, row, row_key, &digests->row);
	digests->row = row_digest(row, row_key);
	return result;
}

struct row_digest identity_occurrence(struct row_digest row, uint64_t n, const uint8_t row_key[ROW_KEY_SIZE])
{
	uint64_t words[] = {htole64(row.hi), htole64(row.lo), htole64(n)};
	return row_digest((struct slice){(const char *)words, sizeof words}, row_key);
}
