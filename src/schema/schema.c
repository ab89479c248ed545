// SPDX-License-Identifier: Apache-2.0
#include "schema/schema.h"

#include <endian.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "base/cleanup.h"
#include "schema/column.h"
#include "schema/header.h"
#include "schema/row.h"

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

struct schema *schema_new(void)
{
	return calloc(1, sizeof(struct schema));
}

static void truncate_columns(struct schema *schema, size_t count)
{
	while (schema->count > count)
		column_clear(&schema->columns[--schema->count]);
}

void schema_free(struct schema *schema)
{
	if (schema == NULL)
		return;
	truncate_columns(schema, 0);
	free(schema->columns);
	free(schema);
}

static enum result reserve_columns(struct schema *schema, size_t more)
{
	if (more == 0)
		return RESULT_OK;
	struct schema_column *columns = reallocarray(schema->columns, schema->count + more, sizeof *columns);
	if (columns == NULL)
		return RESULT_NO_MEMORY;
	schema->columns = columns;
	return RESULT_OK;
}

struct schema *schema_copy(const struct schema *schema)
{
	struct schema *copy = schema_new();
	if (copy == NULL || reserve_columns(copy, schema->count) != RESULT_OK)
		goto failed;
	copy->version = schema->version;
	for (size_t i = 0; i < schema->count; i++) {
		const struct schema_column *from = &schema->columns[i];
		struct schema_column *to = &copy->columns[copy->count++];
		*to = *from;
		struct type_formats formats = column_formats(from);
		if (column_set_strings(to, from->source, &formats) != RESULT_OK)
			goto failed;
	}
	return copy;
failed:
	schema_free(copy);
	return NULL;
}

enum result schema_encode(const struct schema *schema, struct buffer *out)
{
	json_auto_t *columns = json_array();
	for (size_t i = 0; i < schema->count; i++)
		if (json_array_append_new(columns, column_encode(&schema->columns[i])) != 0)
			return RESULT_NO_MEMORY;
	json_auto_t *root =
	    json_pack("{s:I, s:O}", "version", (json_int_t)schema->version, "columns", columns);
	CLEANUP_FREE char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
	return text == NULL ? RESULT_NO_MEMORY : buffer_append_string(out, text);
}

static struct schema_column *find_column(const struct schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->count; i++)
		if (schema_same_name(schema->columns[i].name, name))
			return &schema->columns[i];
	return NULL;
}

static enum result decode_columns(struct schema *schema, const json_t *encoded)
{
	if (!json_is_array(encoded))
		return RESULT_INVALID;
	if (reserve_columns(schema, json_array_size(encoded)) != RESULT_OK)
		return RESULT_NO_MEMORY;
	uint32_t last_ordinal = 0;
	for (size_t i = 0; i < json_array_size(encoded); i++) {
		struct schema_column *column = &schema->columns[i];
		enum result result = column_decode(column, json_array_get(encoded, i));
		bool is_repeated = result == RESULT_OK && find_column(schema, column->name) != NULL;
		schema->count++;
		if (result != RESULT_OK)
			return result;
		if (is_repeated || column->ordinal <= last_ordinal)
			return RESULT_INVALID;
		last_ordinal = column->ordinal;
	}
	return RESULT_OK;
}

static enum result decode_root(struct schema *schema, const void *bytes, size_t count)
{
	json_error_t detail = {0};
	json_auto_t *root = json_loadb(bytes, count, JSON_REJECT_DUPLICATES, &detail);
	json_int_t version;
	json_t *columns;
	if (root == NULL ||
	    json_unpack_ex(root, &detail, 0, "{s:I, s:o!}", "version", &version, "columns", &columns) != 0)
		return column_json_fault(&detail);
	if (version < 1 || version > UINT32_MAX)
		return RESULT_INVALID;
	schema->version = (uint32_t)version;
	return decode_columns(schema, columns);
}

