// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_TESTS_FUZZ_H
#define ROWSIEVE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What a target is: libFuzzer's entry, which replay.c calls for a corpus where there is no fuzz engine. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that holds for every input. */
#define FUZZ_ASSERT(condition)                                                                               \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                      \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

#endif
