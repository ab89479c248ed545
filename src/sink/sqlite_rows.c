// SPDX-License-Identifier: Apache-2.0
#include "sink/sqlite_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/sql.h"

static enum result append_insert(struct buffer *sql, const char *table, const struct schema *schema)
{
	/* OR ABORT overrides what a table made by others may say: no row is dropped or replaced in silence.
	 */
	if (buffer_append_string(sql, "INSERT OR ABORT INTO ") != RESULT_OK ||
	    sql_append_identifier(sql, table, '"') != RESULT_OK || buffer_append(sql, "(", 1) != RESULT_OK ||
	    sql_append_columns(sql, schema, '"') != RESULT_OK ||
	    buffer_append_string(sql, ") VALUES (?") != RESULT_OK)
		return RESULT_NO_MEMORY;
	for (size_t i = 1; i < schema->count; i++) {
		if (buffer_append(sql, ",?", 2) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return buffer_append(sql, ")", 1);
}

/* Takes effect by exactly the key's unique index, which must be there. */
static enum result append_conflict(struct buffer *sql, const struct schema *schema)
{
	if (buffer_append_string(sql, " ON CONFLICT (") != RESULT_OK ||
	    sql_append_key(sql, schema, '"') != RESULT_OK ||
	    buffer_append_string(sql, ") DO UPDATE SET ") != RESULT_OK)
		return RESULT_NO_MEMORY;
	return sql_append_assignments(sql, schema, "excluded", '"');
}

static enum result prepare(struct sqlite_database *database, const struct sink_batch *batch, bool is_update,
                           sqlite3_stmt **statement, struct error *error)
{
	CLEANUP_BUFFER struct buffer sql = {0};
	if (append_insert(&sql, batch->table, batch->schema) != RESULT_OK ||
	    (is_update && append_conflict(&sql, batch->schema) != RESULT_OK) ||
	    buffer_append(&sql, "", 1) != RESULT_OK)
		return sql_no_memory(error);
	return sqlite_database_prepare(database, statement, sql.data, error);
}

/* Binds a canonical number: integers fit 64 bits, reals a double; anything else would be a row of another
 * schema. SQLITE_MISMATCH: it is none. */
static int bind_number(sqlite3_stmt *statement, int place, enum type_kind kind, struct slice text)
{
	char copy[32];
	if (text.length == 0 || text.length >= sizeof copy)
		return SQLITE_MISMATCH;
	memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	char *end;
	errno = 0;
	if (kind == TYPE_REAL) {
		double real = strtod(copy, &end);
		return *end == '\0' ? sqlite3_bind_double(statement, place, real) : SQLITE_MISMATCH;
	}
	sqlite3_int64 integer = strtoll(copy, &end, 10);
	return errno == 0 && *end == '\0' ? sqlite3_bind_int64(statement, place, integer) : SQLITE_MISMATCH;
}

static bool is_bound_as_number(enum type_kind kind)
{
	return kind == TYPE_INTEGER || kind == TYPE_BOOLEAN || kind == TYPE_REAL;
}

static enum result bind_row(struct sqlite_database *database, sqlite3_stmt *statement,
                            const struct schema *schema, const struct slice *cells, struct error *error)
{
	for (size_t i = 0; i < schema->count; i++) {
		int code;
		int place = (int)i + 1;
		enum type_kind kind = schema->columns[i].type.kind;
		if (cells[i].data == NULL)
			code = sqlite3_bind_null(statement, place);
		else if (is_bound_as_number(kind))
			code = bind_number(statement, place, kind, cells[i]);
		else
			code = sqlite3_bind_text64(statement, place, cells[i].data, cells[i].length,
			                           SQLITE_STATIC, SQLITE_UTF8);
		if (code == SQLITE_MISMATCH)
			return error_set(error, RESULT_REFUSED, "column '%s' is given no number",
			                 schema->columns[i].name);
		if (code != SQLITE_OK)
			return sqlite_database_fail(database, error, "cannot bind");
	}
	return RESULT_OK;
}

static enum result insert_row(struct sqlite_database *database, sqlite3_stmt *statement, struct error *error)
{
	bool row;
	enum result result = sqlite_database_step(database, statement, &row, error);
	if (result == RESULT_OK && sqlite3_changes(database->handle) != 1)
		result = error_set(error, RESULT_REFUSED, "a trigger of the table drops the row");
	sqlite3_reset(statement);
	return result;
}

static enum result store(struct sqlite_database *database, const struct sink_batch *batch, bool is_update,
                         struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	CLEANUP_FREE struct slice *cells = calloc(batch->schema->count + 1, sizeof *cells);
	if (cells == NULL)
		return sql_no_memory(error);
	enum result result = RESULT_OK;
	if (batch->row_count > 0)
		result = prepare(database, batch, is_update, &statement, error);
	for (size_t i = 0; result == RESULT_OK && i < batch->row_count; i++) {
		if (!sql_cells(cells, batch->schema, batch->rows[i]))
			return error_set(error, RESULT_REFUSED,
			                 "row %zu of the batch does not fit its schema", i + 1);
		result = bind_row(database, statement, batch->schema, cells, error);
		if (result == RESULT_OK)
			result = insert_row(database, statement, error);
	}
	return result;
}

enum result sqlite_rows_store(struct sqlite_database *database, const struct sink_batch *batch,
                              struct error *error)
{
	struct sink_batch new_rows = sql_new_rows(batch);
	struct sink_batch updates = sql_updates(batch);
	enum result result = store(database, &new_rows, false, error);
	return result == RESULT_OK ? store(database, &updates, true, error) : result;
}

enum result sqlite_rows_check_key(struct sqlite_database *database, const char *table,
                                  const struct schema *schema, struct error *error)
{
	if (!sql_is_keyed(schema))
		return RESULT_OK;
	CLEANUP_BUFFER struct buffer sql = {0};
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	struct error reason;
	/* SQLite looks for the index when it prepares the statement. */
	if (append_insert(&sql, table, schema) != RESULT_OK ||
	    buffer_append_string(&sql, " ON CONFLICT (") != RESULT_OK ||
	    sql_append_key(&sql, schema, '"') != RESULT_OK ||
	    buffer_append_string(&sql, ") DO NOTHING") != RESULT_OK ||
	    buffer_append(&sql, "", 1) != RESULT_OK)
		return sql_no_memory(error);
	enum result result = sqlite_database_prepare(database, &statement, sql.data, &reason);
	if (result != RESULT_REFUSED && result != RESULT_CONFIG && result != RESULT_OK) {
		*error = reason;
		return result;
	}
	return result == RESULT_OK ? RESULT_OK : sql_no_key(schema, table, reason.message, error);
}
