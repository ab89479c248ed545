// SPDX-License-Identifier: Apache-2.0
#include "sink/sqlite_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/sql.h"

/* So many rows go into one statement: a row takes half the time that it takes by itself. */
enum { ROWS_TOGETHER = 32 };

static enum result append_places(struct buffer *sql, const char *separator, size_t count)
{
	if (buffer_append_string(sql, separator) != RESULT_OK || buffer_append_string(sql, "(?") != RESULT_OK)
		return RESULT_NO_MEMORY;
	for (size_t i = 1; i < count; i++) {
		if (buffer_append(sql, ",?", 2) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return buffer_append(sql, ")", 1);
}

static enum result append_insert(struct buffer *sql, const char *table, const struct schema *schema,
                                 size_t rows)
{
	/* OR ABORT overrides what a table made by others may say: no row is dropped or replaced in silence.
	 */
	if (buffer_append_string(sql, "INSERT OR ABORT INTO ") != RESULT_OK ||
	    sql_append_identifier(sql, table, '"') != RESULT_OK || buffer_append(sql, "(", 1) != RESULT_OK ||
	    sql_append_columns(sql, schema, '"') != RESULT_OK ||
	    buffer_append_string(sql, ") VALUES ") != RESULT_OK)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < rows; i++) {
		if (append_places(sql, i == 0 ? "" : ",", schema->count) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return RESULT_OK;
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
	if (append_insert(&sql, batch->table, batch->schema, batch->row_count) != RESULT_OK ||
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
                            const struct schema *schema, const struct slice *cells, int place,
                            struct error *error)
{
	for (size_t i = 0; i < schema->count; i++, place++) {
		int code;
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

static enum result insert(struct sqlite_database *database, sqlite3_stmt *statement, size_t rows,
                          struct error *error)
{
	bool row;
	enum result result = sqlite_database_step(database, statement, &row, error);
	if (result == RESULT_OK && (size_t)sqlite3_changes(database->handle) != rows)
		result = error_set(error, RESULT_REFUSED, "a trigger of the table drops the row");
	sqlite3_reset(statement);
	return result;
}

/* The rows of a part, by a statement that was prepared for as many. */
static enum result store_part(struct sqlite_database *database, sqlite3_stmt *statement,
                              const struct sink_batch *part, struct slice *cells, struct error *error)
{
	int place = 1;
	enum result result = RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i < part->row_count; i++) {
		if (!sql_cells(cells, part->schema, part->rows[i]))
			return error_set(error, RESULT_REFUSED, "a row of the batch does not fit its schema");
		result = bind_row(database, statement, part->schema, cells, place, error);
		place += (int)part->schema->count;
	}
	return result == RESULT_OK ? insert(database, statement, part->row_count, error) : result;
}

static size_t rows_together(const struct sqlite_database *database, const struct schema *schema)
{
	size_t places = (size_t)sqlite3_limit(database->handle, SQLITE_LIMIT_VARIABLE_NUMBER, -1);
	size_t rows = places / (schema->count > 0 ? schema->count : 1);
	return rows < 1 ? 1 : rows < ROWS_TOGETHER ? rows : ROWS_TOGETHER;
}

/* All of the rows are new, or all are updates. */
static enum result store(struct sqlite_database *database, const struct sink_batch *batch, bool is_update,
                         struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	CLEANUP_FREE struct slice *cells = calloc(batch->schema->count + 1, sizeof *cells);
	if (cells == NULL)
		return sql_no_memory(error);
	struct sink_batch part = *batch;
	part.row_count = 0;
	size_t together = rows_together(database, batch->schema);
	size_t left = batch->row_count;
	enum result result = RESULT_OK;
	while (result == RESULT_OK && left > 0) {
		size_t prepared = part.row_count;
		part.row_count = left < together ? left : together;
		if (part.row_count != prepared) {
			sqlite3_finalize(STEAL(statement));
			result = prepare(database, &part, is_update, &statement, error);
		}
		if (result == RESULT_OK)
			result = store_part(database, statement, &part, cells, error);
		part.rows += part.row_count;
		left -= part.row_count;
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
	if (append_insert(&sql, table, schema, 1) != RESULT_OK ||
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
