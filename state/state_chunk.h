// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_CHUNK_H
#define ROWSIEVE_STATE_CHUNK_H

#include "state_dataset.h"
#include "state_run.h"

/*
 * Chunks: stretches of members all of whose rows are accounted for. Their records are runs of a family of
 * their own (state_run.h), which are not counted as rows. They are a cache: what is not found is read again.
 *
 * K1  A chunk is live only if the rows in it are: it is put with the batch that carries the last of them, or
 *     when all of them are live already (I3).
 * K2  Records carry the dataset's cache_epoch of when they were put and are void under any other.
 * K3  Of records with the same digest the newest counts.
 */
struct state_chunk {
	struct state_digest digest; /* uniform, like those of rows */
	uint32_t rows;
	uint32_t filtered;
	uint64_t seq; /* the dataset's batch that confirmed it; filled in by put */
};

/* Records chunks whose rows are all live already: live at once. Rising, distinct. No batch of the dataset may
 * be pending in this transaction. */
enum state_result state_chunk_put(struct state_txn *txn, uint32_t dataset, const struct state_chunk *chunks,
                                  size_t count);

/* For state_batch.c: writes those of a batch as a pending run and gives its number, or 0 for none. */
enum state_result state_chunk_write(struct state_txn *txn, const struct state_dataset *dataset, uint64_t seq,
                                    const struct state_chunk *chunks, size_t count, uint32_t *run);

/* The chunks of a dataset as a transaction sees them, live and pending; of one that is not there, none. Close it before
 * the transaction ends, or writes. */
struct state_chunk_reader;
enum state_result state_chunk_open(struct state_chunk_reader **out, struct state_txn *txn, uint32_t dataset);
void state_chunk_close(struct state_chunk_reader *reader); /* NULL is fine */

/*
 * For each of the `count` rising digests sets seen[i], and where it is true chunks[i] to its newest record.
 * One look-up of many costs less than many of one; from call to call the digests may fall.
 */
enum state_result state_chunk_find(struct state_chunk_reader *reader, const struct state_digest *sorted,
                                   size_t count, bool *seen, struct state_chunk *chunks);

/* Forgets runs of chunks none of which was confirmed by batch `seq` or later. */
enum state_result state_chunk_expire(struct state_txn *txn, uint32_t dataset, uint64_t seq);

#endif
