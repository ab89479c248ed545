// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_MEND_RESTORE_H
#define ROWSIEVE_MEND_RESTORE_H

#include "ingest/ingest.h"
#include "store/store.h"

/*
 * The way back: the rows of each stored batch, in their order, into an empty table, by the same commit order as
 * ever. Where the batches are numbered without a gap, as they are unless the dataset was ever rebuilt, each
 * comes back under its own number and id, so that a restore that was cut off goes on behind the last one, and
 * what is stored later follows in the same order.
 */
struct restore_options {
	struct ingest *engine; /* opened for this, with nothing kept for the store */
	struct store *store;
	const char *dataset;
	const char *scratch; /* path of a file for the object that is being read; removed at the end */
	/* Called after each batch. */
	void (*progress)(void *context, uint64_t batches, uint64_t expected, uint64_t rows);
	void *context;
};

struct restore_report {
	uint64_t batches; /* in the store */
	uint64_t present; /* of them, in the table before */
	uint64_t rows;    /* put into the table */
	uint64_t known;   /* met that were in it */
};

/* RESULT_DISAGREES: the table holds other rows. RESULT_END: the store holds no batch of the dataset. */
enum result restore_run(const struct restore_options *options, struct restore_report *report,
                        struct error *error) WARN_UNUSED;

#endif
