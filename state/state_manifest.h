// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_MANIFEST_H
#define ROWSIEVE_STATE_MANIFEST_H

#include "state_internal.h"

/* The list of runs. Everything else about a run hangs on its entry here: data and filter without one do not
 * exist. */

/* The families. An entry is a digest of 16 bytes and what the family keeps beside it. */
enum state_run_kind {
	STATE_RUN_ROWS = 1, /* nothing; all runs of a dataset are disjoint */
	STATE_RUN_KEYS,     /* a row digest; of equal keys the newest entry counts */
	STATE_RUN_CHUNKS,   /* a chunk's record; likewise */
};

enum state_run_state {
	STATE_RUN_BUILDING = 1, /* output of a merge that is under way */
	STATE_RUN_PENDING,      /* of the pending batch record */
	STATE_RUN_LIVE,
	STATE_RUN_DEAD, /* to be removed */
};

struct state_manifest {
	uint32_t dataset;
	uint32_t run;
	enum state_run_kind kind;
	enum state_run_state state;
	uint32_t epoch;     /* the dataset's cache_epoch when it was written */
	uint32_t into;      /* the building run that its entries move into; 0 = none */
	uint64_t entries;   /* that it answers for: there already, or not moved yet */
	uint64_t blocks;    /* of the filter */
	uint64_t first_seq; /* the batches that it covers */
	uint64_t last_seq;
	uint64_t edge; /* high word: a building run answers below it, a run that moves from it on */
};

enum { STATE_RUN_DIGEST_SIZE = 16, STATE_RUN_ENTRY_MAX = 32 };

/* Bytes of an entry. */
size_t state_manifest_entry_size(enum state_run_kind kind);

/* Gives the run its number and writes its entry, which is otherwise the caller's. */
enum state_result state_manifest_create(struct state_txn *txn, struct state_manifest *manifest);

enum state_result state_manifest_put(struct state_txn *txn, const struct state_manifest *manifest);
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

/* Newest first: qsort()'s order for runs whose newest entry counts. */
int state_manifest_compare_age(const void *left, const void *right);

/*
 * Removes from a table ("data" or "filter") what lies under keys from the run's first up to, but not
 * including, `end`, or all of it for NULL; stops after *budget values, which it counts down.
 */
enum state_result state_manifest_remove_values(struct state_txn *txn, enum state_table table, uint32_t run,
                                               const struct state_key *end, size_t *budget);

/* Removes a run: its values, then its entry. Stops after *budget values, which it counts down; the run is
 * gone when some are left. */
enum state_result state_manifest_remove(struct state_txn *txn, const struct state_manifest *manifest,
                                        size_t *budget);

/* Removes what is dead, in transactions of its own. */
enum state_result state_manifest_sweep(struct state *state, struct state_error *error);

#endif
