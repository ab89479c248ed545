// SPDX-License-Identifier: Apache-2.0
#include "schema/zone.h"

#include <glib.h>
#include <stdlib.h>

struct zone {
	GTimeZone *rules;
};

enum result zone_open(struct zone **out, const char *name, struct error *error)
{
	struct zone *zone = malloc(sizeof *zone);
	if (zone == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	zone->rules = name[0] != '\0' ? g_time_zone_new_identifier(name) : NULL;
	if (zone->rules == NULL) {
		free(zone);
		return error_set(error, RESULT_CONFIG,
		                 "time zone '%s' is unknown: UTC, an offset like +05:30, or a name like "
		                 "Asia/Kolkata",
		                 name);
	}
	*out = zone;
	return RESULT_OK;
}

void zone_close(struct zone *zone)
{
	if (zone == NULL)
		return;
	g_time_zone_unref(zone->rules);
	free(zone);
}

bool zone_to_utc(const struct zone *zone, int64_t local, int64_t *utc)
{
	int interval = g_time_zone_find_interval(zone->rules, G_TIME_TYPE_STANDARD, local);
	if (interval < 0)
		return false;
	*utc = local - g_time_zone_get_offset(zone->rules, interval);
	return true;
}
