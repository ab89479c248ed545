// SPDX-License-Identifier: Apache-2.0
#include "config/unit.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	uint64_t factor;
};

#define SECOND UINT64_C(1000000000)

/* Reads the digits and returns what stands behind them, or NULL. */
static const char *read_digits(uint64_t *value, const char *text)
{
	const char *at = text;
	*value = 0;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(*at - '0'), value))
			return NULL;
	}
	return at > text ? at : NULL;
}

bool unit_count(uint64_t *count, const char *text)
{
	const char *rest = read_digits(count, text);
	return rest != NULL && *rest == '\0';
}

bool unit_size(uint64_t *bytes, const char *text)
{
	static const struct unit units[] = {
	    {"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", UINT64_C(1) << 40},
	};
	const char *rest = read_digits(bytes, text);
	for (size_t i = 0; rest != NULL && i < sizeof units / sizeof *units; i++)
		if (strcasecmp(rest, units[i].name) == 0)
			return !__builtin_mul_overflow(*bytes, units[i].factor, bytes);
	return false;
}

bool unit_duration(uint64_t *nanoseconds, const char *text)
{
	static const struct unit units[] = {
	    {"ms", SECOND / 1000},       {"s", SECOND},         {"m", 60 * SECOND},
	    {"h", 3600 * SECOND},        {"d", 86400 * SECOND}, {"w", 7 * 86400 * SECOND},
	    {"y", 365 * 86400 * SECOND},
	};
	const char *rest = read_digits(nanoseconds, text);
	if (rest != NULL && *rest == '\0')
		return *nanoseconds == 0;
	for (size_t i = 0; rest != NULL && i < sizeof units / sizeof *units; i++)
		if (strcmp(rest, units[i].name) == 0)
			return !__builtin_mul_overflow(*nanoseconds, units[i].factor, nanoseconds);
	return false;
}
