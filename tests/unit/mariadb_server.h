// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_TESTS_MARIADB_SERVER_H
#define ROWSIEVE_TESTS_MARIADB_SERVER_H

#include <mysql.h>

/*
 * A MariaDB server of the test's own: on a socket in a temporary directory, without accounts, never as root.
 * It ends with the test, however the test ends.
 */
struct mariadb_server {
	char directory[64];
	char socket[80];
	int pid;        /* 0: not running */
	MYSQL *control; /* a connection of the test's own, in database "test" */
};

/* Options end with NULL; "%s" in one stands for the directory. Skips the test where there is no server to
 * start. */
struct mariadb_server *mariadb_server_start(const char *const *options);

/* Makes the temporary directory only, for files that the options name. */
struct mariadb_server *mariadb_server_prepare(void);
void mariadb_server_run(struct mariadb_server *server, const char *const *options);

void mariadb_server_kill(struct mariadb_server *server); /* at once, as if by a power cut */
void mariadb_server_stop(struct mariadb_server *server); /* and frees it and its files */

/* Runs a statement over the control connection; the test fails when the server refuses it. */
void mariadb_server_execute(struct mariadb_server *server, const char *sql);

/* The rows, fields between '|' and rows ended by '\n', NULL as "(null)"; the caller frees it. */
char *mariadb_server_query(struct mariadb_server *server, const char *sql);

#endif
