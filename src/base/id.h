// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_BASE_ID_H
#define ROWSIEVE_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

/* A random 128-bit name: of a delivery, a batch, a state, a sink. All zero is "none". */
enum { ID_SIZE = 16, ID_TEXT_MAX = 33 };

struct id {
	uint8_t bytes[ID_SIZE];
};

struct id id_random(void); /* from the kernel; ends the program where there is no randomness */
bool id_equal(struct id a, struct id b);
bool id_is_none(struct id id);
void id_text(char text[ID_TEXT_MAX], struct id id); /* 32 lower-case hexadecimal digits */
bool id_parse(struct id *id, const char *text);

#endif
