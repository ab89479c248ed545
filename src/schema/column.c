// SPDX-License-Identifier: Apache-2.0
#include "schema/column.h"

#include <stdlib.h>
#include <string.h>
#include <unistr.h>

void column_clear(struct schema_column *column)
{
	free(column->source);
	for (size_t i = 0; i < column->format_count; i++)
		free(column->formats[i]);
	column->source = NULL;
	column->format_count = 0;
}

enum result column_set_strings(struct schema_column *column, const char *source,
                               const struct type_formats *formats)
{
	column->format_count = 0;
	column->source = strdup(source);
	if (column->source == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < formats->count; i++) {
		column->formats[i] = strdup(formats->formats[i]);
		if (column->formats[i] == NULL)
			return RESULT_NO_MEMORY;
		column->format_count++;
	}
	return RESULT_OK;
}

bool column_is_name(const char *name)
{
	size_t length = strlen(name);
	return length > 0 && length <= SCHEMA_NAME_MAX && u8_check((const uint8_t *)name, length) == NULL;
}

struct type_formats column_formats(const struct schema_column *column)
{
	return (struct type_formats){(const char *const *)column->formats, column->format_count};
}

static json_t *encode_formats(const struct schema_column *column)
{
	json_t *formats = json_array();
	for (size_t i = 0; i < column->format_count; i++) {
		if (json_array_append_new(formats, json_string(column->formats[i])) != 0) {
			json_decref(formats);
			return NULL;
		}
	}
	return formats;
}

json_t *column_encode(const struct schema_column *column)
{
	char type[TYPE_TEXT_MAX];
	type_text(type, &column->type);
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:b, s:b}", "ordinal", (json_int_t)column->ordinal,
	                 "name", column->name, "source", column->source, "type", type, "formats",
	                 encode_formats(column), "key", column->is_key, "outside", column->is_outside);
}

enum result column_json_fault(const json_error_t *detail)
{
	enum json_error_code code = json_error_code(detail);
	/* Not every allocation that fails inside jansson sets a code; every other failure does. */
	return code == json_error_out_of_memory || code == json_error_unknown ? RESULT_NO_MEMORY
	                                                                      : RESULT_INVALID;
}

static bool decode_formats(struct type_formats *formats, const char *texts[TYPE_FORMATS_MAX],
                           const json_t *encoded, enum type_kind kind)
{
	size_t count = json_array_size(encoded);
	bool takes_formats = kind == TYPE_DATE || kind == TYPE_DATETIME;
	if (!json_is_array(encoded) || count > (takes_formats ? TYPE_FORMATS_MAX : 0))
		return false;
	for (size_t i = 0; i < count; i++) {
		texts[i] = json_string_value(json_array_get(encoded, i));
		if (texts[i] == NULL || type_check_format(texts[i], kind, NULL) != RESULT_OK)
			return false;
	}
	*formats = (struct type_formats){texts, count};
	return true;
}

enum result column_decode(struct schema_column *column, json_t *encoded)
{
	*column = (struct schema_column){0};
	json_int_t ordinal;
	const char *name, *source, *type;
	int is_key, is_outside;
	json_t *format_list;
	json_error_t detail = {0};
	if (json_unpack_ex(encoded, &detail, 0, "{s:I, s:s, s:s, s:s, s:o, s:b, s:b!}", "ordinal", &ordinal,
	                   "name", &name, "source", &source, "type", &type, "formats", &format_list, "key",
	                   &is_key, "outside", &is_outside) != 0)
		return column_json_fault(&detail);
	if (ordinal < 1 || ordinal > UINT32_MAX || !column_is_name(name) ||
	    type_parse(&column->type, type, NULL) != RESULT_OK)
		return RESULT_INVALID;
	const char *texts[TYPE_FORMATS_MAX];
	struct type_formats formats;
	if (!decode_formats(&formats, texts, format_list, column->type.kind))
		return RESULT_INVALID;
	column->ordinal = (uint32_t)ordinal;
	column->is_key = is_key != 0;
	column->is_outside = is_outside != 0;
	memcpy(column->name, name, strlen(name) + 1);
	return column_set_strings(column, source, &formats);
}
