// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_MYSQL_ROWS_H
#define ROWSIEVE_SINK_MYSQL_ROWS_H

#include "sink/mysql_session.h"
#include "sink/sink.h"

/*
 * The rows of a batch into MySQL: new ones by LOAD DATA LOCAL or INSERT, whichever the server takes; updates
 * through a temporary table and INSERT … SELECT … ON DUPLICATE KEY UPDATE, which means the row of that key only
 * where the key's index is the only unique one.
 */

/* Before the batch's transaction begins: servers with GTIDs make no temporary table within one. */
enum result mysql_rows_prepare(struct mysql_session *session, const struct sink_batch *batch,
                               struct error *error) WARN_UNUSED;

/* Within the transaction that is open: every row is stored exactly as it is, or all are refused. */
enum result mysql_rows_store(struct mysql_session *session, const struct sink_batch *batch,
                             struct error *error) WARN_UNUSED;

/* RESULT_CONFIG: the schema has a key, and the table not exactly one unique index, over its columns, that
 * takes keys for the same only when their bytes are. */
enum result mysql_rows_check_key(struct mysql_session *session, const char *table,
                                 const struct schema *schema, struct error *error) WARN_UNUSED;

#endif
