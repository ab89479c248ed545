// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_NUMBER_H
#define ROWSIEVE_SCHEMA_NUMBER_H

#include "schema/type.h"

/* Numbers that are not written plainly. */

enum { NUMBER_TEXT_MAX = 96 /* bytes of the longest number that is read */, NUMBER_REAL_MAX = 32 };

/*
 * A number under the reading's separators, and with its leniency, as a plain one (type_scan_number()); an
 * exponent stays as it is. The length, or 0 when it is none. Separators of thousands stand between digits,
 * three digits behind the last one and two or three between two (1,234,567 and 12,34,567).
 */
size_t number_plain(char text[NUMBER_TEXT_MAX], const struct type_reading *reading, struct slice field);

/* The shortest text that reads as the same double; 0 is "0". */
size_t number_real_text(char text[NUMBER_REAL_MAX], double value);

/* That of a plain number, with or without exponent. 0: it is none, or beyond a double. */
size_t number_real(char text[NUMBER_REAL_MAX], struct slice plain);

#endif
