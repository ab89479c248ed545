// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_ROW_DIGESTS_H
#define ROWSIEVE_SCHEMA_ROW_DIGESTS_H

#include "schema/row.h"

/*
 * The digests of many rows at once, several times as fast as row_digest() for each, and the same. Eight rows go
 * through SipHash side by side where the processor can do that; elsewhere it is row_digest() in a loop.
 */
enum row_digests_kind { ROW_DIGESTS_SCALAR, ROW_DIGESTS_AVX2, ROW_DIGESTS_AVX512 };

/* digests[i] becomes that of rows[i]; by the fastest kind that the processor has. */
void row_digests(const struct slice *rows, size_t count, const uint8_t key[ROW_KEY_SIZE],
                 struct row_digest *digests);

/* By a certain kind. False, and nothing is done: the processor or the build lacks it. */
bool row_digests_by(enum row_digests_kind kind, const struct slice *rows, size_t count,
                    const uint8_t key[ROW_KEY_SIZE], struct row_digest *digests);

#endif
