// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_BATCH_MEMORY_H
#define ROWSIEVE_INGEST_BATCH_MEMORY_H

#include "state_run.h"

/* What a dry run would have put into the state, batch by batch, in memory. NULL: nothing yet. */
struct batch_memory;

/* STATE_NO_MEMORY only. Rising. */
enum state_result batch_memory_add(struct batch_memory **memory, const struct state_digest *digests,
                                   size_t count);
enum state_result batch_memory_add_entries(struct batch_memory **memory, const struct state_entry *entries,
                                           size_t count);

/* Sets seen[i] where it holds sorted[i], and, with a key, known[i] to the newest row; leaves the others as
 * they are. */
void batch_memory_probe(const struct batch_memory *memory, const struct state_digest *sorted, size_t count,
                        bool *seen, struct state_digest *known);

void batch_memory_free(struct batch_memory *memory);

#endif
