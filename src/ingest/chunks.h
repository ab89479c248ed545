// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_CHUNKS_H
#define ROWSIEVE_INGEST_CHUNKS_H

#include <stdbool.h>

#include "base/error.h"
#include "state_chunk.h"

/*
 * Chunk records on their way between the members that are read and the state. What is found is live, or carried by the
 * batch on its way to the table, with which whoever used it falls (C6 and P4 in DESIGN); what is added waits here for the
 * transaction that makes its rows live (C2). All of it belongs to one dataset, the engine's current one.
 */
struct chunks {
	/* of the dataset as a transaction sees it; opened by chunks_find() */
	struct state_txn *txn;
	struct state_chunk_reader *reader;
	/* whose rows are all in batches up to the open one */
	struct state_chunk *added;
	size_t count;
	size_t capacity;
};

/* Chunks that may wait: then the state should have them, whether there are new rows or not. */
enum { CHUNKS_MAX = 32768 };

/* As state_chunk_find(): rising digests. */
enum result chunks_find(struct chunks *chunks, struct state *state, uint32_t dataset,
                        const struct state_digest *sorted, size_t count, bool *seen,
                        struct state_chunk *found, struct error *error) WARN_UNUSED;

/* Without memory it is not remembered: it is a cache. */
void chunks_add(struct chunks *chunks, const struct state_chunk *chunk);

/* What was added to `from` is added to `to` instead. */
void chunks_move(struct chunks *to, struct chunks *from);

/* Puts what was added into the order that the state wants: rising, distinct. */
void chunks_sort(struct chunks *chunks);

/* The state has it, or it will not come true. */
void chunks_clear(struct chunks *chunks);

/* Closes the transaction, so that pages can be used again and the next look sees what was committed since. */
void chunks_release(struct chunks *chunks);
void chunks_free(struct chunks *chunks);

#endif
