// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_REBUILD_H
#define ROWSIEVE_STATE_REBUILD_H

#include "state_dataset.h"
#include "state_run.h"

/*
 * A seen-set made anew beside the one that counts, from digests, or from the entries of a keyed dataset, in
 * any order and with repetitions. It belongs
 * to no dataset until it is installed; one that never is, is swept by state_rebuild_discard() or, after a
 * crash, by the next state_open().
 */
struct state_rebuild;

enum state_result state_rebuild_begin(struct state_rebuild **out, struct state *state,
                                      struct state_error *error);

/* Adds digests that do not fall; equal neighbours and those of earlier calls count once. One transaction:
 * give at most a million at a time. No other transaction of this thread may be open. */
enum state_result state_rebuild_add(struct state_rebuild *rebuild, const struct state_digest *sorted,
                                    size_t count, struct state_error *error);

/* The same for a keyed dataset. Of entries with the same key the first one counts. */
enum state_result state_rebuild_add_entries(struct state_rebuild *rebuild, const struct state_entry *sorted,
                                            size_t count, struct state_error *error);

/* Distinct digests, or keys, so far. */
uint64_t state_rebuild_rows(const struct state_rebuild *rebuild);

/*
 * Puts it in the place of the dataset's seen-set, in the caller's transaction: a pending batch is discarded,
 * the old runs die, `rows` and a new cache_epoch (every cache is void: I7) go into *dataset, which is put
 * with whatever else the caller has set in it.
 */
enum state_result state_rebuild_install(struct state_rebuild *rebuild, struct state_txn *txn,
                                        struct state_dataset *dataset);

/* Frees it, and removes from the state what is not installed and what an installation has left dead. NULL is
 * fine. */
enum state_result state_rebuild_discard(struct state_rebuild *rebuild, struct state_error *error);

/* For state_open(): what a crash has left of rebuilds dies. */
enum state_result state_rebuild_kill_orphans(struct state_txn *txn);

#endif
