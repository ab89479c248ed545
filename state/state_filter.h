// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_FILTER_H
#define ROWSIEVE_STATE_FILTER_H

#include "state_cursor.h"
#include "state_probe.h"

/*
 * The filter of a run: a split-block Bloom filter with the mask of Parquet's. A digest's high word chooses
 * the block, in rising order; the lower half of its low word chooses one bit in each of the block's eight
 * 32-bit words. AVX2 or plain C asks for the same bits, as the processor can.
 *
 * It is stored in pieces of 2,046 blocks under (run, piece), each behind 48 bytes of padding: with LMDB's
 * page header of 16 bytes that puts every block of a full piece on a 64-byte boundary.
 */

enum {
	STATE_FILTER_BLOCK_SIZE = 32,
	STATE_FILTER_PADDING = 48,
	STATE_FILTER_BITS = 14, /* for each entry */
	STATE_FILTER_PIECE_BLOCKS = 2046,
	STATE_FILTER_PIECE_ENTRIES =
	    STATE_FILTER_PIECE_BLOCKS * 8 * STATE_FILTER_BLOCK_SIZE / STATE_FILTER_BITS,
};

uint64_t state_filter_blocks(uint64_t entries);
uint64_t state_filter_bytes(uint64_t blocks); /* of its values */
uint64_t state_filter_pieces(uint64_t blocks);

/* The piece that a digest with this high word belongs to, and the lowest high word of a piece. */
uint64_t state_filter_piece(uint64_t blocks, uint64_t hi);
uint64_t state_filter_edge(uint64_t blocks, uint64_t piece);

struct state_key state_filter_key(uint32_t run, uint64_t piece);

/* Building, from rising digests. The filter belongs to the run's writer. */
struct state_filter_builder {
	uint32_t run;
	uint64_t blocks;
	uint64_t piece; /* the one in `bytes` */
	uint8_t *bytes;
};

/* Begins at a piece: those before it are stored already. */
enum state_result state_filter_begin(struct state_filter_builder *builder, struct state_txn *txn,
                                     uint32_t run, uint64_t blocks, uint64_t piece);
/* Entries of `size` bytes that begin with their digests. */
enum state_result state_filter_add(struct state_filter_builder *builder, struct state_txn *txn,
                                   const uint8_t *entries, size_t size, size_t count);
/* The same without vector instructions: all there is on other processors. */
enum state_result state_filter_add_plain(struct state_filter_builder *builder, struct state_txn *txn,
                                         const uint8_t *entries, size_t size, size_t count);
/* Stores every piece before `end`. */
enum state_result state_filter_finish(struct state_filter_builder *builder, struct state_txn *txn,
                                      uint64_t end);
void state_filter_discard(struct state_filter_builder *builder); /* frees what begin took */

/* Blocks `first` to first + count - 1. */
struct state_filter_piece {
	const uint8_t *bytes;
	uint64_t first;
	uint64_t count;
};

/* Asking. Rising digests read each piece once. */
struct state_filter {
	struct state_cursor cursor;
	uint32_t run;
	uint64_t blocks;
	struct state_filter_piece piece; /* the last one that was asked; none at first */
};

/* Close it in any case. */
enum state_result state_filter_open(struct state_filter *filter, struct state_txn *txn, uint32_t run,
                                    uint64_t blocks);
void state_filter_close(struct state_filter *filter);

/* Chooses of `count` rising places of the stretch those whose digests the run may hold. */
enum state_result state_filter_choose(struct state_filter *filter, const struct state_probe *probe,
                                      const uint16_t *places, size_t count, struct state_probe_list *chosen);

/* The same without vector instructions: all there is on other processors. */
enum state_result state_filter_choose_plain(struct state_filter *filter, const struct state_probe *probe,
                                            const uint16_t *places, size_t count,
                                            struct state_probe_list *chosen);

#endif
