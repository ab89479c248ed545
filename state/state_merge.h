// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_MERGE_H
#define ROWSIEVE_STATE_MERGE_H

#include "state_run.h"

/*
 * Merging keeps the runs of a dataset few. It goes on in slices, a transaction each: a slice moves the
 * entries below an edge from some runs into the one that will replace them (R2), so a kill at any point
 * leaves a seen-set that is whole, and the next slice, of this process or another, begins where the last one
 * ended.
 */

/*
 * Does the part of a dataset's merging that a batch of so many new entries has to pay for: no batch waits for
 * a whole merge, and yet the runs stay few. A slice writes 16 MB at most. Call it with no write transaction
 * open. Where there is no room for a slice nothing is merged. UINT64_MAX: until nothing is left to merge.
 */
enum state_result state_merge_step(struct state *state, uint32_t dataset, uint64_t entries,
                                   struct state_error *error);

#endif
