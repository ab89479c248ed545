// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_BATCH_KEYS_H
#define ROWSIEVE_INGEST_BATCH_KEYS_H

#include "ingest/batch.h"

/*
 * batch_judge() of a keyed dataset. Of each key the rows are taken in the order of delivery: an unknown key is
 * new, the row that the key has is a duplicate, another one changes it; the last change is what the table
 * gets. A key that was known and got a row of its own in this batch is an update even if it ends where it
 * began, so that columns outside the identity are those of the last change, wherever a batch ends.
 */
enum state_result batch_keys_judge(struct batch *batch, struct state_txn *txn,
                                   const struct batch_rules *rules);

#endif
