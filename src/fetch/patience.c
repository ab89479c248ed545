// SPDX-License-Identifier: Apache-2.0
#include "fetch/patience.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static const int64_t SECOND = 1000000000;

/* From half of `span` to the whole of it. */
static int64_t spread(int64_t span)
{
	uint32_t chance = 0;
	if (getrandom(&chance, sizeof chance, 0) != (ssize_t)sizeof chance)
		return span;
	return span / 2 + (int64_t)((double)span / 2 * ((double)chance / UINT32_MAX));
}

static int64_t doubled(int64_t first, unsigned times, int64_t most)
{
	int64_t span = first;
	while (times-- > 1 && span < most)
		span *= 2;
	return span < most ? span : most;
}

/* -1: it says nothing that makes sense. */
static int64_t read_retry_after(const char *text, int64_t wall_now_ns)
{
	size_t digits = strspn(text, "0123456789");
	if (digits > 0 && text[digits] == '\0')
		return digits > 6 ? PATIENCE_MOST_NS : strtoll(text, NULL, 10) * SECOND;
	/* A date names its month; curl_getdate() would make something of a bare number too. */
	time_t date = strchr(text, ' ') != NULL ? curl_getdate(text, NULL) : -1;
	if (date < 0)
		return -1;
	int64_t wait = (int64_t)date * SECOND - wall_now_ns;
	return wait > 0 ? wait : 0;
}

int64_t patience_after(const char *retry_after, unsigned failures, int64_t wall_now_ns)
{
	int64_t wait = read_retry_after(retry_after, wall_now_ns);
	if (wait < 0)
		return spread(doubled(60 * SECOND, failures, PATIENCE_MOST_NS));
	return wait < PATIENCE_MOST_NS ? wait : PATIENCE_MOST_NS;
}

void patience_pause(unsigned tries)
{
	int64_t wait = spread(doubled(SECOND / 4, tries, 30 * SECOND));
	struct timespec left = {.tv_sec = (time_t)(wait / SECOND), .tv_nsec = (long)(wait % SECOND)};
	while (nanosleep(&left, &left) != 0)
		;
}
