// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_TROUBLE_H
#define ROWSIEVE_CLI_TROUBLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * What keeps the worker from its work: the sink, the state or the disk, whatever the file. It is logged once,
 * tried again after waits that double up to a bound and are spread at random, and over when something got
 * through. The worker's thread changes it; any thread may ask for it as JSON. Times are clock_monotonic_ns().
 */
struct trouble;

enum result trouble_open(struct trouble **out, struct error *error) WARN_UNUSED;
void trouble_close(struct trouble *trouble); /* NULL is fine */

/* It has begun, or goes on. */
void trouble_enter(struct trouble *trouble, const struct error *error);

/* When to try again; 0 when there is no trouble, or it is being tried. */
int64_t trouble_retry_ns(const struct trouble *trouble);

/* What has recovered is put to the test: until trouble_end() it may be the same trouble still. */
void trouble_try(struct trouble *trouble);

/* Something got through, or nothing is left to try. Nothing happens before trouble_try(). */
void trouble_end(struct trouble *trouble);

/* Adds to the object "trouble": its message or null, and where there is trouble "trouble_hint", "trouble_since" and
 * "next_try" (times as text), and "attempts". */
bool trouble_describe(struct trouble *trouble, json_t *object);

#endif
