// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_BATCH_H
#define ROWSIEVE_INGEST_BATCH_H

#include <stdbool.h>

#include "base/buffer.h"
#include "schema/identity.h"
#include "state_delivery.h"
#include "state_run.h"

/*
 * Rows on their way: canonical form, digest, and the counts they will be added to. batch_judge() finds out
 * which of them were never seen; only those are kept.
 */
struct batch_row {
	struct state_digest digest;
	size_t offset; /* of the canonical form in `bytes` */
	uint32_t length;
	uint32_t order; /* place in the batch: the first of equal rows is the new one */
	struct state_counts *counts;
};

struct batch {
	struct buffer bytes;
	struct batch_row *rows;
	size_t count;
	size_t capacity; /* fixed at batch_open(): rows */
	size_t limit;    /* bytes of canonical form from which on it is full */

	/* after batch_judge(): */
	struct state_digest *digests; /* of the unseen rows, rising; capacity entries */
	struct slice *unseen;         /* their canonical forms, in the order of delivery */
	size_t unseen_count;
	bool *seen; /* scratch of the probe */

	/* of a dry run, which puts nothing into the state: what it would have put there, 16 bytes a row */
	bool is_dry;
	struct batch_memory *memory;
};

/* Memory that a row takes in a batch beside its canonical form, in bytes. */
enum {
	BATCH_ROW_COST =
	    sizeof(struct batch_row) + sizeof(struct state_digest) + sizeof(struct slice) + sizeof(bool)
};

enum result batch_open(struct batch *batch, size_t rows, size_t bytes, bool is_dry) WARN_UNUSED;
void batch_close(struct batch *batch);
bool batch_is_full(const struct batch *batch);

/* Takes the canonical form that was appended to batch->bytes from `offset` on. counts must outlive the
 * judgement. */
void batch_add(struct batch *batch, size_t offset, const struct identity_digests *digests,
               struct state_counts *counts);

/* Sorts, probes the dataset's runs, counts each row as new or duplicate, and leaves the unseen ones. */
enum state_result batch_judge(struct batch *batch, struct state_txn *txn, uint32_t dataset);

/* Empties it for the next rows. */
void batch_clear(struct batch *batch);

#endif
