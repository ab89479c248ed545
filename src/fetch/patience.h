// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_PATIENCE_H
#define ROWSIEVE_FETCH_PATIENCE_H

#include <stdint.h>

/*
 * How long to leave a server alone. Retry-After, in seconds or as an HTTP date, is taken as it is, up to a
 * day; without one, or where it makes no sense, the wait doubles from a minute with each failure in a row, up
 * to a day, and is spread by chance so that many clients do not come back together.
 */

#define PATIENCE_MOST_NS (86400 * INT64_C(1000000000))

/* Nanoseconds from now, at most PATIENCE_MOST_NS. `failures` counts this one. */
int64_t patience_after(const char *retry_after, unsigned failures, int64_t wall_now_ns);

/* Before the next try within one run: doubles from a quarter of a second to half a minute. Sleeps. */
void patience_pause(unsigned tries);

#endif
