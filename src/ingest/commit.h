// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_COMMIT_H
#define ROWSIEVE_INGEST_COMMIT_H

#include "ingest/engine.h"

/*
 * The commit order (DESIGN, "One batch"):
 *
 *   0  rejects, and rows for the object store, are written and synced
 *   1  state, one transaction: promote the batch before, put this one as pending
 *   2  table, one transaction: compare-and-swap of the head, rows, ledger, COMMIT
 *   3  promotion, in the transaction of the next batch or in commit_settle()
 *
 * Any failure leaves the outcome to the next judgement (dataset_contact()); nothing is retried here.
 */

/* Judges the rows of the batch; where some were never seen, stores them (steps 0 to 2). The batch is empty
 * afterwards. */
enum result commit_batch(struct ingest *ingest, struct error *error) WARN_UNUSED;

/* Promotes what was stored and makes all marks durable, those of batches that had nothing to store included;
 * ends the deliveries that were read to their end. The batch must be empty. */
enum result commit_settle(struct ingest *ingest, struct error *error) WARN_UNUSED;

#endif
