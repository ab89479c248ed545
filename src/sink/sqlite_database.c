// SPDX-License-Identifier: Apache-2.0
#include "sink/sqlite_database.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { BUSY_TIMEOUT_MS = 5000, FILE_MODE = 0640 };

static enum result result_of(int code, int system_error)
{
	if (code == SQLITE_IOERR_NOMEM)
		return RESULT_NO_MEMORY;
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
	case SQLITE_INTERRUPT:
		return RESULT_UNREACHABLE;
	case SQLITE_FULL:
		return RESULT_NO_SPACE;
	case SQLITE_IOERR:
		return system_error == ENOSPC || system_error == EDQUOT ? RESULT_NO_SPACE
		                                                        : RESULT_UNREACHABLE;
	case SQLITE_NOMEM:
		return RESULT_NO_MEMORY;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
		return RESULT_REFUSED;
	default: /* no database, damaged, not ours to write, a table or column that is not there */
		return RESULT_CONFIG;
	}
}

enum result sqlite_database_fail(struct sqlite_database *database, struct error *error, const char *what)
{
	int code = sqlite3_extended_errcode(database->handle);
	enum result result = result_of(code, sqlite3_system_errno(database->handle));
	error_set(error, result, "sqlite database '%s': %s: %s (code %d)", database->path, what,
	          sqlite3_errmsg(database->handle), code);
	switch (code & 0xff) {
	case SQLITE_NOTADB:
		error_hint(error, "this file is something else: name another one as the sink's database");
		break;
	case SQLITE_CORRUPT:
		error_hint(error, "see 'PRAGMA integrity_check'; restore the file from a backup");
		break;
	case SQLITE_BUSY:
		error_hint(error, "another process holds a lock on the database");
		break;
	default:
		break;
	}
	return result;
}

/* SQLite itself would make the file readable by everybody; it does sync the directory, with its first WAL
 * frame. */
static enum result make_file(const char *path, struct error *error)
{
	CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (fd < 0 && errno == EEXIST)
		return RESULT_OK;
	if (fd < 0)
		return error_set_errno(error, RESULT_CONFIG, "sqlite database '%s': cannot make it", path);
	if (fchmod(fd, FILE_MODE) != 0)
		return error_set_errno(error, RESULT_CONFIG, "sqlite database '%s': cannot set its mode",
		                       path);
	return RESULT_OK;
}

/* Runs a PRAGMA and demands that it answers `expected`. */
static enum result demand(struct sqlite_database *database, const char *pragma, const char *expected,
                          struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row;
	enum result result = sqlite_database_prepare(database, &statement, pragma, error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, &row, error);
	if (result != RESULT_OK)
		return result;
	const char *answer = row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	if (answer == NULL || strcmp(answer, expected) != 0)
		return error_set(error, RESULT_CONFIG,
		                 "sqlite database '%s': '%s' gives '%s' instead of '%s'", database->path,
		                 pragma, answer == NULL ? "" : answer, expected);
	return RESULT_OK;
}

static enum result make_durable(struct sqlite_database *database, struct error *error)
{
	enum result result = demand(database, "PRAGMA journal_mode=WAL", "wal", error);
	if (result == RESULT_OK)
		result = sqlite_database_run(database, "PRAGMA synchronous=FULL", error);
	if (result == RESULT_OK)
		result = demand(database, "PRAGMA synchronous", "2", error);
	return result;
}

enum result sqlite_database_open(struct sqlite_database *database, struct error *error)
{
	enum result result = make_file(database->path, error);
	if (result != RESULT_OK)
		return result;
	int code = sqlite3_open_v2(database->path, &database->handle,
	                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (database->handle == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	sqlite3_extended_result_codes(database->handle, 1);
	if (code != SQLITE_OK || sqlite3_busy_timeout(database->handle, BUSY_TIMEOUT_MS) != SQLITE_OK)
		result = sqlite_database_fail(database, error, "cannot open");
	else
		result = make_durable(database, error);
	if (result != RESULT_OK)
		sqlite_database_close(database);
	return result;
}

void sqlite_database_close(struct sqlite_database *database)
{
	sqlite3_close_v2(database->handle);
	database->handle = NULL;
}

enum result sqlite_database_check(struct sqlite_database *database, struct error *error)
{
	if (database->handle == NULL)
		return error_set(error, RESULT_UNREACHABLE, "sqlite database '%s' is not open",
		                 database->path);
	int moved = 0;
	if (sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK)
		return sqlite_database_fail(database, error, "cannot check its file");
	if (!moved)
		return RESULT_OK;
	/* Rows stored from here on would vanish with the file. */
	sqlite_database_close(database);
	return error_set(error, RESULT_UNREACHABLE, "sqlite database '%s' was moved or deleted while in use",
	                 database->path);
}

enum result sqlite_database_run(struct sqlite_database *database, const char *sql, struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row;
	enum result result = sqlite_database_prepare(database, &statement, sql, error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, &row, error);
	return result;
}

enum result sqlite_database_run_all(struct sqlite_database *database, struct slice sql, struct error *error)
{
	const char *at = sql.data, *end = sql.data + sql.length;
	while (at < end) {
		CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
		bool row;
		if (sqlite3_prepare_v2(database->handle, at, (int)(end - at), &statement, &at) != SQLITE_OK)
			return sqlite_database_fail(database, error, "cannot prepare");
		if (statement == NULL) /* blanks behind the last one */
			break;
		enum result result = sqlite_database_step(database, statement, &row, error);
		if (result != RESULT_OK)
			return result;
	}
	return RESULT_OK;
}

enum result sqlite_database_prepare(struct sqlite_database *database, sqlite3_stmt **statement,
                                    const char *sql, struct error *error)
{
	if (sqlite3_prepare_v2(database->handle, sql, -1, statement, NULL) != SQLITE_OK)
		return sqlite_database_fail(database, error, "cannot prepare");
	return RESULT_OK;
}

enum result sqlite_database_prepare_texts(struct sqlite_database *database, sqlite3_stmt **statement,
                                          const char *sql, const char *const *texts, int count,
                                          struct error *error)
{
	enum result result = sqlite_database_prepare(database, statement, sql, error);
	if (result != RESULT_OK)
		return result;
	for (int i = 0; i < count; i++) {
		if (sqlite3_bind_text(*statement, i + 1, texts[i], -1, SQLITE_STATIC) != SQLITE_OK)
			return sqlite_database_fail(database, error, "cannot bind");
	}
	return RESULT_OK;
}

enum result sqlite_database_step(struct sqlite_database *database, sqlite3_stmt *statement, bool *row,
                                 struct error *error)
{
	int code = sqlite3_step(statement);
	*row = code == SQLITE_ROW;
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return sqlite_database_fail(database, error, "cannot run");
	return RESULT_OK;
}

void sqlite_database_rollback(struct sqlite_database *database)
{
	if (database->handle != NULL && !sqlite3_get_autocommit(database->handle) &&
	    sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
		sqlite_database_close(database);
}

void sqlite_database_finalize(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}