enum result schema_decode(struct schema **out, const void *bytes, size_t count, struct error *error)
{
	struct schema *schema = schema_new();
	if (schema == NULL)
		return no_memory(error);
	enum result result = decode_root(schema, bytes, count);
	if (result == RESULT_OK) {
		*out = schema;
		return RESULT_OK;
	}
	schema_free(schema);
	return result == RESULT_NO_MEMORY ? no_memory(error)
	                                  : error_set(error, RESULT_STATE, "the frozen schema is damaged");
}

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static char name_character(ucs4_t character)
{
	char c = character < 0x80 ? to_lower((char)character) : '_';
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
}

bool schema_name(char name[SCHEMA_NAME_MAX + 1], struct slice text)
{
	while (text.length > 0 && is_blank(text.data[text.length - 1]))
		text.length--;
	size_t at = 0;
	while (at < text.length && is_blank(text.data[at]))
		at++;
	size_t length = 0;
	while (at < text.length && length < SCHEMA_NAME_MAX) {
		ucs4_t character;
		int size = u8_mbtoucr(&character, (const uint8_t *)text.data + at, text.length - at);
		name[length++] = size > 0 ? name_character(character) : '_';
		at += size > 0 ? (size_t)size : 1;
	}
	name[length] = '\0';
	return length > 0 && at == text.length;
}

bool schema_declared_name(char name[SCHEMA_NAME_MAX + 1], const struct schema_declared *declared)
{
	if (declared->name == NULL)
		return schema_name(name, slice_from_string(declared->source));
	if (!column_is_name(declared->name))
		return false;
	strcpy(name, declared->name);
	return true;
}

bool schema_same_name(const char *a, const char *b)
{
	while (*a != '\0' && to_lower(*a) == to_lower(*b)) {
		a++;
		b++;
	}
	return *a == *b;
}

/* The source as a line of text: it may hold anything. */
static enum result copy_source(struct schema_column *column, struct slice source,
                               const struct type_formats *formats)
{
	CLEANUP_FREE char *raw = strndup(source.data, source.length);
	CLEANUP_FREE char *shown = malloc(4 * source.length + 1);
	if (raw == NULL || shown == NULL)
		return RESULT_NO_MEMORY;
	error_quote(shown, 4 * source.length + 1, raw);
	return column_set_strings(column, shown, formats);
}

static enum result append_column(struct schema *schema, const struct header_name *name, struct slice source)
{
	uint32_t last_ordinal = schema->count > 0 ? schema->columns[schema->count - 1].ordinal : 0;
	struct schema_column *column = &schema->columns[schema->count++];
	*column = (struct schema_column){.ordinal = last_ordinal + 1, .type.kind = TYPE_TEXT};
	memcpy(column->name, name->text, sizeof column->name);
	struct type_formats formats = {0};
	if (name->declared != NULL && name->declared->has_type) {
		column->type = name->declared->type;
		formats = name->declared->formats;
	}
	return copy_source(column, source, &formats);
}

enum result schema_extend(struct schema *schema, const struct schema_spec *spec, const struct slice *header,
                          size_t count, size_t *added, struct error *error)
{
	*added = 0;
	CLEANUP_FREE struct header_name *names = NULL;
	enum result result = header_names(&names, spec, header, count, error);
	if (result != RESULT_OK)
		return result;
	if (reserve_columns(schema, count) != RESULT_OK)
		return no_memory(error);
	size_t before = schema->count;
	for (size_t i = 0; i < count; i++) {
		if (find_column(schema, names[i].text) != NULL)
			continue;
		if (append_column(schema, &names[i], header[i]) != RESULT_OK) {
			truncate_columns(schema, before);
			return no_memory(error);
		}
	}
	*added = schema->count - before;
	return RESULT_OK;
}

static enum result fill_map(struct schema_map *map, const struct schema *schema,
                            const struct header_name *names, struct error *error)
{
	for (size_t i = 0; i < map->column_count; i++)
		map->field[i] = SCHEMA_NO_FIELD;
	for (size_t i = 0; i < map->field_count; i++) {
		const struct schema_column *column = find_column(schema, names[i].text);
		if (column == NULL)
			return error_set(error, RESULT_INVALID,
			                 "the header has a column '%s' that the schema lacks", names[i].text);
		map->column[i] = (uint32_t)(column - schema->columns);
		map->field[map->column[i]] = (uint32_t)i;
	}
	return RESULT_OK;
}

