// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_PROBE_H
#define ROWSIEVE_STATE_PROBE_H

#include "state_manifest.h"
#include "state_run.h"

/*
 * Looking up digests in the runs of one family; and what filter and reader hand to each other meanwhile: the
 * places of digests that are still looked for, in one stretch of them after the other. A stretch stays in the
 * processor's cache while it goes through all runs.
 */

struct state_probe {
	const struct state_digest *sorted;
	size_t count;
	bool *seen;
	struct state_digest *payload; /* what an entry keeps beside its digest; NULL: not asked for */
};

enum { STATE_PROBE_STRETCH = 8192 };

/* Rising places in probe->sorted, of a probe that is one stretch. */
struct state_probe_list {
	uint16_t places[STATE_PROBE_STRETCH];
	size_t count;
};

/* The runs of one family of a dataset, open in one transaction. */
struct state_probe_set {
	struct state_probe_run **runs; /* in the order in which they are asked */
	size_t count;
	bool any_order; /* no two of them hold the same digest */
	struct state_probe_list wanted;
	struct state_probe_list chosen;
};

/* Close it in any case, and before the transaction ends. */
enum state_result state_probe_open(struct state_probe_set *set, struct state_txn *txn, uint32_t dataset,
                                   enum state_run_kind kind);
void state_probe_close(struct state_probe_set *set);

/* Sets seen[] for every digest, and payload[] where it is true, as the first run says that has the digest. */
enum state_result state_probe_find(struct state_probe_set *set, struct state_txn *txn,
                                   const struct state_probe *probe);

#endif
