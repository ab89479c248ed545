// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_MYSQL_SCAN_H
#define ROWSIEVE_SINK_MYSQL_SCAN_H

#include "sink/mysql_session.h"
#include "sink/sink.h"

/* A table's columns and rows, for the way back from table to state. */

enum result mysql_scan_describe(struct mysql_session *session, const char *table, struct schema **schema,
                                struct error *error) WARN_UNUSED;
enum result mysql_scan_rows(struct mysql_session *session, const struct sink_scan *scan,
                            struct error *error) WARN_UNUSED;

#endif
