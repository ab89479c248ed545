// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_MANIFEST_H
#define ROWSIEVE_STATE_MANIFEST_H

#include "state_internal.h"

/* The list of runs. Everything else about a run hangs on its entry here: data and filter without one do not
 * exist. */

enum state_run_kind {
	STATE_RUN_ROWS = 1, /* 16-byte row digests */
};

enum state_run_state {
	STATE_RUN_BUILDING = 1, /* output of a merge that is under way */
	STATE_RUN_PENDING,      /* of the pending batch record */
	STATE_RUN_LIVE,
	STATE_RUN_DEAD, /* input of a finished merge, to be removed */
};

struct state_manifest {
	uint32_t dataset;
	uint32_t run;
	enum state_run_kind kind;
	enum state_run_state state;
	uint64_t rows;
	uint64_t blocks; /* of the filter */
};

/* Gives the run its number and writes its entry; dataset, kind, state and rows are the caller's. */
enum state_result state_manifest_create(struct state_txn *txn, struct state_manifest *manifest);

enum state_result state_manifest_get(struct state_txn *txn, uint32_t dataset, uint32_t run,
                                     struct state_manifest *out);
enum state_result state_manifest_set_state(struct state_txn *txn, const struct state_manifest *manifest,
                                           enum state_run_state state);

/* The runs of a dataset in order of their numbers. free(*out). */
enum state_result state_manifest_list(struct state_txn *txn, uint32_t dataset, struct state_manifest **out,
                                      size_t *count);

/* The same of all datasets. */
enum state_result state_manifest_list_all(struct state_txn *txn, struct state_manifest **out, size_t *count);

/* The run belongs to another dataset from now on. */
enum state_result state_manifest_give(struct state_txn *txn, const struct state_manifest *manifest,
                                      uint32_t dataset);

/* Removes a run: its values, then its entry. Stops after *budget values, which it counts down; the run is
 * gone when some are left. */
enum state_result state_manifest_remove(struct state_txn *txn, const struct state_manifest *manifest,
                                        size_t *budget);

/* Removes what is building or dead, in transactions of its own. No merge may be under way. */
enum state_result state_manifest_sweep(struct state *state, struct state_error *error);

#endif
