// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_PROBE_H
#define ROWSIEVE_STATE_PROBE_H

#include "state_manifest.h"
#include "state_run.h"

/* Looking up digests in the runs of one family; and what filter and reader hand to each other meanwhile. */

struct state_probe {
	const struct state_digest *sorted;
	size_t count;
	bool *seen;                   /* one for each digest: what is set needs no look-up */
	struct state_digest *payload; /* what an entry keeps beside its digest; NULL: not asked for */
	size_t next;                  /* of the run at hand: the first digest not looked at yet ... */
	size_t end;                   /* ... and the end of those that it answers for */
};

enum { STATE_PROBE_GROUP = 64 };

/* Digests that the run may hold, looked up together so that their cache misses overlap. */
struct state_probe_group {
	size_t indexes[STATE_PROBE_GROUP]; /* in probe->sorted, rising */
	size_t count;
};

/* The runs of one family of a dataset, open in one transaction. */
struct state_probe_set {
	struct state_probe_run *runs; /* in the order in which they are asked */
	size_t count;
};

/* Close it in any case, and before the transaction ends. */
enum state_result state_probe_open(struct state_probe_set *set, struct state_txn *txn, uint32_t dataset,
                                   enum state_run_kind kind);
void state_probe_close(struct state_probe_set *set);

/* Looks up sorted, count, seen and payload of the probe; sets seen[] and payload[] of what is found first. */
enum state_result state_probe_find(struct state_probe_set *set, struct state_txn *txn,
                                   struct state_probe *probe);

#endif
