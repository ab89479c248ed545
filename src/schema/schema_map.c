// SPDX-License-Identifier: Apache-2.0
#include "schema/schema_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema/column.h"
#include "schema/filter.h"
#include "schema/header.h"
#include "schema/rescue.h"

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

/* What a map is made of. */
struct making {
	struct schema_map *map;
	const struct schema *schema;
	const struct schema_spec *spec;
	const struct header_name *names;
	struct buffer fallbacks; /* of the cells that have one, in order */
	size_t memo_count;       /* of cells */
};

static const struct schema_declared *find_declared(const struct schema_spec *spec,
                                                   const struct schema_column *column)
{
	char name[SCHEMA_NAME_MAX + 1];
	for (size_t i = 0; i < spec->count; i++)
		if (schema_declared_name(name, &spec->columns[i]) && schema_same_name(name, column->name))
			return &spec->columns[i];
	return NULL;
}

static void fill_reading(struct type_reading *reading, const struct schema_spec *spec,
                         const struct schema_column *column, const struct schema_declared *declared)
{
	bool has_type = declared != NULL && declared->has_type;
	*reading = (struct type_reading){
	    .type = has_type ? declared->type : column->type,
	    .formats = column_formats(column),
	    .is_loose = has_type || column->type.kind == TYPE_DATETIME,
	    .trim = spec->trim,
	    .thousands = spec->thousands,
	    .decimal = spec->decimal,
	    .zone = declared != NULL ? declared->zone : NULL,
	    .nulls = spec->nulls,
	    .null_count = spec->null_count,
	    .has_nulls = spec->has_nulls,
	};
}

/* Reads the default as a field of the column would be read. Its place is set when all are read. */
static enum result fill_fallback(struct making *making, struct schema_map_cell *cell, const char *fallback,
                                 struct error *error)
{
	struct type_value value;
	const char *reason;
	if (!type_read(&value, &cell->reading, slice_from_string(fallback), &reason))
		return error_set(error, RESULT_CONFIG, "column '%s': its default '%s' is %s", cell->name,
		                 fallback, reason);
	cell->fallback = (struct slice){"", value.text.length};
	if (buffer_append(&making->fallbacks, value.text.data, value.text.length) != RESULT_OK)
		return no_memory(error);
	return RESULT_OK;
}

/* Which fields of a column may take a short way: where nothing but the type decides what they are. */
static enum schema_map_way way_of(const struct schema_spec *spec, const struct type_reading *reading)
{
	bool has_usual_point = reading->decimal == '\0' || reading->decimal == '.';
	if (spec->trim || spec->has_nulls)
		return SCHEMA_MAP_ANY;
	switch (reading->type.kind) {
	case TYPE_TEXT:
		return SCHEMA_MAP_TEXT;
	case TYPE_INTEGER:
		return has_usual_point ? SCHEMA_MAP_INTEGER : SCHEMA_MAP_ANY;
	case TYPE_DATE:
		return SCHEMA_MAP_DATE; /* by no format is a missing value one: each has a year */
	default:
		return SCHEMA_MAP_ANY;
	}
}

