// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_MYSQL_SESSION_H
#define ROWSIEVE_SINK_MYSQL_SESSION_H

#include <mysql.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "sink/mysql_sink.h"

/*
 * One connection. A failure that leaves the connection in doubt closes it: the server then rolls back what
 * was open, and every call but connect is RESULT_UNREACHABLE.
 */
struct mysql_session {
	struct mysql_sink_options options;
	char *strings;              /* what the options point to */
	char *place;                /* "database 'x' at 'host:port'", for messages */
	MYSQL *handle;              /* NULL: not connected */
	unsigned long packet_limit; /* the server's max_allowed_packet */
	bool local_infile;          /* LOAD DATA LOCAL INFILE works, inside a transaction */
};

/* Copies the options; mysql_session_free() also after a failure. */
enum result mysql_session_init(struct mysql_session *session, const struct mysql_sink_options *options,
                               struct error *error) WARN_UNUSED;
void mysql_session_free(struct mysql_session *session);

/* Connects; utf8mb4, UTC, strict, autocommit. */
enum result mysql_session_connect(struct mysql_session *session, struct error *error) WARN_UNUSED;
void mysql_session_close(struct mysql_session *session);

/* From here on every file that the server asks for is refused. */
void mysql_session_refuse_files(struct mysql_session *session);

/* Sorts what the server or the library said last into a result (base/error.h). */
enum result mysql_session_fail(struct mysql_session *session, struct error *error);

/* A statement without a result set; *affected (may be NULL) counts the rows it changed. */
enum result mysql_session_run(struct mysql_session *session, struct slice sql, uint64_t *affected,
                              struct error *error) WARN_UNUSED;

/* A statement with one; free it by CLEANUP_ROWS. */
enum result mysql_session_query(struct mysql_session *session, struct slice sql, MYSQL_RES **rows,
                                struct error *error) WARN_UNUSED;

/* RESULT_REFUSED with the last statement's first warning, and `where` in brackets. */
enum result mysql_session_refuse_warnings(struct mysql_session *session, const char *where,
                                          struct error *error) WARN_UNUSED;

/* Leaves no transaction open. */
void mysql_session_rollback(struct mysql_session *session);

/* Appends 'text', escaped. */
enum result mysql_session_append_text(struct mysql_session *session, struct buffer *sql,
                                      struct slice text) WARN_UNUSED;

void mysql_session_free_rows(MYSQL_RES **rows);
#define CLEANUP_ROWS CLEANUP(mysql_session_free_rows)

#endif
