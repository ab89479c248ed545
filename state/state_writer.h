// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_WRITER_H
#define ROWSIEVE_STATE_WRITER_H

#include "state_filter.h"
#include "state_manifest.h"
#include "state_run.h"

/* Writes one run from rising digests, over as many transactions as it takes. */
struct state_writer {
	struct state_manifest run;
	struct state_filter_builder filter;
	uint8_t *piece;
	size_t filled;             /* digests in `piece` */
	uint64_t written;          /* digests added */
	uint64_t stored;           /* bytes of data put so far */
	struct state_digest first; /* of the piece */
};

/* Creates the run in that state; rows is what will be added. Discard it in any case. */
enum state_result state_writer_begin(struct state_writer *writer, struct state_txn *txn, uint32_t dataset,
                                     enum state_run_state state, uint64_t rows);
enum state_result state_writer_add(struct state_writer *writer, struct state_txn *txn,
                                   const struct state_digest *sorted, size_t count);
/* Stores what is left; STATE_CORRUPT when fewer or more were added than was said. */
enum state_result state_writer_finish(struct state_writer *writer, struct state_txn *txn);
void state_writer_discard(struct state_writer *writer);

/* Bytes put so far, in all transactions. */
uint64_t state_writer_stored(const struct state_writer *writer);

#endif
