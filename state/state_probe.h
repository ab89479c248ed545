// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_PROBE_H
#define ROWSIEVE_STATE_PROBE_H

#include "state_run.h"

/* What filter and reader hand to each other while digests are looked up in one run. */

struct state_probe {
	const struct state_digest *sorted;
	size_t count;
	bool *seen;  /* one for each digest: what is set needs no look-up */
	size_t next; /* the first digest that no filter was asked about yet */
};

enum { STATE_PROBE_GROUP = 64 };

/* Digests that the run may hold, looked up together so that their cache misses overlap. */
struct state_probe_group {
	size_t indexes[STATE_PROBE_GROUP]; /* in probe->sorted, rising */
	size_t count;
};

#endif
