// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_PARCEL_H
#define ROWSIEVE_INGEST_PARCEL_H

#include "base/latch.h"
#include "ingest/batch.h"
#include "ingest/borders.h"
#include "ingest/dataset.h"
#include "ingest/spool.h"

/*
 * Rows on their way to the table, with everything that becomes durable with them. The engine packs them (commit.c): the
 * rows of all parts that are judged at once, and their borders. From then on parcel_store() needs nothing of the engine;
 * what it finds out stays in here until the engine unpacks it.
 */
struct parcel {
	/* Where it goes; fixed. */
	struct state *state;
	struct sink *sink;
	const struct spool_options *spool;

	/* As packed. */
	const struct dataset *dataset; /* read only, and not changed before it is unpacked */
	struct batch batch;            /* it may have been judged already */
	struct borders borders;
	bool is_full; /* its last part had to end */

	/* Where the dataset stands: as packed, and then as each transaction leaves it. */
	struct state_dataset record;
	struct sink_head head;
	bool promotion_due;

	/* The batch at hand: parts that one transaction stores. What became of it: */
	struct id batch_id;
	struct border border; /* joined of those of its parts */
	bool is_last;         /* no other is stored behind it */
	bool is_recorded; /* the state has the border, as pending or for good, and what was pending before is
	                         promoted */
	bool is_stored;   /* the table has confirmed it */

	/* Opens when the last intent is recorded, or it is done. What is judged behind it sees all of these rows (I3), and
	 * finds the room for judging free. */
	struct latch recorded;
	bool
	    leaves_time; /* what is stored behind the latch takes longer than to judge as many rows; set before */

	/* Of all batches that were stored: from when the first of them was sent to the answer to COMMIT. */
	double seconds[BATCH_PARTS_MAX];
	size_t stored_count;
};

/* Of zeros, before it is used. */
void parcel_init(struct parcel *parcel);

/* What becomes of each row of a batch of that dataset? Whatever was judged before is recorded, or dropped (I3). */
enum result parcel_judge(struct state *state, const struct dataset *dataset, struct batch *batch,
                         struct error *error) WARN_UNUSED;

/*
 * Judges the rows, if that was not done yet; where some are to be stored, stores batch by batch: steps 0 to 2 of the commit order, and a share of
 * the merging, for as many parts at a time as fit one transaction. Then all borders are recorded. Where none are, nothing
 * is written, unless so many chunk records wait that the state should have them. After a failure only a judgement can
 * say what became of the batch at hand.
 */
enum result parcel_store(struct parcel *parcel, struct error *error) WARN_UNUSED;

/* Makes all parts the batch at hand, of which nothing is to be stored. */
enum result parcel_join_all(struct parcel *parcel, struct error *error) WARN_UNUSED;

/* Puts the border at hand into a transaction that has promoted what was pending: all rows that the marks cover are
 * live with it. */
void parcel_put_border(struct state_txn *txn, struct parcel *parcel);

/* The part of the merging that so many new entries ask for. */
enum result parcel_merge(const struct parcel *parcel, size_t added, struct error *error) WARN_UNUSED;

/* The rows to store of the batch at hand, as the sink takes them. */
struct sink_batch parcel_rows(const struct parcel *parcel);

/* Empties it for the next rows. */
void parcel_clear(struct parcel *parcel);
void parcel_free(struct parcel *parcel);

#endif
