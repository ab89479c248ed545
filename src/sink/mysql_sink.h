// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_MYSQL_SINK_H
#define ROWSIEVE_SINK_MYSQL_SINK_H

#include "sink/sink.h"

/*
 * MySQL or MariaDB through libmysqlclient. Column types: BIGINT, DECIMAL(p,s), DATE, DATETIME(6), VARCHAR(n)
 * for text(n), LONGTEXT for text; utf8mb4, InnoDB. Rows go by LOAD DATA LOCAL INFILE from memory inside the
 * batch's transaction, or by multi-row INSERT where the server refuses LOCAL.
 */
struct mysql_sink_options {
	const char *host;           /* NULL: the option file's, else localhost */
	uint16_t port;              /* 0: the option file's, else 3306 */
	const char *socket;         /* NULL: the library's */
	const char *user;           /* NULL: the option file's, else the login name */
	const char *password_file;  /* first line; must not be readable by others. NULL: the option file's,
	                               else none */
	const char *defaults_file;  /* my.cnf option file; NULL: none is read */
	const char *defaults_group; /* NULL: "client" */
	const char *database;       /* required */
	bool tls;                   /* require TLS and verify the server's certificate and name */
	const char *ca;             /* PEM; NULL: the system's */
};

/* Copies the options; does not connect. */
enum result mysql_sink_open(struct sink **out, const struct mysql_sink_options *options,
                            struct error *error) WARN_UNUSED;

#endif