enum result schema_map_header(struct schema_map *map, const struct schema *schema,
                              const struct schema_spec *spec, const struct slice *header, size_t count,
                              struct error *error)
{
	*map = (struct schema_map){0};
	CLEANUP_FREE struct header_name *names = NULL;
	enum result result = header_names(&names, spec, header, count, error);
	if (result != RESULT_OK)
		return result;
	*map = (struct schema_map){
	    .field_count = count,
	    .column = calloc(count + 1, sizeof *map->column),
	    .field = calloc(schema->count + 1, sizeof *map->field),
	    .column_count = schema->count,
	};
	result = map->column == NULL || map->field == NULL ? no_memory(error)
	                                                   : fill_map(map, schema, names, error);
	if (result != RESULT_OK)
		schema_map_free(map);
	return result;
}

void schema_map_free(struct schema_map *map)
{
	free(map->column);
	free(map->field);
	*map = (struct schema_map){0};
}

static enum result append_cell(struct buffer *out, const struct schema_column *column, struct slice field,
                               struct schema_fault *fault)
{
	if (type_is_null(&column->type, field))
		return RESULT_OK;
	struct type_value value;
	struct type_formats formats = column_formats(column);
	if (!type_canonical(&value, &column->type, &formats, field, &fault->reason)) {
		fault->column = column->name;
		return RESULT_INVALID;
	}
	return row_append(out, column->ordinal, value.text);
}

enum result schema_row(const struct schema *schema, const struct schema_map *map, const struct slice *fields,
                       size_t count, struct buffer *out, struct schema_fault *fault)
{
	if (count != map->field_count) {
		*fault = (struct schema_fault){NULL, count < map->field_count ? "too few fields"
		                                                              : "too many fields"};
		return RESULT_INVALID;
	}
	size_t start = out->length;
	for (size_t i = 0; i < map->column_count; i++) {
		if (map->field[i] == SCHEMA_NO_FIELD)
			continue;
		enum result result = append_cell(out, &schema->columns[i], fields[map->field[i]], fault);
		if (result != RESULT_OK) {
			out->length = start;
			return result;
		}
	}
	return RESULT_OK;
}

static void hash_text(crypto_generichash_state *state, const char *text)
{
	uint64_t length = strlen(text);
	uint64_t encoded = htole64(length);
	crypto_generichash_update(state, (const unsigned char *)&encoded, sizeof encoded);
	crypto_generichash_update(state, (const unsigned char *)text, length);
}

static struct id hash_declared(const struct schema_declared *declared)
{
	char name[SCHEMA_NAME_MAX + 1];
	char type[TYPE_TEXT_MAX] = "";
	if (declared->has_type)
		type_text(type, &declared->type);
	crypto_generichash_state state;
	crypto_generichash_init(&state, NULL, 0, ID_SIZE);
	hash_text(&state, schema_declared_name(name, declared) ? name : declared->source);
	hash_text(&state, type);
	for (size_t i = 0; i < declared->formats.count; i++)
		hash_text(&state, declared->formats.formats[i]);
	struct id hash;
	crypto_generichash_final(&state, hash.bytes, sizeof hash.bytes);
	return hash;
}

struct id schema_fingerprint(const struct schema_spec *spec)
{
	static const unsigned char label[] = "rowsieve schema";
	/* Names differ, so hashes do, and their sum does not depend on the order. */
	struct id sum = {{0}};
	for (size_t i = 0; i < spec->count; i++) {
		struct id hash = hash_declared(&spec->columns[i]);
		sodium_add(sum.bytes, hash.bytes, sizeof sum.bytes);
	}
	struct id fingerprint;
	crypto_generichash(fingerprint.bytes, sizeof fingerprint.bytes, sum.bytes, sizeof sum.bytes, label,
	                   sizeof label);
	return fingerprint;
}
