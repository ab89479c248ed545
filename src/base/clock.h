// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_BASE_CLOCK_H
#define ROWSIEVE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

enum { CLOCK_TEXT_MAX = 32 };

int64_t clock_monotonic_ns(void);
int64_t clock_wall_ns(void); /* since 1970, UTC */

/* "2026-01-31T12:34:56Z" */
void clock_text(char text[CLOCK_TEXT_MAX], int64_t wall_ns);

#endif
