// SPDX-License-Identifier: Apache-2.0
#include "state_filter.h"

#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "runs and filters are read where they lie in the map, as little-endian numbers"
#endif

enum {
	WORDS = STATE_FILTER_BLOCK_SIZE / 4,
	PREFETCH_DISTANCE = 16, /* digests */
	SPARSE = 4,             /* blocks from one digest to the next */
};

static const uint32_t salts[WORDS] = {
    0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
};

__extension__ typedef unsigned __int128 wide;

uint64_t state_filter_blocks(uint64_t entries)
{
	enum { BLOCK_BITS = 8 * STATE_FILTER_BLOCK_SIZE };
	return (uint64_t)(((wide)entries * STATE_FILTER_BITS + BLOCK_BITS - 1) / BLOCK_BITS);
}

uint64_t state_filter_pieces(uint64_t blocks)
{
	return blocks / STATE_FILTER_PIECE_BLOCKS + (blocks % STATE_FILTER_PIECE_BLOCKS != 0);
}

uint64_t state_filter_bytes(uint64_t blocks)
{
	return blocks * STATE_FILTER_BLOCK_SIZE + state_filter_pieces(blocks) * STATE_FILTER_PADDING;
}

static size_t piece_size(uint64_t blocks, uint64_t piece)
{
	uint64_t left = blocks - piece * STATE_FILTER_PIECE_BLOCKS;
	if (left > STATE_FILTER_PIECE_BLOCKS)
		left = STATE_FILTER_PIECE_BLOCKS;
	return (size_t)(STATE_FILTER_PADDING + left * STATE_FILTER_BLOCK_SIZE);
}

struct state_key state_filter_key(uint32_t run, uint64_t piece)
{
	struct state_key key = {0};
	state_codec_key_u32(&key, run);
	state_codec_key_u32(&key, (uint32_t)piece);
	return key;
}

/* Rising with hi, so that sorted digests walk through the filter from its start to its end. */
static uint64_t block_of(struct state_digest digest, uint64_t blocks)
{
	return (uint64_t)(((wide)digest.hi * blocks) >> 64);
}

uint64_t state_filter_piece(uint64_t blocks, uint64_t hi)
{
	return block_of((struct state_digest){.hi = hi}, blocks) / STATE_FILTER_PIECE_BLOCKS;
}

uint64_t state_filter_edge(uint64_t blocks, uint64_t piece)
{
	wide first = (wide)piece * STATE_FILTER_PIECE_BLOCKS << 64;
	return (uint64_t)((first + blocks - 1) / blocks);
}

static uint32_t mask_of(struct state_digest digest, size_t word)
{
	return UINT32_C(1) << (((uint32_t)digest.lo * salts[word]) >> 27);
}

enum state_result state_filter_begin(struct state_filter_builder *builder, struct state_txn *txn,
                                     uint32_t run, uint64_t blocks, uint64_t piece)
{
	*builder = (struct state_filter_builder){.run = run, .blocks = blocks, .piece = piece};
	enum state_result result = state_txn_check(txn);
	if (result != STATE_OK)
		return result;
	if (state_filter_pieces(blocks) > UINT32_MAX)
		return state_txn_fail(txn, STATE_MISUSE, "a run of the state cannot be that large");
	builder->bytes = calloc(1, piece_size(blocks, piece));
	if (builder->bytes == NULL)
		return state_txn_fail(txn, STATE_NO_MEMORY, "no memory for a filter of the state");
	return STATE_OK;
}

void state_filter_discard(struct state_filter_builder *builder)
{
	free(builder->bytes);
	builder->bytes = NULL;
}

static enum state_result store_piece(struct state_filter_builder *builder, struct state_txn *txn)
{
	struct state_key key = state_filter_key(builder->run, builder->piece);
	size_t size = piece_size(builder->blocks, builder->piece);
	enum state_result result = state_txn_insert(txn, STATE_TABLE_FILTER, &key, builder->bytes, size);
	if (result != STATE_OK)
		return result;
	memset(builder->bytes, 0, size);
	builder->piece++;
	return STATE_OK;
}

enum state_result state_filter_finish(struct state_filter_builder *builder, struct state_txn *txn,
                                      uint64_t end)
{
	while (builder->piece < end) {
		enum state_result result = store_piece(builder, txn);
		if (result != STATE_OK)
			return result;
	}
	return STATE_OK;
}

