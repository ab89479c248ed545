// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_MYSQL_INSERT_H
#define ROWSIEVE_SINK_MYSQL_INSERT_H

#include "sink/mysql_session.h"
#include "sink/sink.h"

/* Rows by INSERT statements of many rows, within the transaction that is open, where LOAD DATA LOCAL cannot
 * be used. */
enum result mysql_insert_rows(struct mysql_session *session, const struct sink_batch *batch,
                              struct error *error) WARN_UNUSED;

#endif
