// SPDX-License-Identifier: Apache-2.0
#include "schema/provenance.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *const provenance_names[PROVENANCE_COUNT] = {"_delivery", "_line", "_loaded_at"};

bool provenance_is_name(const char *name)
{
	for (size_t i = 0; i < PROVENANCE_COUNT; i++)
		if (schema_same_name(provenance_names[i], name))
			return true;
	return false;
}

struct type provenance_type(const char *name)
{
	if (strcmp(name, "_line") == 0)
		return (struct type){.kind = TYPE_INTEGER};
	if (strcmp(name, "_loaded_at") == 0)
		return (struct type){.kind = TYPE_DATETIME};
	return (struct type){.kind = TYPE_TEXT, .length = 32};
}

void provenance_begin(struct provenance *provenance, struct schema_map *map, const char *delivery,
                      int64_t started_ns)
{
	time_t seconds = (time_t)(started_ns / 1000000000);
	struct tm utc;
	gmtime_r(&seconds, &utc);
	strftime(provenance->loaded_at, sizeof provenance->loaded_at, "%Y-%m-%d %H:%M:%S", &utc);
	snprintf(provenance->delivery, sizeof provenance->delivery, "%s", delivery);
	provenance->line_cell = NULL;
	for (size_t i = 0; i < map->cell_count; i++) {
		struct schema_map_cell *cell = &map->cells[i];
		if (schema_same_name(cell->name, "_delivery"))
			cell->fallback = slice_from_string(provenance->delivery);
		else if (schema_same_name(cell->name, "_loaded_at"))
			cell->fallback = slice_from_string(provenance->loaded_at);
		else if (schema_same_name(cell->name, "_line"))
			provenance->line_cell = cell;
	}
}

void provenance_set_line(struct provenance *provenance, uint64_t line)
{
	if (provenance->line_cell == NULL)
		return;
	snprintf(provenance->line, sizeof provenance->line, "%" PRIu64, line);
	provenance->line_cell->fallback = slice_from_string(provenance->line);
}
