// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_GHASH_H
#define ROWSIEVE_SOURCE_GHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * GHASH (NIST SP 800-38D) of bytes that are authenticated and not encrypted, as GMAC takes it: the bytes, filled up with
 * zeros to a whole block, then their number of bits. Only where the processor multiplies several
 * numbers without carries at once (amd64: VPCLMULQDQ): source/gmac.h has another way for the others. The struct is of the caller, who
 * wipes it: its powers are a key.
 */
enum ghash_kind { GHASH_AVX2, GHASH_AVX512 };

enum { GHASH_BLOCK = 16, GHASH_POWERS = 32 };

struct ghash;
typedef void ghash_absorb_fn(struct ghash *ghash, const uint8_t *bytes, size_t blocks);

struct ghash {
	ghash_absorb_fn *absorb;
	uint8_t powers[GHASH_POWERS][GHASH_BLOCK]; /* of the key, the highest first */
	uint8_t sum[GHASH_BLOCK];
	uint8_t part[GHASH_BLOCK]; /* of the block that is not whole yet: length % GHASH_BLOCK bytes */
	uint64_t length;           /* in bytes, since ghash_reset() */
};

/* False where the processor, or the build, lacks that kind. */
bool ghash_init(struct ghash *ghash, enum ghash_kind kind, const uint8_t key[GHASH_BLOCK]);
void ghash_reset(struct ghash *ghash); /* begins another stream */
void ghash_update(struct ghash *ghash, const void *bytes, size_t count);
/* Afterwards only ghash_reset() may follow. */
void ghash_finish(struct ghash *ghash, uint8_t sum[GHASH_BLOCK]);

#endif
