// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_FILTER_H
#define ROWSIEVE_STATE_FILTER_H

#include "state_cursor.h"
#include "state_probe.h"

/*
 * The filter of a run: a split-block Bloom filter with the mask of Parquet's. A digest's high word chooses
 * the block, in rising order; the lower half of its low word chooses one bit in each of the block's eight
 * 32-bit words.
 *
 * It is stored in pieces of 2,046 blocks under (run, piece), each behind 48 bytes of padding: with LMDB's
 * page header of 16 bytes that puts every block of a full piece on a 64-byte boundary.
 */

enum { STATE_FILTER_BLOCK_SIZE = 32, STATE_FILTER_PADDING = 48, STATE_FILTER_PIECE_BLOCKS = 2046 };

uint64_t state_filter_blocks(uint64_t rows);
uint64_t state_filter_bytes(uint64_t blocks); /* of its values */

/* Building, from rising digests. The filter belongs to the run's writer, which passes the transaction of the
 * moment. */
struct state_filter_builder {
	uint32_t run;
	uint64_t blocks;
	uint64_t piece; /* the one in `bytes` */
	uint8_t *bytes;
	uint64_t stored; /* bytes put so far */
};

enum state_result state_filter_begin(struct state_filter_builder *builder, struct state_txn *txn,
                                     uint32_t run, uint64_t blocks);
enum state_result state_filter_add(struct state_filter_builder *builder, struct state_txn *txn,
                                   const struct state_digest *sorted, size_t count);
enum state_result state_filter_finish(struct state_filter_builder *builder, struct state_txn *txn);
void state_filter_discard(struct state_filter_builder *builder); /* frees what begin took */

/* Asking. Rising digests read each piece once. */
struct state_filter {
	struct state_cursor cursor;
	uint32_t run;
	uint64_t blocks;
	uint64_t piece;       /* the one in `bytes` */
	const uint8_t *bytes; /* NULL before the first */
};

/* Close it in any case. */
enum state_result state_filter_open(struct state_filter *filter, struct state_txn *txn, uint32_t run,
                                    uint64_t blocks);
void state_filter_close(struct state_filter *filter);

/* Fills the group with the next digests, not seen yet, that the run may hold. It is empty only when the probe
 * is at its end. */
enum state_result state_filter_choose(struct state_filter *filter, struct state_probe *probe,
                                      struct state_probe_group *group);

#endif
