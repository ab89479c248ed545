// SPDX-License-Identifier: Apache-2.0
#include "config/datasets.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/dataset_identity.h"
#include "config/dataset_rules.h"
#include "config/reader.h"
#include "config/unit.h"
#include "schema/zone.h"

static enum result read_strings(const char *const **out, size_t *count, cfg_t *section, const char *name)
{
	size_t size = cfg_size(section, name);
	const char **strings = calloc(size > 0 ? size : 1, sizeof *strings);
	if (strings == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < size; i++)
		strings[i] = cfg_getnstr(section, name, (unsigned)i);
	*out = strings;
	*count = size;
	return RESULT_OK;
}

static enum result check_formats(const struct schema_declared *column, const cfg_t *section,
                                 struct error *error)
{
	struct error reason;
	const struct type_formats *formats = &column->formats;
	bool is_dated =
	    column->has_type && (column->type.kind == TYPE_DATE || column->type.kind == TYPE_DATETIME);
	if (formats->count > 0 && !is_dated)
		return reader_fault(section, error,
		                    "column '%s' has a format, so its type must be date or datetime",
		                    column->source);
	if (formats->count > TYPE_FORMATS_MAX)
		return reader_fault(section, error, "column '%s' has more than %d formats", column->source,
		                    TYPE_FORMATS_MAX);
	for (size_t i = 0; i < formats->count; i++) {
		enum result result = type_check_format(formats->formats[i], column->type.kind, &reason);
		if (result == RESULT_CONFIG)
			return reader_fault(section, error, "column '%s': %s", column->source,
			                    reason.message);
		if (result != RESULT_OK)
			return result;
	}
	return RESULT_OK;
}

static enum result read_zone(struct schema_declared *column, cfg_t *section, struct error *error)
{
	column->zone_name = reader_string(section, "zone");
	if (column->zone_name == NULL)
		return RESULT_OK;
	if (!column->has_type || column->type.kind != TYPE_DATETIME)
		return reader_fault(section, error, "column '%s' has a zone, so its type must be datetime",
		                    column->source);
	struct error reason;
	struct zone *zone;
	enum result result = zone_open(&zone, column->zone_name, &reason);
	if (result == RESULT_CONFIG)
		return reader_fault(section, error, "column '%s': %s", column->source, reason.message);
	if (result == RESULT_OK)
		column->zone = zone;
	return result;
}

static enum result read_column(struct schema_declared *column, cfg_t *section, struct error *error)
{
	char name[SCHEMA_NAME_MAX + 1];
	const char *type = cfg_getstr(section, "type");
	column->source = cfg_title(section);
	column->name = cfg_getstr(section, "as");
	if (column->source[0] == '\0')
		return reader_fault(section, error, "a column needs the name that it has in the header");
	if (!schema_declared_name(name, column))
		return reader_fault(section, error, "column '%s' needs a shorter name: set as",
		                    column->source);
	column->has_type = type != NULL;
	enum result result = type != NULL ? type_parse(&column->type, type, error) : RESULT_OK;
	if (result == RESULT_OK)
		result = read_strings(&column->formats.formats, &column->formats.count, section, "format");
	if (result == RESULT_OK)
		result = read_strings(&column->aliases, &column->alias_count, section, "alias");
	column->fallback = cfg_getstr(section, "default");
	if (result == RESULT_OK)
		result = check_formats(column, section, error);
	return result == RESULT_OK ? read_zone(column, section, error) : result;
}

/* The one of the first `count` columns that has the same name in the table, or NULL. */
static const struct schema_declared *find_namesake(const struct schema_declared *columns, size_t count)
{
	char name[SCHEMA_NAME_MAX + 1], other[SCHEMA_NAME_MAX + 1];
	schema_declared_name(name, &columns[count]);
	for (size_t i = 0; i < count; i++)
		if (schema_declared_name(other, &columns[i]) && schema_same_name(name, other))
			return &columns[i];
	return NULL;
}

static enum result read_columns(struct schema_spec *spec, cfg_t *dataset, struct error *error)
{
	size_t count = cfg_size(dataset, "column");
	struct schema_declared *columns = calloc(count > 0 ? count : 1, sizeof *columns);
	if (columns == NULL)
		return RESULT_NO_MEMORY;
	*spec = (struct schema_spec){.columns = columns, .count = count};
	for (size_t i = 0; i < count; i++) {
		cfg_t *section = cfg_getnsec(dataset, "column", (unsigned)i);
		enum result result = read_column(&columns[i], section, error);
		if (result != RESULT_OK)
			return result;
		const struct schema_declared *namesake = find_namesake(columns, i);
		if (namesake != NULL)
			return reader_fault(section, error,
			                    "columns '%s' and '%s' have the same name in the table",
			                    namesake->source, columns[i].source);
	}
	return RESULT_OK;
}

