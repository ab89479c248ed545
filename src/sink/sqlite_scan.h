// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_SQLITE_SCAN_H
#define ROWSIEVE_SINK_SQLITE_SCAN_H

#include "sink/sink.h"
#include "sink/sqlite_database.h"

/* A table's columns and rows, for the way back from table to state. */

enum result sqlite_scan_describe(struct sqlite_database *database, const char *table, struct schema **schema,
                                 struct error *error) WARN_UNUSED;
enum result sqlite_scan_rows(struct sqlite_database *database, const struct sink_scan *scan,
                             struct error *error) WARN_UNUSED;

#endif
