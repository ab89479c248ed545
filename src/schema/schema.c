// SPDX-License-Identifier: Apache-2.0
#include "schema/schema.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "base/cleanup.h"
#include "schema/column.h"
#include "schema/header.h"
#include "schema/provenance.h"

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

struct schema_column *schema_find(const struct schema *schema, const char *name)
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
		bool is_repeated = result == RESULT_OK && schema_find(schema, column->name) != NULL;
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

static enum result append_column(struct schema *schema, const char *name, const struct schema_spec *spec,
                                 const struct schema_declared *declared, struct slice source)
{
	uint32_t last_ordinal = schema->count > 0 ? schema->columns[schema->count - 1].ordinal : 0;
	if (reserve_columns(schema, 1) != RESULT_OK)
		return RESULT_NO_MEMORY;
	struct schema_column *column = &schema->columns[schema->count++];
	*column = (struct schema_column){.ordinal = last_ordinal + 1, .type.kind = TYPE_TEXT};
	strcpy(column->name, name);
	const struct schema_column *present = spec->present != NULL ? schema_find(spec->present, name) : NULL;
	if (present != NULL)
		column->type = present->type;
	struct type_formats formats = {0};
	if (declared != NULL && declared->has_type) {
		column->type = declared->type;
		formats = declared->formats;
	}
	return copy_source(column, source, &formats);
}

bool schema_rescues(const struct schema_spec *spec)
{
	return spec->drift == SCHEMA_DRIFT_RESCUE || spec->bad_value == SCHEMA_BAD_VALUE_RESCUE ||
	       spec->ragged == SCHEMA_RAGGED_RESCUE;
}

/* A header and what it is called. */
struct heading {
	const struct slice *header;
	const struct header_name *names;
	size_t count;
};

