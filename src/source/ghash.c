// SPDX-License-Identifier: Apache-2.0
#include "source/ghash.h"

#include <endian.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

/*
 * GHASH numbers the bits of a block from its first byte's highest on, so its field is the mirror image of what the
 * processor multiplies in. RFC 8452, appendix A, says how to get by with reversing bytes: reversed blocks are multiplied in
 * the field of x^128 + x^127 + x^126 + x^121 + 1 by a * b * x^-128, with the reversed key times x.
 *
 * The sum of blocks b1 … bn is s * K^n + b1 * K^n + … + bn * K. With the powers made beforehand all products of a group of
 * blocks are independent of each other, and are reduced once for all of them: one block after another would wait for two
 * products and a reduction each.
 */

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define PCLMUL __attribute__((target("avx,pclmul")))
#define AVX2 __attribute__((target("avx2,pclmul,vpclmulqdq")))
#define AVX512 __attribute__((target("avx512f,avx512bw,pclmul,vpclmulqdq")))

PCLMUL static ALWAYS_INLINE __m128i load(const uint8_t block[GHASH_BLOCK])
{
	return _mm_loadu_si128((const __m128i *)(const void *)block);
}

PCLMUL static ALWAYS_INLINE void store(uint8_t block[GHASH_BLOCK], __m128i value)
{
	_mm_storeu_si128((__m128i *)(void *)block, value);
}

