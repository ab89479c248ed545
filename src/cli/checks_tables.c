// SPDX-License-Identifier: Apache-2.0
#include "cli/checks_tables.h"

#include <stdio.h>

static enum result check_column(const struct schema_declared *declared, const struct schema *present,
                                struct error *error)
{
	char name[SCHEMA_NAME_MAX + 1], wanted[TYPE_TEXT_MAX], found[TYPE_TEXT_MAX];
	if (!schema_declared_name(name, declared))
		return RESULT_OK;
	const struct schema_column *column = schema_find(present, name);
	if (column == NULL)
		return error_set(error, RESULT_CONFIG, "it has no column '%s'", name);
	struct type wider = column->type;
	if (!declared->has_type || type_holds(&column->type, &declared->type) ||
	    type_widen(&wider, &declared->type))
		return RESULT_OK;
	type_text(wanted, &declared->type);
	type_text(found, &column->type);
	return error_set(error, RESULT_CONFIG, "its column '%s' holds %s, which %s does not fit", name, found,
	                 wanted);
}

static enum result check_columns(const struct config_dataset *dataset, struct sink *sink, struct error *error)
{
	struct schema *present;
	enum result result = sink->interface->describe(sink, dataset->table, &present, error);
	if (result != RESULT_OK)
		return result;
	for (size_t i = 0; result == RESULT_OK && i < dataset->schema.count; i++)
		result = check_column(&dataset->schema.columns[i], present, error);
	schema_free(present);
	return result;
}

static void check_table(struct checks *checks, const struct config_dataset *dataset, struct sink *sink)
{
	struct sink_presence presence;
	struct error error = {0};
	char message[ERROR_MESSAGE_MAX];
	enum result result = sink->interface->inspect(sink, dataset->table, &presence, &error);
	if (result == RESULT_OK && !presence.has_table)
		return;
	if (result == RESULT_OK)
		result = check_columns(dataset, sink, &error);
	if (result == RESULT_OK && presence.has_rows && !presence.has_head) {
		result = error_set(&error, RESULT_CONFIG, "it holds rows that were not stored by rowsieve");
		error_hint(&error, "to take them over: rowsieve rebuild %s", dataset->name);
	}
	if (result != RESULT_OK)
		error_wrap(&error, "table '%s' of dataset '%s'", dataset->table, dataset->name);
	snprintf(message, sizeof message, "'%s' of dataset '%s' fits", dataset->table, dataset->name);
	checks_add(checks, "table", result, &error, message);
}

void checks_tables(struct checks *checks, const struct config *config, struct sink *sink)
{
	for (size_t i = 0; i < config->dataset_count; i++)
		check_table(checks, &config->datasets[i], sink);
}
