// SPDX-License-Identifier: Apache-2.0
#include "source/cut.h"

#include <endian.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LANES = 32, ROUNDS_MAX = 255, BLOCK = 64 };

/* Compilers make instructions of this for whatever the processor has. */
typedef unsigned char bytes_vector __attribute__((vector_size(LANES)));

/* So that everything is compiled for the processor that its caller is for. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

static size_t count_byte(struct slice bytes, char byte)
{
	size_t count = 0;
	size_t at = 0;
	bytes_vector wanted = (bytes_vector){0} + (unsigned char)byte;
	while (bytes.length - at >= LANES) {
		bytes_vector sums = {0};
		for (int round = 0; round < ROUNDS_MAX && bytes.length - at >= LANES; round++) {
			bytes_vector lanes;
			memcpy(&lanes, bytes.data + at, LANES);
			sums -= (bytes_vector)(lanes == wanted); /* true is -1 */
			at += LANES;
		}
		for (int i = 0; i < LANES; i++)
			count += sums[i];
	}
	for (; at < bytes.length; at++)
		count += bytes.data[at] == byte;
	return count;
}

uint64_t cut_count_lines(struct slice bytes)
{
	uint64_t lines = count_byte(bytes, '\n');
	const char *end = bytes.data + bytes.length;
	const char *at = bytes.data;
	while (at < end && (at = memchr(at, '\r', (size_t)(end - at))) != NULL) {
		at++;
		lines += at == end || *at != '\n';
	}
	return lines;
}

static uint64_t load(const char *bytes)
{
	uint64_t word;
	memcpy(&word, bytes, sizeof(word));
	return le64toh(word); /* cuts are the same on every machine */
}

