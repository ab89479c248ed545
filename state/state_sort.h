// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_SORT_H
#define ROWSIEVE_STATE_SORT_H

#include "state_run.h"

/* A digest on its way through a sort, with what the caller wants to find again behind it. */
struct state_sort_item {
	struct state_digest digest;
	uint64_t tag;
};

/*
 * Sorts by digest, then by tag. `scratch` has room for as many items. In time linear to `count`, as digests
 * are uniform; those that are not get sorted too, as slowly as by qsort().
 */
void state_sort_items(struct state_sort_item *items, struct state_sort_item *scratch, size_t count);

#endif
