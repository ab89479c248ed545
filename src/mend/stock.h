// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_MEND_STOCK_H
#define ROWSIEVE_MEND_STOCK_H

#include <stdatomic.h>

#include "ingest/dataset.h"
#include "state_rebuild.h"

/* The stock-taking of a table: every row read back and digested, for a rebuild to install and for verify to
 * compare. */

struct stock_options {
	struct state *state;
	struct sink *sink;
	const struct dataset *dataset; /* whose rows they are; its seen-set is what they are compared with */
	const char *table;
	const struct schema *schema; /* to read the rows under; the table must have its columns */
	size_t memory;               /* bytes for digests on their way into the state */
	const atomic_bool *stop;     /* set: leave at the next row with RESULT_STOPPED */
	/* Called a few times a second at most. */
	void (*progress)(void *context, uint64_t rows);
	void *context;
};

struct stock {
	struct state_rebuild *set; /* their distinct digests */
	uint64_t rows;             /* in the table */
	uint64_t unfit;            /* of them, with a value that is none of its column: no delivery can bring
	                              them, so they are in no set */
	uint64_t known;            /* of the distinct ones, in the dataset's seen-set */
	char fault[ERROR_MESSAGE_MAX]; /* about the first unfit one */
};

/* Reads the table once, in bounded memory. stock_free() in any case. */
enum result stock_take(struct stock *stock, const struct stock_options *options,
                       struct error *error) WARN_UNUSED;

/* Also removes from the state what was not installed; a failure of that is left to the next start. */
void stock_free(struct stock *stock);

#endif
