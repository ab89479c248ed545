// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_MEND_REBUILD_H
#define ROWSIEVE_MEND_REBUILD_H

#include <stdatomic.h>

#include "ingest/dataset.h"

/*
 * The table is right, whatever the state says: seen-set, schema and head are made anew from it.
 *
 *   1  the head is fenced: no batch of anybody's arrives on it any more
 *   2  the table is read, its digests gathered beside the seen-set that counts
 *   3  table, one transaction: the head becomes this state's, with a new sink_id and batch; the ledger row of
 *      that step makes the ledger's sum the number of rows
 *   4  state, one transaction: the gathered set takes the place of the old one, with the head's seq and
 *      batch_id, the schema, the fingerprint and a new cache_epoch, which makes every cache void
 *
 * A kill before 3 changes nothing but the epoch. Between 3 and 4 state and table disagree, so that the dataset
 * is stopped until it is rebuilt again. Any time it can be run again.
 */

struct rebuild_options {
	struct state *state;
	struct sink *sink;
	const struct dataset_options *dataset;
	size_t memory; /* bytes to work with */
	const atomic_bool *stop;
	/* Rows read so far, and how many there should be (0: nobody knows). NULL: not wanted. */
	void (*progress)(void *context, uint64_t rows, uint64_t expected);
	void *context;
};

struct rebuild_report {
	uint64_t rows;                 /* in the table */
	uint64_t distinct;             /* digests that are seen now */
	uint64_t unfit;                /* rows with a value that no delivery can bring */
	char fault[ERROR_MESSAGE_MAX]; /* about the first of those */
	bool is_new_table;             /* there was none; it was made, empty */
};

/* No engine may be at work on the state. */
enum result rebuild_run(const struct rebuild_options *options, struct rebuild_report *report,
                        struct error *error) WARN_UNUSED;

struct verify_report {
	char problem[ERROR_MESSAGE_MAX]; /* "" when head and table are those that the state knows */
	uint64_t rows;                   /* in the table */
	uint64_t distinct;
	uint64_t unfit;
	uint64_t unknown; /* distinct rows of the table that the seen-set lacks */
	uint64_t seen;    /* digests in the seen-set */
	uint64_t missing; /* of them, rows that the table lacks */
	uint64_t batches; /* of the ledger */
	int64_t ledger_rows;
	bool agrees;
};

/* Compares table, head, ledger and seen-set; changes none of them. RESULT_OK whether they agree or not. */
enum result rebuild_verify(const struct rebuild_options *options, struct verify_report *report,
                           struct error *error) WARN_UNUSED;

#endif
