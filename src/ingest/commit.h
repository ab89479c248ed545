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
 * afterwards, and nothing is away. */
enum result commit_batch(struct ingest *ingest, struct error *error) WARN_UNUSED;

/*
 * The same for a full part behind which more is to come: it ends, and where there is no room for another all are judged
 * and stored by another thread, where they may be, while the engine reads on. What becomes of them is heard of by the next
 * call, and so is a failure. Only member.c leaves a batch away, and only while it reads records: P1 in DESIGN.
 */
enum result commit_ahead(struct ingest *ingest, struct error *error) WARN_UNUSED;

/* Waits for the batch that is away, if one is, and takes over what became of it. */
enum result commit_collect(struct ingest *ingest, struct error *error) WARN_UNUSED;

/* Promotes what was stored and makes all marks durable, those of batches that had nothing to store included;
 * ends the deliveries that were read to their end. The batch must be empty, and none away. */
enum result commit_settle(struct ingest *ingest, struct error *error) WARN_UNUSED;

#endif
