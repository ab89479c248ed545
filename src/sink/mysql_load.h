// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_MYSQL_LOAD_H
#define ROWSIEVE_SINK_MYSQL_LOAD_H

#include "sink/mysql_session.h"
#include "sink/sink.h"

/*
 * Rows by LOAD DATA LOCAL INFILE from memory, within the transaction that is open; each row is stored exactly
 * as it is or all are refused. Where the server takes no LOCAL at all, session->local_infile is unset and the
 * result is RESULT_UNREACHABLE on a connection that still works.
 */
enum result mysql_load_rows(struct mysql_session *session, const struct sink_batch *batch,
                            struct error *error) WARN_UNUSED;

/* Sets session->local_infile: does the server take LOCAL, and does ROLLBACK take it back? */
enum result mysql_load_probe(struct mysql_session *session, struct error *error) WARN_UNUSED;

#endif