static enum result choose_way(struct making *making, struct schema_map_cell *cell)
{
	enum { MEMOS_MAX = 8 }; /* so that memory is bounded; there are seldom more columns of dates */
	cell->way = way_of(making->spec, &cell->reading);
	if (cell->way == SCHEMA_MAP_DATE && making->memo_count == MEMOS_MAX)
		cell->way = SCHEMA_MAP_ANY;
	if (cell->way != SCHEMA_MAP_DATE)
		return RESULT_OK;
	making->memo_count++;
	cell->memo = date_memo_new();
	return cell->memo != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

static enum result fill_cell(struct making *making, size_t index, struct error *error)
{
	const struct schema_spec *spec = making->spec;
	const struct schema_column *column = &making->schema->columns[index];
	const struct schema_declared *declared = find_declared(spec, column);
	struct schema_map_cell *cell = &making->map->cells[index];
	bool is_number = column->type.kind == TYPE_INTEGER || column->type.kind == TYPE_DECIMAL;
	bool has_type = declared != NULL && declared->has_type;
	*cell = (struct schema_map_cell){
	    .ordinal = column->ordinal,
	    .field = SCHEMA_MAP_NONE,
	    .name = column->name,
	    .is_plain = !spec->trim && !spec->has_nulls,
	    .is_widenable = is_number && !has_type && !column->is_key && spec->drift == SCHEMA_DRIFT_ADD,
	    .is_rescued = schema_rescues(spec) && strcmp(column->name, SCHEMA_RESCUED) == 0,
	};
	fill_reading(&cell->reading, spec, column, declared);
	if (choose_way(making, cell) != RESULT_OK)
		return no_memory(error);
	if (declared == NULL || declared->fallback == NULL)
		return RESULT_OK;
	return fill_fallback(making, cell, declared->fallback, error);
}

static enum result fill_cells(struct making *making, struct error *error)
{
	struct schema_map *map = making->map;
	for (size_t i = 0; i < map->cell_count; i++) {
		enum result result = fill_cell(making, i, error);
		if (result != RESULT_OK)
			return result;
	}
	map->texts = making->fallbacks.data;
	making->fallbacks = (struct buffer){0};
	const char *at = map->texts;
	for (size_t i = 0; i < map->cell_count; i++) {
		struct slice *fallback = &map->cells[i].fallback;
		if (fallback->length == 0)
			continue;
		fallback->data = at;
		at += fallback->length;
	}
	return RESULT_OK;
}

/* A field without a column: passed over, rescued, or more than the schema knows. */
static enum result fill_surplus(struct making *making, size_t field, struct error *error)
{
	struct schema_map *map = making->map;
	const struct header_name *name = &making->names[field];
	map->column[field] = SCHEMA_MAP_NONE;
	if (making->spec->only_declared && name->declared == NULL)
		return RESULT_OK;
	if (making->spec->drift != SCHEMA_DRIFT_RESCUE)
		return error_set(error, RESULT_INVALID, "the header has a column '%s' that the schema lacks",
		                 name->text);
	return rescue_name(map->rescue, field, name->text) == RESULT_OK ? RESULT_OK : no_memory(error);
}

static enum result fill_fields(struct making *making, struct error *error)
{
	struct schema_map *map = making->map;
	for (size_t i = 0; i < map->field_count; i++) {
		const struct header_name *name = &making->names[i];
		bool is_passed_over = making->spec->only_declared && name->declared == NULL;
		const struct schema_column *column =
		    is_passed_over ? NULL : schema_find(making->schema, name->text);
		if (column == NULL) {
			enum result result = fill_surplus(making, i, error);
			if (result != RESULT_OK)
				return result;
			continue;
		}
		map->column[i] = (uint32_t)(column - making->schema->columns);
		map->cells[map->column[i]].field = (uint32_t)i;
	}
	return RESULT_OK;
}

/* A file that shares nothing with the table is another one's. */
static enum result demand_any(const struct schema_map *map, struct error *error)
{
	for (size_t i = 0; i < map->cell_count; i++)
		if (map->cells[i].field != SCHEMA_MAP_NONE)
			return RESULT_OK;
	return error_set(error, RESULT_INVALID, "the header has none of the table's columns");
}

static enum result demand_columns(const struct making *making, struct error *error)
{
	const struct schema_spec *spec = making->spec;
	if (spec->missing != SCHEMA_MISSING_REJECT)
		return RESULT_OK;
	for (size_t i = 0; i < making->map->cell_count; i++) {
		const struct schema_map_cell *cell = &making->map->cells[i];
		bool is_wanted =
		    !spec->only_declared || find_declared(spec, &making->schema->columns[i]) != NULL;
		if (cell->field == SCHEMA_MAP_NONE && !cell->is_rescued && is_wanted)
			return error_set(error, RESULT_INVALID,
			                 "the header lacks column '%s' (missing = \"reject\")", cell->name);
	}
	return RESULT_OK;
}

static enum result open_filter(const struct making *making, struct error *error)
{
	struct schema_map *map = making->map;
	if (making->spec->where_count == 0)
		return RESULT_OK;
	CLEANUP_FREE const struct type_reading **readings = calloc(map->cell_count + 1, sizeof *readings);
	if (readings == NULL)
		return no_memory(error);
	for (size_t i = 0; i < map->cell_count; i++)
		readings[i] = &map->cells[i].reading;
	return filter_open(&map->filter, making->schema, readings, making->spec->where,
	                   making->spec->where_count, error);
}

static enum result fill_map(struct making *making, struct error *error)
{
	enum result result = fill_cells(making, error);
	if (result == RESULT_OK)
		result = fill_fields(making, error);
	if (result == RESULT_OK)
		result = demand_any(making->map, error);
	if (result == RESULT_OK)
		result = demand_columns(making, error);
	return result == RESULT_OK ? open_filter(making, error) : result;
}

enum result schema_map_header(struct schema_map *map, const struct schema *schema,
                              const struct schema_spec *spec, const struct slice *header, size_t count,
                              struct error *error)
{
	*map = (struct schema_map){0};
	CLEANUP_FREE struct header_name *names = NULL;
	enum result result = header_names(&names, spec, schema, header, count, error);
	if (result != RESULT_OK)
		return result;
	*map = (struct schema_map){
	    .field_count = count,
	    .column = calloc(count + 1, sizeof *map->column),
	    .cells = calloc(schema->count + 1, sizeof *map->cells),
	    .cell_count = schema->count,
	    .bad_value = spec->bad_value,
	    .ragged = spec->ragged,
	    .rescue = schema_rescues(spec) ? rescue_new(count) : NULL,
	};
	struct making making = {.map = map, .schema = schema, .spec = spec, .names = names};
	bool is_made =
	    map->column != NULL && map->cells != NULL && (!schema_rescues(spec) || map->rescue != NULL);
	result = is_made ? fill_map(&making, error) : no_memory(error);
	buffer_free(&making.fallbacks);
	if (result != RESULT_OK)
		schema_map_free(map);
	return result;
}

void schema_map_free(struct schema_map *map)
{
	for (size_t i = 0; map->cells != NULL && i < map->cell_count; i++)
		date_memo_free(map->cells[i].memo);
	free(map->column);
	free(map->cells);
	free(map->texts);
	rescue_free(map->rescue);
	filter_free(map->filter);
	*map = (struct schema_map){0};
}

bool schema_map_holds(const struct schema_map *map, struct slice row)
{
	return map->filter == NULL || filter_holds(map->filter, row);
}
