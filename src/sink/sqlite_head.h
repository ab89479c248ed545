// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_SQLITE_HEAD_H
#define ROWSIEVE_SINK_SQLITE_HEAD_H

#include "sink/sink.h"
#include "sink/sqlite_database.h"

/* rowsieve_head and rowsieve_ledger. Writes belong to the transaction that is open. */

enum result sqlite_head_read(struct sqlite_database *database, const char *table, bool *found,
                             struct sink_head *head, struct error *error) WARN_UNUSED;

/* Makes it where there is none; another one that is there is RESULT_DISAGREES. */
enum result sqlite_head_ensure(struct sqlite_database *database, const char *table,
                               const struct sink_head *head, struct error *error) WARN_UNUSED;

/* Raises the epoch of this head, which must be there. */
enum result sqlite_head_judge(struct sqlite_database *database, const char *table, struct id sink_id,
                              struct id state_id, struct error *error) WARN_UNUSED;

/* Raises the epoch of whatever head is there. */
enum result sqlite_head_fence(struct sqlite_database *database, const char *table,
                              struct error *error) WARN_UNUSED;

/* The compare-and-swap of a batch. */
enum result sqlite_head_advance(struct sqlite_database *database, const struct sink_batch *batch,
                                struct error *error) WARN_UNUSED;

/* The compare-and-swap of an adoption. */
enum result sqlite_head_replace(struct sqlite_database *database, const struct sink_adoption *adoption,
                                struct error *error) WARN_UNUSED;

/* The ledger row of the step that led to `after`. */
enum result sqlite_head_add_to_ledger(struct sqlite_database *database, const char *table,
                                      const struct sink_head *after, int64_t rows,
                                      struct error *error) WARN_UNUSED;

enum result sqlite_head_sum_ledger(struct sqlite_database *database, const char *table,
                                   struct sink_ledger *ledger, struct error *error) WARN_UNUSED;

#endif
