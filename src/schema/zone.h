// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_ZONE_H
#define ROWSIEVE_SCHEMA_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* A time zone: "UTC", an offset ("+05:30"), or a name of the system's time zone database ("Asia/Kolkata"). */
struct zone;

/* RESULT_CONFIG: there is no such zone. */
enum result zone_open(struct zone **out, const char *name, struct error *error) WARN_UNUSED;
void zone_close(struct zone *zone); /* NULL is fine */

/* Seconds since 1970 as the zone's clocks show them, to UTC. A time that clocks show twice is the one of
 * standard time. False: they never show it. Any thread. */
bool zone_to_utc(const struct zone *zone, int64_t local, int64_t *utc);

#endif