/* Sets a digest's bit in each word of its block. */
static void mark(uint8_t *block, struct state_digest digest)
{
	for (size_t word = 0; word < WORDS; word++) {
		uint32_t value;
		memcpy(&value, block + 4 * word, sizeof(value));
		value |= mask_of(digest, word);
		memcpy(block + 4 * word, &value, sizeof(value));
	}
}

/* The body of add, made twice: once for each way to mark a block. */
static inline __attribute__((always_inline)) enum state_result
add(struct state_filter_builder *builder, struct state_txn *txn, const uint8_t *entries, size_t size,
    size_t count, void (*mark_digest)(uint8_t *, struct state_digest))
{
	for (size_t i = 0; i < count; i++) {
		struct state_digest digest;
		memcpy(&digest, entries + i * size, sizeof(digest));
		uint64_t block = block_of(digest, builder->blocks);
		if (block - builder->piece * STATE_FILTER_PIECE_BLOCKS >= STATE_FILTER_PIECE_BLOCKS) {
			/* Entries of a damaged run need not rise. */
			if (block / STATE_FILTER_PIECE_BLOCKS < builder->piece)
				return state_txn_fail_corrupt(txn, STATE_TABLE_DATA);
			enum state_result result =
			    state_filter_finish(builder, txn, block / STATE_FILTER_PIECE_BLOCKS);
			if (result != STATE_OK)
				return result;
		}
		uint64_t place = block - builder->piece * STATE_FILTER_PIECE_BLOCKS;
		mark_digest(builder->bytes + STATE_FILTER_PADDING + place * STATE_FILTER_BLOCK_SIZE, digest);
	}
	return STATE_OK;
}

enum state_result state_filter_add_plain(struct state_filter_builder *builder, struct state_txn *txn,
                                         const uint8_t *entries, size_t size, size_t count)
{
	return add(builder, txn, entries, size, count, mark);
}

enum state_result state_filter_open(struct state_filter *filter, struct state_txn *txn, uint32_t run,
                                    uint64_t blocks)
{
	*filter = (struct state_filter){.run = run, .blocks = blocks};
	return state_cursor_open(&filter->cursor, txn, STATE_TABLE_FILTER);
}

void state_filter_close(struct state_filter *filter)
{
	state_cursor_close(&filter->cursor);
}

static enum state_result load_piece(struct state_filter *filter, uint64_t piece)
{
	struct state_key key = state_filter_key(filter->run, piece);
	const struct state_filter_piece *last = &filter->piece;
	bool follows = last->count > 0 && last->first + last->count == piece * STATE_FILTER_PIECE_BLOCKS;
	enum state_result result =
	    follows ? state_cursor_move(&filter->cursor, MDB_NEXT) : state_cursor_seek(&filter->cursor, &key);
	if (result != STATE_OK && result != STATE_NOT_FOUND)
		return result;
	if (result == STATE_NOT_FOUND || !state_cursor_has_prefix(&filter->cursor, &key) ||
	    filter->cursor.value.mv_size != piece_size(filter->blocks, piece))
		return state_txn_fail_corrupt(filter->cursor.txn, STATE_TABLE_FILTER);
	filter->piece = (struct state_filter_piece){
	    .bytes = (const uint8_t *)filter->cursor.value.mv_data + STATE_FILTER_PADDING,
	    .first = piece * STATE_FILTER_PIECE_BLOCKS,
	    .count = (filter->cursor.value.mv_size - STATE_FILTER_PADDING) / STATE_FILTER_BLOCK_SIZE,
	};
	return STATE_OK;
}

static bool may_hold(const uint8_t *block, struct state_digest digest)
{
	uint32_t missing = 0;
	for (size_t word = 0; word < WORDS; word++) {
		uint32_t value; /* a small piece lies unaligned among others on its page */
		memcpy(&value, block + 4 * word, sizeof(value));
		missing |= mask_of(digest, word) & ~value;
	}
	return missing == 0;
}

/* How many of the digests have their block fetched ahead. Where blocks lie close together the processor does
 * that. */
static size_t count_foreseen(const struct state_filter *filter, const struct state_digest *sorted,
                             const uint16_t *places, size_t count)
{
	if (count <= PREFETCH_DISTANCE)
		return 0;
	uint64_t first = block_of(sorted[places[0]], filter->blocks);
	uint64_t last = block_of(sorted[places[count - 1]], filter->blocks);
	return (last - first) / count < SPARSE ? 0 : count - PREFETCH_DISTANCE;
}

