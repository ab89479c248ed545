// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_PARCEL_H
#define ROWSIEVE_INGEST_PARCEL_H

#include "ingest/batch.h"
#include "ingest/chunks.h"
#include "ingest/dataset.h"
#include "ingest/spool.h"

/*
 * A batch on its way to the table, with everything that becomes durable with it. The engine packs it (commit.c):
 * rows, the marks of all members as they stand behind the last of them, new deliveries, chunk records. From then
 * on parcel_store() needs nothing of the engine; what it finds out stays in here until the engine unpacks it.
 */
struct parcel {
	/* Where it goes; fixed. */
	struct state *state;
	struct sink *sink;
	const struct spool_options *spool;

	/* As packed. */
	const struct dataset *dataset; /* where it stands: read only, and not changed before it is unpacked */
	struct batch batch;            /* does the judging; `counts` of its rows are added to the marks */
	struct id batch_id;
	bool is_judged; /* by parcel_judge(), and its counts are in the marks already */
	struct state_mark *marks;
	size_t mark_count;
	struct state_delivery *deliveries; /* that the state does not have yet */
	size_t delivery_count;
	struct chunks chunks;

	/* What became of it. */
	struct state_dataset record; /* of the dataset, as the last transaction left it */
	bool is_recorded; /* the state has marks, deliveries and chunks, as pending or for good, and what was
	                     pending before is promoted */
	bool is_stored;   /* the table has confirmed it */
	double seconds;   /* from the rows for the object store, or the intent, to the answer to COMMIT */
};

/* What becomes of each row? No other batch may be stored meanwhile (I3). */
enum result parcel_judge(struct parcel *parcel, struct error *error) WARN_UNUSED;

/*
 * Judges the rows; where some are to be stored, steps 0 to 2 of the commit order, and a share of the merging. Where
 * none are, nothing is written, unless so many chunk records wait that the state should have them. After a failure
 * only a judgement can say what became of the batch.
 */
enum result parcel_store(struct parcel *parcel, struct error *error) WARN_UNUSED;

/* Puts what was packed beside the rows into a transaction that has promoted what was pending: all rows that the
 * marks cover are live with it. */
void parcel_put_marks(struct state_txn *txn, struct parcel *parcel);

/* The part of the merging that so many new entries ask for. */
enum result parcel_merge(const struct parcel *parcel, size_t added, struct error *error) WARN_UNUSED;

/* The rows to store, as the sink takes them. */
struct sink_batch parcel_rows(const struct parcel *parcel);

/* Empties it for the next batch. */
void parcel_clear(struct parcel *parcel);
void parcel_free(struct parcel *parcel);

#endif
