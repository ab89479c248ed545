// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_SQLITE_DATABASE_H
#define ROWSIEVE_SINK_SQLITE_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/slice.h"

/* One SQLite file as the sink wants it: WAL, synchronous=FULL, one thread at a time. */
struct sqlite_database {
	char *path;
	sqlite3 *handle; /* NULL: not open */
};

/* Opens the file, making it where it is missing. */
enum result sqlite_database_open(struct sqlite_database *database, struct error *error) WARN_UNUSED;
void sqlite_database_close(struct sqlite_database *database);

/* Still open on the file that bears its name; one that was moved away is closed, RESULT_UNREACHABLE. */
enum result sqlite_database_check(struct sqlite_database *database, struct error *error) WARN_UNUSED;

/* Sorts what SQLite said last into a result; the message is "…: what: SQLite's words". */
enum result sqlite_database_fail(struct sqlite_database *database, struct error *error, const char *what);

/* Runs statements, one behind the other. */
enum result sqlite_database_run_all(struct sqlite_database *database, struct slice sql,
                                    struct error *error) WARN_UNUSED;

enum result sqlite_database_run(struct sqlite_database *database, const char *sql,
                                struct error *error) WARN_UNUSED;
enum result sqlite_database_prepare(struct sqlite_database *database, sqlite3_stmt **statement,
                                    const char *sql, struct error *error) WARN_UNUSED;

/* The same for a statement whose first parameters are texts; the texts must outlive it. */
enum result sqlite_database_prepare_texts(struct sqlite_database *database, sqlite3_stmt **statement,
                                          const char *sql, const char *const *texts, int count,
                                          struct error *error) WARN_UNUSED;

/* One step: *row says whether there is a row to read. */
enum result sqlite_database_step(struct sqlite_database *database, sqlite3_stmt *statement, bool *row,
                                 struct error *error) WARN_UNUSED;

/* Leaves no transaction open. */
void sqlite_database_rollback(struct sqlite_database *database);

void sqlite_database_finalize(sqlite3_stmt **statement);
#define CLEANUP_STATEMENT CLEANUP(sqlite_database_finalize)

#endif
