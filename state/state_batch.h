// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_BATCH_H
#define ROWSIEVE_STATE_BATCH_H

#include "state_chunk.h"
#include "state_dataset.h"
#include "state_delivery.h"
#include "state_outbox.h"
#include "state_run.h"

/*
 * The batch record: everything that becomes true when a batch's COMMIT happened, written before the COMMIT is
 * sent, and nothing else.
 *
 * B1  At most one record per dataset is pending; put over one is STATE_MISUSE (I2).
 * B2  A pending record is never changed: it is promoted whole or discarded whole.
 * B3  Promotion reads the record and nothing of the caller: the running program and a restart after a crash
 *     call the same function.
 */

/* How far the batch carries one member: the state_member as it will be, and the delivery's reject file
 * length. */
struct state_mark {
	struct state_member member;
	uint64_t rejects_length;
	bool has_content; /* the member ended clean: remember its content too */
	struct state_content content;
};

struct state_batch {
	uint32_t dataset;
	uint64_t seq; /* the dataset's live seq + 1, a promotion earlier in the transaction counted */
	uint8_t batch_id[STATE_ID_SIZE];
	uint32_t schema_version;
	const struct state_digest *digests; /* rising, distinct, unseen; these become one run */
	size_t digest_count;
	const struct state_entry *entries; /* of a keyed dataset, instead of digests: rising, distinct keys */
	size_t entry_count;
	size_t new_count;                 /* entries whose key was never seen: these are what `rows` counts */
	const struct state_chunk *chunks; /* rising, distinct; they may be known already */
	size_t chunk_count;
	const struct state_mark *marks;
	size_t mark_count;
	struct state_watermark watermark;    /* as it will be; column "": it stays */
	const struct state_segment *segment; /* its rows for the object store; NULL: none are kept */
};

/* Writes record and runs as pending. seq must follow the dataset's live seq. STATE_NO_SPACE when they, and
 * then the promotion, would not fit. */
enum state_result state_batch_put(struct state_txn *txn, const struct state_batch *batch);

/* What judging needs of the pending record; STATE_NOT_FOUND when there is none. */
struct state_pending {
	uint64_t seq;
	uint8_t batch_id[STATE_ID_SIZE];
	uint32_t schema_version;
	uint64_t entry_count; /* digests or entries */
};

enum state_result state_batch_pending(struct state_txn *txn, uint32_t dataset, struct state_pending *out);

/* The same of the first dataset behind the id `after` (0: of all) that has one. */
enum state_result state_batch_next_pending(struct state_txn *txn, uint32_t after, uint32_t *dataset,
                                           struct state_pending *out);

/* The COMMIT happened: its runs are live, seq and batch_id and rows of the dataset move on, the marks are
 * applied, the segment is owed to the store. */
enum state_result state_batch_promote(struct state_txn *txn, uint32_t dataset);

/* The COMMIT did not happen and never will: the record and its runs are gone. */
enum state_result state_batch_discard(struct state_txn *txn, uint32_t dataset);

/* Marks of a batch that stores nothing: applied at once. No batch of the dataset may be pending in this
 * transaction. */
enum state_result state_batch_apply_marks(struct state_txn *txn, uint32_t dataset,
                                          const struct state_mark *marks, size_t count);

#endif
