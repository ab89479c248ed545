// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_MOMENT_H
#define ROWSIEVE_SCHEMA_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* A date and a time of day, as somebody's clock shows them. */
struct moment {
	int year;
	int month;
	int day;
	int hour;
	int minute;
	int second;
	struct slice fraction; /* digits, without trailing zeros */
	bool has_offset;
	int offset; /* seconds east of UTC */
};

/* There is such a day and time, in the years 0001 to 9999. */
bool moment_is_real(const struct moment *moment);

/* Sunday is 0, as in struct tm. */
int moment_weekday(const struct moment *moment);

/* Seconds since 1970 on that clock, and back; the fraction stays. */
int64_t moment_seconds(const struct moment *moment);
void moment_set_seconds(struct moment *moment, int64_t seconds);

#endif