static enum result append_header(struct schema *schema, const struct schema_spec *spec,
                                 const struct heading *heading, bool is_first)
{
	for (size_t i = 0; i < heading->count; i++) {
		const struct header_name *name = &heading->names[i];
		bool is_surplus = name->declared == NULL &&
		                  (spec->only_declared || (!is_first && spec->drift == SCHEMA_DRIFT_RESCUE));
		if (is_surplus || schema_find(schema, name->text) != NULL)
			continue;
		if (append_column(schema, name->text, spec, name->declared, heading->header[i]) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return RESULT_OK;
}

static enum result append_declared(struct schema *schema, const struct schema_spec *spec)
{
	for (size_t i = 0; i < spec->count; i++) {
		const struct schema_declared *declared = &spec->columns[i];
		char name[SCHEMA_NAME_MAX + 1];
		if (!schema_declared_name(name, declared) || schema_find(schema, name) != NULL)
			continue;
		if (append_column(schema, name, spec, declared, slice_from_string(declared->source)) !=
		    RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return RESULT_OK;
}

/* The type as far as it decides canonical texts: how wide a column is does not. */
static const char *text_of_kind(char text[TYPE_TEXT_MAX], const struct type *type)
{
	if (type->kind == TYPE_INTEGER || type->kind == TYPE_DECIMAL)
		return "number";
	if (type->kind == TYPE_TEXT)
		return "text";
	type_text(text, type);
	return text;
}

/* Do formats begin with these? */
static bool begin_with(const struct type_formats *formats, const struct type_formats *first)
{
	if (formats->count < first->count)
		return false;
	for (size_t i = 0; i < first->count; i++)
		if (strcmp(formats->formats[i], first->formats[i]) != 0)
			return false;
	return true;
}

const char *schema_disagreement(const struct schema *schema, const struct schema_spec *spec)
{
	for (size_t i = 0; i < spec->count; i++) {
		char name[SCHEMA_NAME_MAX + 1], wanted[TYPE_TEXT_MAX], frozen[TYPE_TEXT_MAX];
		const struct schema_declared *declared = &spec->columns[i];
		const struct schema_column *column =
		    schema_declared_name(name, declared) ? schema_find(schema, name) : NULL;
		if (column == NULL || !declared->has_type)
			continue;
		struct type_formats formats = column_formats(column);
		bool is_same =
		    strcmp(text_of_kind(wanted, &declared->type), text_of_kind(frozen, &column->type)) == 0 &&
		    (formats.count == 0) == (declared->formats.count == 0) &&
		    begin_with(&declared->formats, &formats);
		/* A key has an index, which not every table can be widened under. */
		if (!is_same || (column->is_key && column->type.kind != declared->type.kind))
			return column->name;
	}
	return NULL;
}

/* Takes more formats, behind those that are there. */
static enum result add_formats(struct schema_column *column, const struct type_formats *formats)
{
	struct schema_column changed = *column;
	if (column_set_strings(&changed, column->source, formats) != RESULT_OK) {
		column_clear(&changed);
		return RESULT_NO_MEMORY;
	}
	column_clear(column);
	*column = changed;
	return RESULT_OK;
}

/* A declaration may ask for a wider type than was frozen, and for further formats. */
static enum result widen_declared(struct schema *schema, const struct schema_spec *spec, size_t *widened)
{
	for (size_t i = 0; i < spec->count; i++) {
		char name[SCHEMA_NAME_MAX + 1];
		const struct schema_declared *declared = &spec->columns[i];
		struct schema_column *column =
		    schema_declared_name(name, declared) ? schema_find(schema, name) : NULL;
		if (column == NULL || !declared->has_type)
			continue;
		/* What a key's text lacks in length it was given for its index. */
		bool is_indexed = column->is_key && declared->type.length == 0;
		*widened += !is_indexed && type_widen(&column->type, &declared->type);
		struct type_formats formats = column_formats(column);
		if (formats.count == 0 || declared->formats.count <= formats.count)
			continue;
		if (add_formats(column, &declared->formats) != RESULT_OK)
			return RESULT_NO_MEMORY;
		++*widened;
	}
	return RESULT_OK;
}

static enum result append_rescued(struct schema *schema, const struct schema_spec *spec)
{
	if (!schema_rescues(spec) || schema_find(schema, SCHEMA_RESCUED) != NULL)
		return RESULT_OK;
	return append_column(schema, SCHEMA_RESCUED, spec, NULL, slice_from_string(SCHEMA_RESCUED));
}

static enum result append_provenance(struct schema *schema, const struct schema_spec *spec)
{
	for (size_t i = 0; spec->provenance && i < PROVENANCE_COUNT; i++) {
		const char *name = provenance_names[i];
		if (schema_find(schema, name) != NULL)
			continue;
		if (append_column(schema, name, spec, NULL, slice_from_string(name)) != RESULT_OK)
			return RESULT_NO_MEMORY;
		schema->columns[schema->count - 1].type = provenance_type(name);
	}
	return RESULT_OK;
}

/* Which names the header has and the schema has not, and the other way round, as far as a message holds them.
 */
static enum result check_frozen(const struct schema *schema, const struct schema_spec *spec,
                                const struct heading *heading, struct error *error)
{
	char more[ERROR_MESSAGE_MAX / 3] = "", less[ERROR_MESSAGE_MAX / 3] = "";
	for (size_t i = 0; i < heading->count; i++) {
		const struct header_name *name = &heading->names[i];
		if ((name->declared != NULL || !spec->only_declared) &&
		    schema_find(schema, name->text) == NULL)
			snprintf(more + strlen(more), sizeof more - strlen(more), " '%s'", name->text);
	}
	if (more[0] == '\0')
		return RESULT_OK;
	for (size_t i = 0; i < schema->count; i++) {
		bool is_there = strcmp(schema->columns[i].name, SCHEMA_RESCUED) == 0 ||
		                provenance_is_name(schema->columns[i].name);
		for (size_t j = 0; j < heading->count; j++)
			is_there |= schema_same_name(schema->columns[i].name, heading->names[j].text);
		if (!is_there)
			snprintf(less + strlen(less), sizeof less - strlen(less), " '%s'",
			         schema->columns[i].name);
	}
	return error_set(error, RESULT_INVALID,
	                 "its columns differ from the table's (drift = \"freeze\"): new%s%s%s", more,
	                 less[0] != '\0' ? "; missing" : "", less);
}

enum result schema_extend(struct schema *schema, const struct schema_spec *spec, const struct slice *header,
                          size_t count, size_t *added, struct error *error)
{
	*added = 0;
	CLEANUP_FREE struct header_name *names = NULL;
	const struct schema *known = schema->count > 0 ? schema : spec->present;
	enum result result = header_names(&names, spec, known, header, count, error);
	if (result != RESULT_OK)
		return result;
	size_t before = schema->count;
	bool is_first = before == 0;
	struct heading heading = {header, names, count};
	if (!is_first && spec->drift == SCHEMA_DRIFT_FREEZE)
		result = check_frozen(schema, spec, &heading, error);
	if (result != RESULT_OK)
		return result;
	/* The order of the declarations is the table's where nothing else is in it. */
	if (spec->only_declared)
		result = append_declared(schema, spec);
	if (result == RESULT_OK)
		result = append_header(schema, spec, &heading, is_first);
	if (result == RESULT_OK)
		result = append_declared(schema, spec);
	if (result == RESULT_OK)
		result = append_rescued(schema, spec);
	if (result == RESULT_OK)
		result = append_provenance(schema, spec);
	*added = schema->count - before;
	if (result == RESULT_OK)
		result = widen_declared(schema, spec, added);
	if (result != RESULT_OK) {
		truncate_columns(schema, before);
		return no_memory(error);
	}
	return RESULT_OK;
}
