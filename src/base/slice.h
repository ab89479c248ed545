// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_BASE_SLICE_H
#define ROWSIEVE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that somebody else owns; not terminated. A NULL data with length 0 is "no value" where a header says
 * so. */
struct slice {
	const char *data;
	size_t length;
};

/* Where a header says that a slice has slack, so many bytes more can be read behind it unless it is empty,
 * whatever they are: it can be taken in steps of a fixed length. */
enum { SLICE_SLACK = 32 };

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

bool slice_equal(struct slice a, struct slice b);
struct slice slice_from_string(const char *text);

#endif
