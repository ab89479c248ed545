// SPDX-License-Identifier: Apache-2.0
#include "schema/row_digests.h"

#include <string.h>

/*
 * SipHash takes a row word by word, each step waiting for the one before; so eight rows are taken in step, four in
 * the lanes of each of two vectors. Rows that are through wait for the longest. So that few wait long, the rows
 * of a block are taken in the order of their numbers of words.
 */

#if defined(__x86_64__)

enum { LANES = 4, ROWS = 2 * LANES, BLOCK = 256, CLASSES = 64 };

/* With AVX-512 the compiler makes one instruction of each rotation; else the code is the same. It must stand at
 * everything that is compiled for either, as vectors of a function that lacks it come apart. */
#define AVX2 __attribute__((target("avx2")))
#define INLINE AVX2 static inline __attribute__((always_inline))

typedef uint64_t vector __attribute__((vector_size(LANES * sizeof(uint64_t))));

struct lanes {
	vector v0, v1, v2, v3;
};

/* Rows in step. A row of n bytes is n / 8 words of them, and a last one: the bytes that are left, and n. */
struct group {
	const char *data[ROWS];
	uint64_t last[ROWS];
	uint64_t full[ROWS]; /* words before the last one */
	size_t fewest;       /* of `full` */
	size_t most;
};

typedef void digest_fn(const struct group *group, const uint64_t key[2], struct row_digest digests[ROWS]);

INLINE vector rotate(vector lanes, int bits)
{
	return lanes << bits | lanes >> (64 - bits);
}

INLINE void mix(struct lanes *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32) + s->v3;
	s->v2 += s->v1;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

INLINE void take_words(struct lanes *s, vector words)
{
	s->v3 ^= words;
	mix(s);
	mix(s);
	s->v0 ^= words;
}

static inline uint64_t load(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof word);
	return word;
}

/* A word of four rows, all of which have it. */
INLINE vector load_words(const char *const data[LANES], size_t word)
{
	size_t at = word * sizeof(uint64_t);
	return (vector){load(data[0] + at), load(data[1] + at), load(data[2] + at), load(data[3] + at)};
}

INLINE vector choose(vector which, vector yes, vector no)
{
	return (yes & which) | (no & ~which);
}

/* A word of four rows, of which some may be at their last word, or through. */
INLINE void take_uneven(struct lanes *s, const struct group *group, size_t first, size_t word)
{
	uint64_t words[LANES], takes[LANES];
	struct lanes taken = *s;
	for (size_t i = 0; i < LANES; i++) {
		size_t row = first + i, full = group->full[row];
		words[i] = word < full ? load(group->data[row] + word * sizeof(uint64_t)) : group->last[row];
		takes[i] = word <= full ? UINT64_MAX : 0;
	}
	vector which = {takes[0], takes[1], takes[2], takes[3]};
	take_words(&taken, (vector){words[0], words[1], words[2], words[3]});
	s->v0 = choose(which, taken.v0, s->v0);
	s->v1 = choose(which, taken.v1, s->v1);
	s->v2 = choose(which, taken.v2, s->v2);
	s->v3 = choose(which, taken.v3, s->v3);
}

INLINE struct lanes begin_lanes(const uint64_t key[2])
{
	const vector none = {0};
	return (struct lanes){
	    .v0 = none + (key[0] ^ UINT64_C(0x736f6d6570736575)),
	    .v1 = none + (key[1] ^ UINT64_C(0x646f72616e646f6d) ^ 0xee),
	    .v2 = none + (key[0] ^ UINT64_C(0x6c7967656e657261)),
	    .v3 = none + (key[1] ^ UINT64_C(0x7465646279746573)),
	};
}

