// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_TESTS_CALLS_H
#define ROWSIEVE_TESTS_CALLS_H

#include <stdbool.h>
#include <stddef.h>

/* The system calls that the trap counts: those that change or ask something outside the process. */

enum { CALLS_MAX = 64 };

struct call {
	const char *name;
	long number;
	/* Which arguments say what it is about; -1: none. */
	signed char fd, path, second_path;
	bool is_read, is_write; /* of a buffer in argument 1, its length in argument 2 */
};

extern const struct call calls[];
extern const size_t calls_count;

const struct call *calls_find(long number); /* NULL: not one of them */

#endif
