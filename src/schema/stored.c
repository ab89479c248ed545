// SPDX-License-Identifier: Apache-2.0
#include "schema/stored.h"

#include <stdlib.h>
#include <string.h>

#include "schema/column.h"
#include "schema/identity.h"
#include "schema/row.h"

enum { DATE_LENGTH = 10 }; /* YYYY-MM-DD */

static const struct type_formats BUILT_IN = {0};

enum result stored_add_column(struct schema *schema, const char *name, const struct type *type)
{
	if (!column_is_name(name))
		return RESULT_OK;
	struct schema_column *columns =
	    reallocarray(schema->columns, schema->count + 1, sizeof *schema->columns);
	if (columns == NULL)
		return RESULT_NO_MEMORY;
	schema->columns = columns;
	uint32_t last_ordinal = schema->count > 0 ? columns[schema->count - 1].ordinal : 0;
	struct schema_column *column = &columns[schema->count++];
	*column = (struct schema_column){.ordinal = last_ordinal + 1, .type = *type};
	strcpy(column->name, name);
	return column_set_strings(column, name, &BUILT_IN);
}

static enum result declare_column(struct schema_column *column, const struct schema_declared *declared)
{
	struct schema_column changed = *column;
	if (declared->has_type)
		changed.type = declared->type;
	enum result result = column_set_strings(&changed, declared->source,
	                                        declared->has_type ? &declared->formats : &BUILT_IN);
	if (result != RESULT_OK) {
		column_clear(&changed);
		return result;
	}
	column_clear(column);
	*column = changed;
	return RESULT_OK;
}

enum result stored_declare(struct schema *schema, const struct schema_spec *spec)
{
	for (size_t i = 0; i < spec->count; i++) {
		char name[SCHEMA_NAME_MAX + 1];
		if (!schema_declared_name(name, &spec->columns[i]))
			continue;
		for (size_t j = 0; j < schema->count; j++) {
			if (!schema_same_name(schema->columns[j].name, name))
				continue;
			enum result result = declare_column(&schema->columns[j], &spec->columns[i]);
			if (result != RESULT_OK)
				return result;
		}
	}
	identity_mark(schema, spec);
	return RESULT_OK;
}

bool stored_is_midnight(struct slice text)
{
	static const char midnight[] = " 00:00:00";
	if (text.length < DATE_LENGTH + sizeof midnight - 1 ||
	    memcmp(text.data + DATE_LENGTH, midnight, sizeof midnight - 1) != 0)
		return false;
	for (size_t i = DATE_LENGTH + sizeof midnight - 1; i < text.length; i++) {
		if (text.data[i] != '0' && text.data[i] != '.')
			return false;
	}
	return true;
}

static bool canonical(struct type_value *value, const struct schema_column *column, struct slice cell,
                      const char **reason)
{
	if (column->type.kind == TYPE_DATE && stored_is_midnight(cell))
		cell.length = DATE_LENGTH;
	if (type_canonical(value, &column->type, &BUILT_IN, cell, reason))
		return true;
	struct type_formats formats = column_formats(column);
	return formats.count > 0 && type_canonical(value, &column->type, &formats, cell, reason);
}

enum result stored_row(const struct schema *schema, const struct slice *cells, struct buffer *out,
                       struct schema_fault *fault)
{
	size_t start = out->length;
	for (size_t i = 0; i < schema->count; i++) {
		const struct schema_column *column = &schema->columns[i];
		if (cells[i].data == NULL)
			continue;
		struct type_value value;
		enum result result = RESULT_INVALID;
		fault->column = column->name;
		if (canonical(&value, column, cells[i], &fault->reason))
			result = row_append(out, column->ordinal, value.text);
		if (result != RESULT_OK) {
			out->length = start;
			return result;
		}
	}
	return RESULT_OK;
}
