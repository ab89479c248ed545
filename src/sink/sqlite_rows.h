// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_SQLITE_ROWS_H
#define ROWSIEVE_SINK_SQLITE_ROWS_H

#include "sink/sink.h"
#include "sink/sqlite_database.h"

/* Inserts and updates the batch's rows within the transaction that is open. */
enum result sqlite_rows_store(struct sqlite_database *database, const struct sink_batch *batch,
                              struct error *error) WARN_UNUSED;

/* RESULT_CONFIG: the schema has a key and the table no unique index over exactly its columns. */
enum result sqlite_rows_check_key(struct sqlite_database *database, const char *table,
                                  const struct schema *schema, struct error *error) WARN_UNUSED;

#endif
