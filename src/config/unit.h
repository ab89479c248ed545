// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CONFIG_UNIT_H
#define ROWSIEVE_CONFIG_UNIT_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers as the configuration writes them: digits and one unit, nothing else. False when the text is not
 * that, or the value does not fit. */

bool unit_count(uint64_t *count, const char *text); /* no unit */
bool unit_size(uint64_t *bytes, const char *text);  /* K, M, G, T: powers of 1024; none: bytes */
bool unit_duration(uint64_t *nanoseconds,
                   const char *text); /* ms, s, m, h, d, w, y (365 days); only 0 has none */

#endif