/* Of the eight bytes on either side of the place behind a line feed. A product of 128 bits, folded. */
static uint64_t mix(const struct cut_rule *rule, const char *place)
{
	unsigned __int128 product =
	    (unsigned __int128)(load(place - CUT_AHEAD) ^ rule->key[0]) * (load(place) ^ rule->key[1]);
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Does the byte occur an odd number of times? Without carries all lanes of a block go side by side. */
static ALWAYS_INLINE bool is_count_odd(struct slice bytes, char byte)
{
	bytes_vector wanted = (bytes_vector){0} + (unsigned char)byte;
	bytes_vector odd[BLOCK / LANES] = {{0}};
	size_t at = 0;
	for (; bytes.length - at >= BLOCK; at += BLOCK) {
#pragma GCC unroll 2
		for (size_t i = 0; i < BLOCK / LANES; i++) {
			bytes_vector lanes;
			memcpy(&lanes, bytes.data + at + i * LANES, LANES);
			odd[i] ^= (bytes_vector)(lanes == wanted);
		}
	}
	bytes_vector all = odd[0] ^ odd[1];
	uint64_t words[LANES / sizeof(uint64_t)];
	memcpy(words, &all, sizeof words);
	uint64_t both = words[0] ^ words[1] ^ words[2] ^ words[3];
	bool is_odd = __builtin_parityll(both & UINT64_C(0x0101010101010101));
	for (; at < bytes.length; at++)
		is_odd ^= bytes.data[at] == byte;
	return is_odd;
}

/* Quotes counted up to some place, so that each byte is looked at once. */
struct parity {
	const char *counted;
	bool is_odd;
};

static ALWAYS_INLINE bool is_quoted(struct parity *parity, const char *place, char quote)
{
	if (quote == '\0')
		return false;
	struct slice more = {parity->counted, (size_t)(place - parity->counted)};
	parity->is_odd ^= is_count_odd(more, quote);
	parity->counted = place;
	return parity->is_odd;
}

/* Behind the last line feed outside quotes, or behind the last at all: cutting anywhere else is certain to be wrong. */
static size_t cut_late(const struct cut_rule *rule, struct slice bytes)
{
	struct parity parity = {bytes.data, false};
	bool is_odd = is_quoted(&parity, bytes.data + bytes.length, rule->quote);
	const char *last = NULL;
	const char *end = bytes.data + bytes.length;
	for (const char *at = end; at > bytes.data; at--) {
		is_odd ^= rule->quote != '\0' && at[-1] == rule->quote;
		if (at[-1] == '\n' && !is_odd)
			return (size_t)(at - bytes.data);
		if (at[-1] == '\n' && last == NULL)
			last = at;
	}
	return last != NULL ? (size_t)(last - bytes.data) : bytes.length;
}

/* A line is cut behind with a chance that grows with its length: chunks of short and of long lines are of one size. */
struct chance {
	size_t span; /* so long a line is certain */
	uint64_t of_byte;
};

static bool is_chosen(const struct cut_rule *rule, const struct chance *chance, const char *place,
                      size_t line)
{
	return line >= chance->span || mix(rule, place) < chance->of_byte * line;
}

/* One bit for each byte of the block. */
typedef uint64_t line_feeds_fn(const char *block);

static ALWAYS_INLINE uint64_t line_feeds_before(line_feeds_fn *line_feeds, const char *block, const char *end)
{
	char last[BLOCK] = {0};
	if (end - block >= BLOCK)
		return line_feeds(block);
	memcpy(last, block, (size_t)(end - block));
	return line_feeds(last);
}

/* The first chosen place from `from` to `end`, NULL if there is none. */
static ALWAYS_INLINE const char *find_place(line_feeds_fn *line_feeds, const struct cut_rule *rule,
                                            const struct cut_size *size, struct slice bytes, const char *from,
                                            const char *end)
{
	const struct chance chance = {size->mean - size->least, UINT64_MAX / (size->mean - size->least)};
	struct parity parity = {bytes.data, false};
	const char *line = NULL; /* the beginning of the first one was not seen: it cannot be chosen */
	for (const char *block = from; block < end; block += BLOCK) {
		uint64_t feeds = line_feeds_before(line_feeds, block, end);
		for (; feeds != 0; feeds &= feeds - 1) {
			const char *place = block + __builtin_ctzll(feeds) + 1;
			if (bytes.data + bytes.length - place < CUT_AHEAD)
				return NULL;
			if (line != NULL && is_chosen(rule, &chance, place, (size_t)(place - line)) &&
			    !is_quoted(&parity, place, rule->quote))
				return place;
			line = place;
		}
	}
	return NULL;
}

/* The body of cut_find(), made once for each processor. */
static ALWAYS_INLINE size_t find(line_feeds_fn *line_feeds, const struct cut_rule *rule,
                                 const struct cut_size *size, struct slice bytes, bool are_all)
{
	if (bytes.length > size->least) {
		const char *end = bytes.data + (bytes.length < size->most ? bytes.length : size->most);
		const char *place = find_place(line_feeds, rule, size, bytes, bytes.data + size->least, end);
		if (place != NULL)
			return (size_t)(place - bytes.data);
	}
	if (!are_all && bytes.length < size->most + CUT_AHEAD)
		return 0;
	if (bytes.length <= size->most)
		return bytes.length;
	return cut_late(rule, (struct slice){bytes.data, size->most});
}

static ALWAYS_INLINE uint64_t line_feeds_plain(const char *block)
{
	uint64_t feeds = 0;
#if defined(__SSE2__)
	for (size_t i = 0; i < BLOCK; i += sizeof(__m128i)) {
		__m128i lanes = _mm_loadu_si128((const __m128i *)(const void *)(block + i));
		int found = _mm_movemask_epi8(_mm_cmpeq_epi8(lanes, _mm_set1_epi8('\n')));
		feeds |= (uint64_t)found << i;
	}
#else
	for (size_t i = 0; i < BLOCK; i++)
		feeds |= (uint64_t)(block[i] == '\n') << i;
#endif
	return feeds;
}

size_t cut_find_plain(const struct cut_rule *rule, const struct cut_size *size, struct slice bytes,
                      bool are_all)
{
	return find(line_feeds_plain, rule, size, bytes, are_all);
}

#if defined(__x86_64__)

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline uint64_t line_feeds_avx2(const char *block)
{
	const __m256i wanted = _mm256_set1_epi8('\n');
	uint64_t feeds = 0;
	for (size_t i = 0; i < BLOCK; i += sizeof(__m256i)) {
		__m256i lanes = _mm256_loadu_si256((const __m256i *)(const void *)(block + i));
		uint32_t found = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(lanes, wanted));
		feeds |= (uint64_t)found << i;
	}
	return feeds;
}

AVX2 static size_t find_avx2(const struct cut_rule *rule, const struct cut_size *size, struct slice bytes,
                             bool are_all)
{
	return find(line_feeds_avx2, rule, size, bytes, are_all);
}

size_t cut_find(const struct cut_rule *rule, const struct cut_size *size, struct slice bytes, bool are_all)
{
	return __builtin_cpu_supports("avx2") ? find_avx2(rule, size, bytes, are_all)
	                                      : cut_find_plain(rule, size, bytes, are_all);
}

#else

size_t cut_find(const struct cut_rule *rule, const struct cut_size *size, struct slice bytes, bool are_all)
{
	return cut_find_plain(rule, size, bytes, are_all);
}

#endif