/* 64 bits of each digest. */
INLINE vector squeeze(struct lanes *s)
{
	for (int i = 0; i < 4; i++)
		mix(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

INLINE void end_lanes(struct lanes *s, struct row_digest digests[LANES])
{
	s->v2 ^= 0xee;
	vector high = squeeze(s);
	s->v1 ^= 0xdd;
	vector low = squeeze(s);
	for (size_t i = 0; i < LANES; i++)
		digests[i] = (struct row_digest){.hi = high[i], .lo = low[i]};
}

INLINE void digest_group(const struct group *group, const uint64_t key[2], struct row_digest digests[ROWS])
{
	struct lanes first = begin_lanes(key), second = first;
	size_t word = 0;
	for (; word < group->fewest; word++) {
		take_words(&first, load_words(group->data, word));
		take_words(&second, load_words(group->data + LANES, word));
	}
	for (; word <= group->most; word++) {
		take_uneven(&first, group, 0, word);
		take_uneven(&second, group, LANES, word);
	}
	end_lanes(&first, digests);
	end_lanes(&second, digests + LANES);
}

AVX2 static void digest_avx2(const struct group *group, const uint64_t key[2],
                             struct row_digest digests[ROWS])
{
	digest_group(group, key, digests);
}

__attribute__((target("avx2,avx512f,avx512vl"))) static void
digest_avx512(const struct group *group, const uint64_t key[2], struct row_digest digests[ROWS])
{
	digest_group(group, key, digests);
}

static uint64_t last_word(struct slice row)
{
	size_t left = row.length % sizeof(uint64_t);
	uint64_t word = 0;
	if (row.length >= sizeof word)
		word = load(row.data + row.length - sizeof word) >> 8 >> (8 * (7 - left));
	else if (left > 0)
		memcpy(&word, row.data, left);
	return word | (uint64_t)row.length << 56;
}

static size_t class_of(struct slice row)
{
	size_t words = row.length / sizeof(uint64_t);
	return words < CLASSES ? words : CLASSES - 1;
}

/* The places of a block's rows, by their numbers of words. Those of very long rows are in no order. */
static void order_block(const struct slice *rows, size_t count, uint8_t order[BLOCK])
{
	uint16_t places[CLASSES + 1] = {0};
	for (size_t i = 0; i < count; i++) {
		places[class_of(rows[i]) + 1]++;
		/* They may have been written long ago. */
		__builtin_prefetch(rows[i].data);
		__builtin_prefetch(rows[i].data + rows[i].length);
	}
	for (size_t i = 1; i < CLASSES; i++)
		places[i] += places[i - 1];
	for (size_t i = 0; i < count; i++)
		order[places[class_of(rows[i])]++] = (uint8_t)i;
}

static void add_row(struct group *group, size_t lane, struct slice row)
{
	size_t full = row.length / sizeof(uint64_t);
	group->data[lane] = row.data;
	group->full[lane] = full;
	group->last[lane] = last_word(row);
	group->fewest = full < group->fewest ? full : group->fewest;
	group->most = full > group->most ? full : group->most;
}

static void digest_block(digest_fn *digest, const struct slice *rows, size_t count, const uint64_t key[2],
                         struct row_digest *digests)
{
	uint8_t order[BLOCK];
	order_block(rows, count, order);
	for (size_t i = 0; i < count; i += ROWS) {
		struct group group;
		struct row_digest found[ROWS];
		size_t used = count - i < ROWS ? count - i : ROWS;
		group.fewest = SIZE_MAX;
		group.most = 0;
		/* Where there are not enough rows the last one is taken more than once. */
		for (size_t lane = 0; lane < ROWS; lane++)
			add_row(&group, lane, rows[order[i + (lane < used ? lane : used - 1)]]);
		digest(&group, key, found);
		for (size_t lane = 0; lane < used; lane++)
			digests[order[i + lane]] = found[lane];
	}
}

static digest_fn *find_kind(enum row_digests_kind kind)
{
	switch (kind) {
	case ROW_DIGESTS_AVX512:
		return __builtin_cpu_supports("avx512vl") ? digest_avx512 : NULL;
	case ROW_DIGESTS_AVX2:
		return __builtin_cpu_supports("avx2") ? digest_avx2 : NULL;
	default:
		return NULL;
	}
}

static bool digest_blocks(enum row_digests_kind kind, const struct slice *rows, size_t count,
                          const uint8_t key[ROW_KEY_SIZE], struct row_digest *digests)
{
	digest_fn *digest = find_kind(kind);
	const uint64_t words[2] = {load((const char *)key), load((const char *)key + sizeof(uint64_t))};
	if (digest == NULL)
		return false;
	for (size_t i = 0; i < count; i += BLOCK)
		digest_block(digest, rows + i, count - i < BLOCK ? count - i : BLOCK, words, digests + i);
	return true;
}

#else

static bool digest_blocks(enum row_digests_kind kind, const struct slice *rows, size_t count,
                          const uint8_t key[ROW_KEY_SIZE], struct row_digest *digests)
{
	(void)kind, (void)rows, (void)count, (void)key, (void)digests;
	return false;
}

#endif

bool row_digests_by(enum row_digests_kind kind, const struct slice *rows, size_t count,
                    const uint8_t key[ROW_KEY_SIZE], struct row_digest *digests)
{
	if (kind != ROW_DIGESTS_SCALAR)
		return digest_blocks(kind, rows, count, key, digests);
	for (size_t i = 0; i < count; i++)
		digests[i] = row_digest(rows[i], key);
	return true;
}

void row_digests(const struct slice *rows, size_t count, const uint8_t key[ROW_KEY_SIZE],
                 struct row_digest *digests)
{
	if (!row_digests_by(ROW_DIGESTS_AVX512, rows, count, key, digests) &&
	    !row_digests_by(ROW_DIGESTS_AVX2, rows, count, key, digests))
		row_digests_by(ROW_DIGESTS_SCALAR, rows, count, key, digests);
}
