// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_MERGE_H
#define ROWSIEVE_STATE_MERGE_H

#include "state_manifest.h"
#include "state_run.h"

/* Makes one live run of these live ones (at most STATE_RUN_FANOUT), in transactions of its own, and removes
 * them. */
enum state_result state_merge_runs(struct state *state, const struct state_manifest *inputs, size_t count,
                                   struct state_error *error);

#endif