PCLMUL static ALWAYS_INLINE __m128i reversal(void)
{
	return _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

/*
 * Times x^-64: as 1 = x^128 + x^127 + x^126 + x^121, the low half times x^-64 is itself times x^64 + x^63 + x^62 + x^57.
 * The first of these terms and the high half are together the halves swapped.
 */
PCLMUL static ALWAYS_INLINE __m128i shift_down(__m128i value)
{
	const __m128i terms = _mm_set_epi64x(0, (int64_t)UINT64_C(0xc200000000000000));
	return _mm_xor_si128(_mm_shuffle_epi32(value, 0x4e), _mm_clmulepi64_si128(value, terms, 0x00));
}

/*
 * The sum of products times x^-128: of the low halves, of the high halves, and of the sums of both. The last holds the
 * two others beside what belongs in the middle (Karatsuba's way, three products for four).
 */
PCLMUL static ALWAYS_INLINE __m128i reduce(__m128i low, __m128i sums, __m128i high)
{
	__m128i middle = _mm_xor_si128(sums, _mm_xor_si128(low, high));
	low = _mm_xor_si128(low, _mm_slli_si128(middle, 8));
	high = _mm_xor_si128(high, _mm_srli_si128(middle, 8));
	return _mm_xor_si128(high, shift_down(shift_down(low)));
}

/* The sum of both halves, in both of them. */
AVX2 static ALWAYS_INLINE __m256i add_halves_avx2(__m256i lanes)
{
	return _mm256_xor_si256(lanes, _mm256_shuffle_epi32(lanes, 0x4e));
}

AVX2 static ALWAYS_INLINE __m128i add_lanes_avx2(__m256i lanes)
{
	return _mm_xor_si128(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
}

/* Behind the last block there are zeros, which add nothing. */
AVX2 static ALWAYS_INLINE __m256i load_avx2(const uint8_t *blocks, size_t count)
{
	return count > 1 ? _mm256_loadu_si256((const __m256i *)(const void *)blocks)
	                 : _mm256_zextsi128_si256(load(blocks));
}

/* Adds `count` blocks, at most GHASH_POWERS. */
AVX2 static ALWAYS_INLINE __m128i add_group_avx2(const struct ghash *ghash, __m128i sum, const uint8_t *bytes,
                                                 size_t count)
{
	enum { LANES = 2 };
	const __m256i reversed = _mm256_broadcastsi128_si256(reversal());
	const uint8_t *powers = ghash->powers[GHASH_POWERS - count];
	__m256i carried = _mm256_zextsi128_si256(sum);
	__m256i low = _mm256_setzero_si256();
	__m256i sums = _mm256_setzero_si256();
	__m256i high = _mm256_setzero_si256();
#pragma GCC unroll 16
	for (size_t i = 0; i < count; i += LANES) {
		__m256i block = load_avx2(bytes + i * GHASH_BLOCK, count - i);
		__m256i power = load_avx2(powers + i * GHASH_BLOCK, count - i);
		block = _mm256_xor_si256(_mm256_shuffle_epi8(block, reversed), carried);
		carried = _mm256_setzero_si256();
		low = _mm256_xor_si256(low, _mm256_clmulepi64_epi128(block, power, 0x00));
		high = _mm256_xor_si256(high, _mm256_clmulepi64_epi128(block, power, 0x11));
		block = add_halves_avx2(block);
		power = add_halves_avx2(power);
		sums = _mm256_xor_si256(sums, _mm256_clmulepi64_epi128(block, power, 0x00));
	}
	return reduce(add_lanes_avx2(low), add_lanes_avx2(sums), add_lanes_avx2(high));
}

AVX2 static void absorb_avx2(struct ghash *ghash, const uint8_t *bytes, size_t blocks)
{
	__m128i sum = load(ghash->sum);
	for (; blocks >= GHASH_POWERS; blocks -= GHASH_POWERS) {
		sum = add_group_avx2(ghash, sum, bytes, GHASH_POWERS);
		bytes += GHASH_POWERS * GHASH_BLOCK;
	}
	store(ghash->sum, blocks > 0 ? add_group_avx2(ghash, sum, bytes, blocks) : sum);
}

AVX512 static ALWAYS_INLINE __m512i add_halves_avx512(__m512i lanes)
{
	return _mm512_xor_si512(lanes, _mm512_shuffle_epi32(lanes, 0x4e));
}

AVX512 static ALWAYS_INLINE __m128i add_lanes_avx512(__m512i lanes)
{
	__m256i two = _mm256_xor_si256(_mm512_castsi512_si256(lanes), _mm512_extracti64x4_epi64(lanes, 1));
	return _mm_xor_si128(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
}

AVX512 static ALWAYS_INLINE __m512i load_avx512(const uint8_t *blocks, size_t count)
{
	return _mm512_maskz_loadu_epi64((__mmask8)(count < 4 ? (1U << 2 * count) - 1 : 0xff), blocks);
}

AVX512 static ALWAYS_INLINE __m128i add_group_avx512(const struct ghash *ghash, __m128i sum,
                                                     const uint8_t *bytes, size_t count)
{
	enum { LANES = 4 };
	const __m512i reversed = _mm512_broadcast_i32x4(reversal());
	const uint8_t *powers = ghash->powers[GHASH_POWERS - count];
	__m512i carried = _mm512_zextsi128_si512(sum);
	__m512i low = _mm512_setzero_si512();
	__m512i sums = _mm512_setzero_si512();
	__m512i high = _mm512_setzero_si512();
#pragma GCC unroll 16
	for (size_t i = 0; i < count; i += LANES) {
		__m512i block = load_avx512(bytes + i * GHASH_BLOCK, count - i);
		__m512i power = load_avx512(powers + i * GHASH_BLOCK, count - i);
		block = _mm512_xor_si512(_mm512_shuffle_epi8(block, reversed), carried);
		carried = _mm512_setzero_si512();
		low = _mm512_xor_si512(low, _mm512_clmulepi64_epi128(block, power, 0x00));
		high = _mm512_xor_si512(high, _mm512_clmulepi64_epi128(block, power, 0x11));
		block = add_halves_avx512(block);
		power = add_halves_avx512(power);
		sums = _mm512_xor_si512(sums, _mm512_clmulepi64_epi128(block, power, 0x00));
	}
	return reduce(add_lanes_avx512(low), add_lanes_avx512(sums), add_lanes_avx512(high));
}

AVX512 static void absorb_avx512(struct ghash *ghash, const uint8_t *bytes, size_t blocks)
{
	__m128i sum = load(ghash->sum);
	for (; blocks >= GHASH_POWERS; blocks -= GHASH_POWERS) {
		sum = add_group_avx512(ghash, sum, bytes, GHASH_POWERS);
		bytes += GHASH_POWERS * GHASH_BLOCK;
	}
	store(ghash->sum, blocks > 0 ? add_group_avx512(ghash, sum, bytes, blocks) : sum);
}

/* The key as RFC 8452 wants it: reversed, times x. Without a branch on it. */
static void store_first_power(uint8_t power[GHASH_BLOCK], const uint8_t key[GHASH_BLOCK])
{
	uint64_t halves[2];
	memcpy(halves, key, sizeof halves);
	uint64_t high = be64toh(halves[0]);
	uint64_t low = be64toh(halves[1]);
	uint64_t over = -(high >> 63);
	high = high << 1 | low >> 63;
	low = low << 1;
	halves[1] = high ^ (over & UINT64_C(0xc200000000000000));
	halves[0] = low ^ (over & 1);
	memcpy(power, halves, sizeof halves);
	explicit_bzero(halves, sizeof halves);
}

PCLMUL static void store_powers(struct ghash *ghash, const uint8_t key[GHASH_BLOCK])
{
	uint8_t(*last)[GHASH_BLOCK] = &ghash->powers[GHASH_POWERS - 1];
	store_first_power(*last, key);
	__m128i first = load(*last);
	__m128i first_sum = _mm_xor_si128(first, _mm_shuffle_epi32(first, 0x4e));
	__m128i power = first;
	for (size_t i = 1; i < GHASH_POWERS; i++) {
		__m128i sum = _mm_xor_si128(power, _mm_shuffle_epi32(power, 0x4e));
		power = reduce(_mm_clmulepi64_si128(power, first, 0x00),
		               _mm_clmulepi64_si128(sum, first_sum, 0x00),
		               _mm_clmulepi64_si128(power, first, 0x11));
		store(*(last - i), power);
	}
}

static ghash_absorb_fn *find_kind(enum ghash_kind kind)
{
	if (!__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("vpclmulqdq"))
		return NULL;
	switch (kind) {
	case GHASH_AVX512:
		return __builtin_cpu_supports("avx512bw") ? absorb_avx512 : NULL;
	case GHASH_AVX2:
		return __builtin_cpu_supports("avx2") ? absorb_avx2 : NULL;
	}
	return NULL;
}

bool ghash_init(struct ghash *ghash, enum ghash_kind kind, const uint8_t key[GHASH_BLOCK])
{
	ghash->absorb = find_kind(kind);
	if (ghash->absorb == NULL)
		return false;
	store_powers(ghash, key);
	ghash_reset(ghash);
	return true;
}

#else

bool ghash_init(struct ghash *ghash, enum ghash_kind kind, const uint8_t key[GHASH_BLOCK])
{
	(void)ghash, (void)kind, (void)key;
	return false;
}

#endif

void ghash_reset(struct ghash *ghash)
{
	memset(ghash->sum, 0, sizeof ghash->sum);
	ghash->length = 0;
}

void ghash_update(struct ghash *ghash, const void *bytes, size_t count)
{
	const uint8_t *next = bytes;
	size_t held = ghash->length % GHASH_BLOCK;
	ghash->length += count;
	if (held > 0) {
		size_t more = count < GHASH_BLOCK - held ? count : GHASH_BLOCK - held;
		memcpy(ghash->part + held, next, more);
		if (held + more < GHASH_BLOCK)
			return;
		ghash->absorb(ghash, ghash->part, 1);
		next += more;
		count -= more;
	}
	ghash->absorb(ghash, next, count / GHASH_BLOCK);
	memcpy(ghash->part, next + count / GHASH_BLOCK * GHASH_BLOCK, count % GHASH_BLOCK);
}

void ghash_finish(struct ghash *ghash, uint8_t sum[GHASH_BLOCK])
{
	uint8_t last[2 * GHASH_BLOCK] = {0};
	size_t held = ghash->length % GHASH_BLOCK;
	uint64_t bits = htobe64(8 * ghash->length);
	memcpy(last, ghash->part, held);
	memcpy(last + GHASH_BLOCK, &bits, sizeof bits);
	size_t unused = held > 0 ? 0 : GHASH_BLOCK;
	ghash->absorb(ghash, last + unused, sizeof last / GHASH_BLOCK - unused / GHASH_BLOCK);
	for (size_t i = 0; i < GHASH_BLOCK; i++)
		sum[i] = ghash->sum[GHASH_BLOCK - 1 - i];
}
