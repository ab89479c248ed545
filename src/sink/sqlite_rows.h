// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_SQLITE_ROWS_H
#define ROWSIEVE_SINK_SQLITE_ROWS_H

#include "sink/sink.h"
#include "sink/sqlite_database.h"

/* Inserts the batch's rows within the transaction that is open. */
enum result sqlite_rows_insert(struct sqlite_database *database, const struct sink_batch *batch,
                               struct error *error) WARN_UNUSED;

#endif
