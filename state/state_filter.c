// SPDX-License-Identifier: Apache-2.0
#include "state_filter.h"

#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "runs and filters are read where they lie in the map, as little-endian numbers"
#endif

enum { BITS_PER_ROW = 10, WORDS = STATE_FILTER_BLOCK_SIZE / 4, PREFETCH_DISTANCE = 16 };

static const uint32_t salts[WORDS] = {
    0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
};

__extension__ typedef unsigned __int128 wide;

uint64_t state_filter_blocks(uint64_t rows)
{
	enum { BLOCK_BITS = 8 * STATE_FILTER_BLOCK_SIZE };
	return (uint64_t)(((wide)rows * BITS_PER_ROW + BLOCK_BITS - 1) / BLOCK_BITS);
}

static uint64_t piece_count(uint64_t blocks)
{
	return blocks / STATE_FILTER_PIECE_BLOCKS + (blocks % STATE_FILTER_PIECE_BLOCKS != 0);
}

uint64_t state_filter_bytes(uint64_t blocks)
{
	return blocks * STATE_FILTER_BLOCK_SIZE + piece_count(blocks) * STATE_FILTER_PADDING;
}

static size_t piece_size(uint64_t blocks, uint64_t piece)
{
	uint64_t left = blocks - piece * STATE_FILTER_PIECE_BLOCKS;
	if (left > STATE_FILTER_PIECE_BLOCKS)
		left = STATE_FILTER_PIECE_BLOCKS;
	return (size_t)(STATE_FILTER_PADDING + left * STATE_FILTER_BLOCK_SIZE);
}

static struct state_key piece_key(uint32_t run, uint64_t piece)
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

static uint32_t mask_of(struct state_digest digest, size_t word)
{
	return UINT32_C(1) << (((uint32_t)digest.lo * salts[word]) >> 27);
}

enum state_result state_filter_begin(struct state_filter_builder *builder, struct state_txn *txn,
                                     uint32_t run, uint64_t blocks)
{
	*builder = (struct state_filter_builder){.run = run, .blocks = blocks};
	enum state_result result = state_txn_check(txn);
	if (result != STATE_OK)
		return result;
	if (piece_count(blocks) > UINT32_MAX)
		return state_txn_fail(txn, STATE_MISUSE, "a run of the state cannot be that large");
	builder->bytes = calloc(1, piece_size(blocks, 0));
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
	struct state_key key = piece_key(builder->run, builder->piece);
	size_t size = piece_size(builder->blocks, builder->piece);
	enum state_result result = state_txn_insert(txn, STATE_TABLE_FILTER, &key, builder->bytes, size);
	if (result != STATE_OK)
		return result;
	memset(builder->bytes, 0, size);
	builder->stored += size;
	builder->piece++;
	return STATE_OK;
}

enum state_result state_filter_add(struct state_filter_builder *builder, struct state_txn *txn,
                                   const struct state_digest *sorted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t block = block_of(sorted[i], builder->blocks);
		while (block / STATE_FILTER_PIECE_BLOCKS > builder->piece) {
			enum state_result result = store_piece(builder, txn);
			if (result != STATE_OK)
				return result;
		}
		uint64_t offset = block % STATE_FILTER_PIECE_BLOCKS * STATE_FILTER_BLOCK_SIZE;
		uint8_t *words = builder->bytes + STATE_FILTER_PADDING + offset;
		for (size_t word = 0; word < WORDS; word++) {
			uint32_t value;
			memcpy(&value, words + 4 * word, sizeof(value));
			value |= mask_of(sorted[i], word);
			memcpy(words + 4 * word, &value, sizeof(value));
		}
	}
	return STATE_OK;
}

enum state_result state_filter_finish(struct state_filter_builder *builder, struct state_txn *txn)
{
	while (builder->piece < piece_count(builder->blocks)) {
		enum state_result result = store_piece(builder, txn);
		if (result != STATE_OK)
			return result;
	}
	return STATE_OK;
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
	struct state_key key = piece_key(filter->run, piece);
	enum state_result result = state_cursor_seek(&filter->cursor, &key);
	if (result != STATE_OK && result != STATE_NOT_FOUND)
		return result;
	if (result == STATE_NOT_FOUND || !state_cursor_has_prefix(&filter->cursor, &key) ||
	    filter->cursor.value.mv_size != piece_size(filter->blocks, piece))
		return state_txn_fail_corrupt(filter->cursor.txn, STATE_TABLE_FILTER);
	filter->bytes = filter->cursor.value.mv_data;
	filter->piece = piece;
	return STATE_OK;
}

static const uint8_t *block_at(const struct state_filter *filter, uint64_t block)
{
	return filter->bytes + STATE_FILTER_PADDING +
	       block % STATE_FILTER_PIECE_BLOCKS * STATE_FILTER_BLOCK_SIZE;
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

/* The blocks of a large run lie too far apart for the processor to foresee. */
static void prefetch(const struct state_filter *filter, struct state_digest digest)
{
	uint64_t block = block_of(digest, filter->blocks);
	if (block / STATE_FILTER_PIECE_BLOCKS == filter->piece)
		__builtin_prefetch(block_at(filter, block));
}

enum state_result state_filter_choose(struct state_filter *filter, struct state_probe *probe,
                                      struct state_probe_group *group)
{
	group->count = 0;
	for (; probe->next < probe->count && group->count < STATE_PROBE_GROUP; probe->next++) {
		if (probe->seen[probe->next])
			continue;
		struct state_digest digest = probe->sorted[probe->next];
		uint64_t block = block_of(digest, filter->blocks);
		uint64_t piece = block / STATE_FILTER_PIECE_BLOCKS;
		if (filter->bytes == NULL || piece != filter->piece) {
			enum state_result result = load_piece(filter, piece);
			if (result != STATE_OK)
				return result;
		}
		if (probe->count - probe->next > PREFETCH_DISTANCE)
			prefetch(filter, probe->sorted[probe->next + PREFETCH_DISTANCE]);
		if (may_hold(block_at(filter, block), digest))
			group->indexes[group->count++] = probe->next;
	}
	return STATE_OK;
}