/* The body of choose, made twice: once for each way to ask a block. */
static inline __attribute__((always_inline)) enum state_result
choose(struct state_filter *filter, const struct state_probe *probe, const uint16_t *places, size_t count,
       struct state_probe_list *chosen, bool (*may_hold_digest)(const uint8_t *, struct state_digest))
{
	const struct state_digest *sorted = probe->sorted;
	const uint64_t blocks = filter->blocks;
	struct state_filter_piece piece = filter->piece;
	const size_t foreseen = count_foreseen(filter, sorted, places, count);
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		struct state_digest digest = sorted[places[i]];
		uint64_t block = block_of(digest, blocks);
		if (block - piece.first >= piece.count) {
			enum state_result result = load_piece(filter, block / STATE_FILTER_PIECE_BLOCKS);
			if (result != STATE_OK)
				return result;
			piece = filter->piece;
		}
		if (i < foreseen) {
			uint64_t later =
			    block_of(sorted[places[i + PREFETCH_DISTANCE]], blocks) - piece.first;
			if (later < piece.count)
				__builtin_prefetch(piece.bytes + later * STATE_FILTER_BLOCK_SIZE);
		}
		chosen->places[kept] = places[i];
		kept +=
		    may_hold_digest(piece.bytes + (block - piece.first) * STATE_FILTER_BLOCK_SIZE, digest);
	}
	chosen->count = kept;
	return STATE_OK;
}

enum state_result state_filter_choose_plain(struct state_filter *filter, const struct state_probe *probe,
                                            const uint16_t *places, size_t count,
                                            struct state_probe_list *chosen)
{
	return choose(filter, probe, places, count, chosen, may_hold);
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) static inline __m256i mask_avx2(struct state_digest digest)
{
	__m256i salt = _mm256_loadu_si256((const __m256i *)salts);
	__m256i product = _mm256_mullo_epi32(_mm256_set1_epi32((int)digest.lo), salt);
	return _mm256_sllv_epi32(_mm256_set1_epi32(1), _mm256_srli_epi32(product, 27));
}

__attribute__((target("avx2"))) static inline bool may_hold_avx2(const uint8_t *block,
                                                                 struct state_digest digest)
{
	return _mm256_testc_si256(_mm256_loadu_si256((const __m256i *)block), mask_avx2(digest)) != 0;
}

__attribute__((target("avx2"))) static enum state_result choose_avx2(struct state_filter *filter,
                                                                     const struct state_probe *probe,
                                                                     const uint16_t *places, size_t count,
                                                                     struct state_probe_list *chosen)
{
	return choose(filter, probe, places, count, chosen, may_hold_avx2);
}

__attribute__((target("avx2"))) static inline void mark_avx2(uint8_t *block, struct state_digest digest)
{
	__m256i bits = _mm256_loadu_si256((const __m256i *)block);
	_mm256_storeu_si256((__m256i *)block, _mm256_or_si256(bits, mask_avx2(digest)));
}

__attribute__((target("avx2"))) static enum state_result add_avx2(struct state_filter_builder *builder,
                                                                  struct state_txn *txn,
                                                                  const uint8_t *entries, size_t size,
                                                                  size_t count)
{
	return add(builder, txn, entries, size, count, mark_avx2);
}

enum state_result state_filter_add(struct state_filter_builder *builder, struct state_txn *txn,
                                   const uint8_t *entries, size_t size, size_t count)
{
	return __builtin_cpu_supports("avx2") ? add_avx2(builder, txn, entries, size, count)
	                                      : state_filter_add_plain(builder, txn, entries, size, count);
}

enum state_result state_filter_choose(struct state_filter *filter, const struct state_probe *probe,
                                      const uint16_t *places, size_t count, struct state_probe_list *chosen)
{
	return __builtin_cpu_supports("avx2") ? choose_avx2(filter, probe, places, count, chosen)
	                                      : choose(filter, probe, places, count, chosen, may_hold);
}

#else

enum state_result state_filter_add(struct state_filter_builder *builder, struct state_txn *txn,
                                   const uint8_t *entries, size_t size, size_t count)
{
	return state_filter_add_plain(builder, txn, entries, size, count);
}

enum state_result state_filter_choose(struct state_filter *filter, const struct state_probe *probe,
                                      const uint16_t *places, size_t count, struct state_probe_list *chosen)
{
	return choose(filter, probe, places, count, chosen, may_hold);
}

#endif
