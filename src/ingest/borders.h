// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_BORDERS_H
#define ROWSIEVE_INGEST_BORDERS_H

#include "ingest/batch.h"
#include "ingest/chunks.h"

/*
 * What becomes durable beside rows. A border is the end of a part of a batch, between two records: marks, deliveries
 * and chunk records as they stood when the engine was there. Each holds only what moved on since the one before, so a
 * transaction takes what all borders of its parts hold.
 */
struct border {
	struct state_mark *marks; /* without what judging counts of rows that are not judged yet */
	size_t mark_count;
	struct state_delivery *deliveries; /* that the state does not have yet */
	size_t delivery_count;
	struct chunks chunks;
};

/* Zero is empty. */
struct borders {
	struct border carried; /* what batches before did not store, as all their rows were seen */
	struct border list[BATCH_PARTS_MAX]; /* of the parts that have ended, in their order */
	size_t count;
};

struct ingest;

/* Ends the open part of `batch`, whose rows all belong to the engine's current dataset, and packs what goes with it;
 * its rejects are synced. It may be a batch without rows. */
enum result borders_add(struct borders *borders, struct ingest *ingest, struct batch *batch,
                        struct error *error) WARN_UNUSED;

/* `to`, which is empty, takes all of `from`. */
void borders_move(struct borders *to, struct borders *from);

/* Nothing of `from` became durable; all of `to` was packed later. RESULT_NO_MEMORY only. */
enum result borders_carry(struct borders *to, const struct borders *from) WARN_UNUSED;

/* What the transaction takes that stores the parts from `first` to before `end`: a later mark of a member is behind
 * an earlier one, if not in its place. RESULT_NO_MEMORY only. */
enum result borders_join(const struct borders *borders, size_t first, size_t end,
                         struct border *out) WARN_UNUSED;

void borders_clear(struct borders *borders);
void borders_clear_one(struct border *border);
void borders_free(struct borders *borders);
void borders_free_one(struct border *border);

#endif