static bool is_dataset_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return length > 0 && length <= SCHEMA_NAME_MAX && name[length] == '\0';
}

/* Tables that the sinks, or SQLite itself, keep for themselves. */
static bool is_reserved_table(const char *table)
{
	return strncasecmp(table, "rowsieve_", strlen("rowsieve_")) == 0 ||
	       strncasecmp(table, "sqlite_", strlen("sqlite_")) == 0;
}

static enum result read_dataset(struct config_dataset *dataset, cfg_t *section, struct error *error)
{
	const char *table = cfg_getstr(section, "table");
	dataset->name = cfg_title(section);
	dataset->table = table != NULL ? table : dataset->name;
	if (!is_dataset_name(dataset->name))
		return reader_fault(section, error,
		                    "dataset '%s' must have a name of 1 to %d of a-z, 0-9 and _",
		                    dataset->name, SCHEMA_NAME_MAX);
	if (is_reserved_table(dataset->table))
		return reader_fault(section, error,
		                    "dataset '%s' cannot have table '%s': the name is reserved",
		                    dataset->name, dataset->table);
	const char *stale_after = cfg_getstr(section, "stale_after");
	uint64_t stale_after_ns = 0;
	if (stale_after != NULL && unit_duration(&stale_after_ns, stale_after))
		dataset->stale_after_ns = (int64_t)stale_after_ns;
	enum result result = read_strings(&dataset->files, &dataset->file_count, section, "files");
	if (result == RESULT_OK)
		result = read_columns(&dataset->schema, section, error);
	if (result == RESULT_OK)
		result = dataset_rules_read(dataset, section, error);
	return result == RESULT_OK ? dataset_identity_read(dataset, section, error) : result;
}

static const char *shared_pattern(const struct config_dataset *a, const struct config_dataset *b)
{
	for (size_t i = 0; i < a->file_count; i++) {
		size_t before = a == b ? i : b->file_count;
		for (size_t j = 0; j < before; j++)
			if (strcmp(a->files[i], b->files[j]) == 0)
				return a->files[i];
	}
	return NULL;
}

/* SQLite's table names differ in more than case. */
static enum result check_against(const struct config_dataset *other, const struct config_dataset *dataset,
                                 const cfg_t *section, struct error *error)
{
	const char *pattern = shared_pattern(dataset, other);
	if (other != dataset && strcasecmp(other->table, dataset->table) == 0)
		return reader_fault(section, error, "datasets '%s' and '%s' have the same table '%s'",
		                    other->name, dataset->name, dataset->table);
	if (pattern != NULL && other == dataset)
		return reader_fault(section, error, "dataset '%s' has '%s' in files twice", dataset->name,
		                    pattern);
	if (pattern != NULL)
		return reader_fault(section, error, "datasets '%s' and '%s' have the same '%s' in files",
		                    other->name, dataset->name, pattern);
	return RESULT_OK;
}

enum result datasets_read(struct config_dataset **out, size_t *count, cfg_t *root, struct error *error)
{
	size_t size = cfg_size(root, "dataset");
	struct config_dataset *datasets = calloc(size > 0 ? size : 1, sizeof *datasets);
	if (datasets == NULL)
		return RESULT_NO_MEMORY;
	enum result result = RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i < size; i++) {
		cfg_t *section = cfg_getnsec(root, "dataset", (unsigned)i);
		result = read_dataset(&datasets[i], section, error);
		for (size_t j = 0; result == RESULT_OK && j <= i; j++)
			result = check_against(&datasets[j], &datasets[i], section, error);
	}
	if (result != RESULT_OK) {
		datasets_free(datasets, size);
		return result;
	}
	*out = datasets;
	*count = size;
	return RESULT_OK;
}

static void free_columns(const struct schema_spec *spec)
{
	for (size_t i = 0; i < spec->count; i++) {
		free((void *)spec->columns[i].formats.formats);
		free((void *)spec->columns[i].aliases);
		zone_close((struct zone *)spec->columns[i].zone);
	}
	free((void *)spec->columns);
}

void datasets_free(struct config_dataset *datasets, size_t count)
{
	for (size_t i = 0; datasets != NULL && i < count; i++) {
		free((void *)datasets[i].files);
		free_columns(&datasets[i].schema);
		dataset_rules_free(&datasets[i]);
		dataset_identity_free(&datasets[i]);
	}
	free(datasets);
}
