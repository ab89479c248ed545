// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_TALLY_H
#define ROWSIEVE_STATE_TALLY_H

#include "state_run.h"

/*
 * How often each digest was met, for more digests than memory holds. It belongs to no dataset and to no batch:
 * what is not discarded is swept by the next state_open().
 */
struct state_tally;

enum state_result state_tally_begin(struct state_tally **out, struct state *state, struct state_error *error);

/* Sets counts[i] to what was last put for each of the rising digests, 0 where nothing was. */
enum state_result state_tally_get(struct state_tally *tally, const struct state_digest *sorted, size_t count,
                                  uint64_t *counts, struct state_error *error);

/* Counts of rising, distinct digests. No other transaction of this thread may be open. */
enum state_result state_tally_put(struct state_tally *tally, const struct state_digest *sorted, size_t count,
                                  const uint64_t *counts, struct state_error *error);

/* Frees it, and what it holds in the state. NULL is fine. */
enum state_result state_tally_discard(struct state_tally *tally, struct state_error *error);

#endif
