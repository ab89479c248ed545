// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATUS_FRESHNESS_H
#define ROWSIEVE_STATUS_FRESHNESS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "state_txn.h"

/* Has a dataset had a delivery lately? */
struct freshness_wish {
	const char *dataset;
	int64_t stale_after_ns; /* 0: it need not */
};

/* [{"dataset", "stale_after_seconds"}] of those that had none within their time; a delivery counts when it
 * ended as done. NULL without memory; failures of the state stick in txn. */
json_t *freshness_overdue(struct state_txn *txn, const struct freshness_wish *wishes, size_t count,
                          int64_t wall_now_ns);

#endif
