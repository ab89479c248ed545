// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATUS_HISTORY_H
#define ROWSIEVE_STATUS_HISTORY_H

#include <jansson.h>

#include "base/error.h"
#include "state_delivery.h"

/*
 * What the state remembers, as JSON. Every function returns a new reference, or NULL without memory or when
 * the state cannot be read (the error then stands in the transaction).
 */

/* Members of deliveries, oldest first, as objects in the form of `ingest --json` with "started" and
 * "finished" (UTC, "2026-01-31T12:34:56Z"; null while open). `filter` is a dataset's name, a path or its last
 * part; NULL: all. */
json_t *history_members(struct state_txn *txn, const char *filter);

/* Datasets in the order of their names, with rows, runs, bytes of the seen-set, last batch. */
json_t *history_datasets(struct state_txn *txn);

/* The newest delivery of a file, by device and inode; JSON null when there is none. */
json_t *history_of_file(struct state_txn *txn, uint64_t device, uint64_t inode);

/* "done", "rejected", "failed", "open" */
const char *history_status_text(enum state_status status);

/* The counts of a member as the fields of `ingest --json`, added to an object. False without memory. */
bool history_add_counts(json_t *object, const struct state_counts *counts);

#endif
