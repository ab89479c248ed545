// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_SLICE_H
#define ROWSIEVE_STATE_SLICE_H

#include "state_manifest.h"

enum {
	STATE_SLICE_INPUTS = 48,      /* of a merge, at most */
	STATE_SLICE_BYTES = 15 << 20, /* of a slice; with its pages 16 MB at most */
};

/*
 * Moves the next slice of a merge: up to *cost entries, at least a piece of the output's filter, 16 MB at
 * most. Reads in `source`, the snapshot that `target` began from, and writes in `target`; the inputs get
 * lined up. *cost becomes what was done, in entries. With the last slice the output is live and the inputs
 * are gone.
 */
enum state_result state_slice_move(struct state_txn *source, struct state_txn *target,
                                   const struct state_manifest *output, struct state_manifest *inputs,
                                   size_t input_count, uint64_t *cost);

#endif
