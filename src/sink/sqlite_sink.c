// SPDX-License-Identifier: Apache-2.0
#include "sink/sqlite_sink.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sink/sql.h"
#include "sink/sqlite_database.h"
#include "sink/sqlite_rows.h"

struct sqlite_sink {
	struct sink base;
	struct sqlite_database database;
};

static struct sqlite_database *database_of(struct sink *sink)
{
	return &((struct sqlite_sink *)sink)->database;
}

/*
 * After a failed COMMIT the connection stays open on purpose: SQLite has taken the transaction back in its
 * WAL index, and the next commit overwrites what is left of it in the file. Reopening would recover the WAL
 * and might find frames that fsync has failed to make durable.
 */
static enum result end_transaction(struct sqlite_database *database, enum result result, struct error *error)
{
	if (result == RESULT_OK)
		result = sqlite_database_run(database, "COMMIT", error);
	if (result != RESULT_OK)
		sqlite_database_rollback(database);
	return result;
}

static enum result make_own_tables(struct sqlite_database *database, struct error *error)
{
	static const char *const statements[] = {
	    "CREATE TABLE IF NOT EXISTS rowsieve_head ("
	    "table_name TEXT NOT NULL PRIMARY KEY, dataset TEXT NOT NULL, sink_id TEXT NOT NULL, "
	    "state_id TEXT NOT NULL, secret_check TEXT NOT NULL, fingerprint TEXT NOT NULL, "
	    "epoch INTEGER NOT NULL, seq INTEGER NOT NULL, batch_id TEXT NOT NULL)",
	    "CREATE TABLE IF NOT EXISTS rowsieve_ledger ("
	    "table_name TEXT NOT NULL, seq INTEGER NOT NULL, batch_id TEXT NOT NULL, dataset TEXT NOT NULL, "
	    "row_count INTEGER NOT NULL, committed_at TEXT NOT NULL, PRIMARY KEY (table_name, seq))",
	};
	enum result result = sqlite_database_run(database, "BEGIN IMMEDIATE", error);
	if (result != RESULT_OK)
		return result;
	for (size_t i = 0; result == RESULT_OK && i < sizeof statements / sizeof statements[0]; i++)
		result = sqlite_database_run(database, statements[i], error);
	return end_transaction(database, result, error);
}

static enum result sink_connect(struct sink *sink, struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	sqlite_database_rollback(database);
	enum result result = RESULT_OK;
	if (database->handle == NULL || sqlite_database_check(database, NULL) != RESULT_OK)
		result = sqlite_database_open(database, error);
	if (result == RESULT_OK)
		result = make_own_tables(database, error);
	return result;
}

static enum result begin_write(struct sqlite_database *database, struct error *error)
{
	enum result result = sqlite_database_check(database, error);
	if (result == RESULT_OK)
		result = sqlite_database_run(database, "BEGIN IMMEDIATE", error);
	return result;
}

/* Prepares a statement whose first parameters are texts; the texts must outlive it. */
static enum result prepare(struct sqlite_database *database, sqlite3_stmt **statement, const char *sql,
                           const char *const *texts, int count, struct error *error)
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

static enum result read_head(struct sqlite_database *database, const char *table, bool *found,
                             struct sink_head *head, struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	enum result result =
	    prepare(database, &statement,
	            "SELECT " SQL_HEAD_COLUMNS " FROM rowsieve_head WHERE table_name=?1", &table, 1, error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, found, error);
	if (result != RESULT_OK || !*found)
		return result;
	const char *values[SQL_HEAD_COLUMN_COUNT];
	for (int i = 0; i < SQL_HEAD_COLUMN_COUNT; i++)
		values[i] = (const char *)sqlite3_column_text(statement, i);
	if (!sql_parse_head(head, values))
		return error_set(error, RESULT_DISAGREES, "its row in rowsieve_head of '%s' is damaged",
		                 database->path);
	return RESULT_OK;
}

static enum result look_for_table(struct sqlite_database *database, const char *table, bool *found,
                                  struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	enum result result = prepare(database, &statement,
	                             "SELECT type FROM sqlite_schema WHERE name=?1 COLLATE NOCASE "
	                             "AND type IN ('table', 'view')",
	                             &table, 1, error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, found, error);
	if (result == RESULT_OK && *found &&
	    strcmp((const char *)sqlite3_column_text(statement, 0), "table") != 0)
		return error_set(error, RESULT_CONFIG, "it is a view in '%s', not a table", database->path);
	return result;
}

static enum result look_for_rows(struct sqlite_database *database, const char *table, bool *found,
                                 struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_append_string(&sql, "SELECT 1 FROM ") != RESULT_OK ||
	    sql_append_identifier(&sql, table, '"') != RESULT_OK ||
	    buffer_append(&sql, " LIMIT 1", 9) != RESULT_OK)
		return sql_no_memory(error);
	enum result result = sqlite_database_prepare(database, &statement, sql.data, error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, found, error);
	return result;
}

static enum result inspect(struct sink *sink, const char *table, struct sink_presence *presence,
                           struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	*presence = (struct sink_presence){0};
	enum result result = sqlite_database_check(database, error);
	if (result == RESULT_OK)
		result = sqlite_database_run(database, "BEGIN", error);
	if (result != RESULT_OK)
		return sql_in_table(result, table, error);
	result = read_head(database, table, &presence->has_head, &presence->head, error);
	if (result == RESULT_OK)
		result = look_for_table(database, table, &presence->has_table, error);
	if (result == RESULT_OK && presence->has_table)
		result = look_for_rows(database, table, &presence->has_rows, error);
	return sql_in_table(end_transaction(database, result, error), table, error);
}

/* Sets missing[i] for each column of the schema that the table lacks. */
static enum result find_missing(struct sqlite_database *database, const char *table,
                                const struct schema *schema, bool *missing, struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	enum result result =
	    prepare(database, &statement, "SELECT name FROM pragma_table_info(?1)", &table, 1, error);
	memset(missing, true, schema->count);
	bool row = result == RESULT_OK;
	while (row) {
		result = sqlite_database_step(database, statement, &row, error);
		const char *name = row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
		for (size_t i = 0; name != NULL && i < schema->count; i++) {
			if (strcasecmp(schema->columns[i].name, name) == 0)
				missing[i] = false;
		}
	}
	return result;
}

/* TEXT affinity keeps decimals exactly as they are; ISO dates look like no number, so the affinity of DATE
 * leaves them alone. */
static const char *column_type(const struct schema_column *column)
{
	switch (column->type.kind) {
	case TYPE_INTEGER:
		return " INTEGER";
	case TYPE_DATE:
		return " DATE";
	case TYPE_DATETIME:
		return " DATETIME";
	case TYPE_TEXT:
	case TYPE_DECIMAL:
		break;
	}
	return " TEXT";
}

static enum result make_table(struct sqlite_database *database, const char *table,
                              const struct schema *schema, struct error *error)
{
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_append_string(&sql, "CREATE TABLE ") != RESULT_OK ||
	    sql_append_identifier(&sql, table, '"') != RESULT_OK)
		return sql_no_memory(error);
	for (size_t i = 0; i < schema->count; i++) {
		if (buffer_append(&sql, i == 0 ? "(" : ",", 1) != RESULT_OK ||
		    sql_append_identifier(&sql, schema->columns[i].name, '"') != RESULT_OK ||
		    buffer_append_string(&sql, column_type(&schema->columns[i])) != RESULT_OK)
			return sql_no_memory(error);
	}
	if (buffer_append(&sql, ")", 2) != RESULT_OK)
		return sql_no_memory(error);
	return sqlite_database_run(database, sql.data, error);
}

static enum result demand_columns(struct sqlite_database *database, const char *table,
                                  const struct schema *schema, struct error *error)
{
	CLEANUP_FREE bool *missing = calloc(schema->count + 1, sizeof *missing);
	if (missing == NULL)
		return sql_no_memory(error);
	enum result result = find_missing(database, table, schema, missing, error);
	for (size_t i = 0; result == RESULT_OK && i < schema->count; i++) {
		if (missing[i])
			result = error_set(error, RESULT_CONFIG, "it exists in '%s' and has no column '%s'",
			                   database->path, schema->columns[i].name);
	}
	return result;
}

static enum result insert_head(struct sqlite_database *database, const char *table,
                               const struct sink_head *head, struct error *error)
{
	char ids[5][ID_TEXT_MAX];
	id_text(ids[0], head->sink_id);
	id_text(ids[1], head->state_id);
	id_text(ids[2], head->secret_check);
	id_text(ids[3], head->fingerprint);
	id_text(ids[4], (struct id){0});
	const char *texts[] = {table, head->dataset, ids[0], ids[1], ids[2], ids[3], ids[4]};
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row;
	enum result result = prepare(database, &statement,
	                             "INSERT OR ABORT INTO rowsieve_head(table_name, " SQL_HEAD_COLUMNS
	                             ") VALUES (?1,?2,?3,?4,?5,?6,0,0,?7)",
	                             texts, 7, error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, &row, error);
	return result;
}

static enum result ensure_head(struct sqlite_database *database, const char *table,
                               const struct sink_head *head, struct error *error)
{
	bool found;
	struct sink_head present;
	enum result result = read_head(database, table, &found, &present, error);
	if (result == RESULT_OK && !found)
		return insert_head(database, table, head, error);
	if (result == RESULT_OK && !sql_same_head(&present, head))
		return error_set(error, RESULT_DISAGREES, "rowsieve_head of '%s' holds another head for it",
		                 database->path);
	return result;
}

static enum result create(struct sink *sink, const char *table, const struct schema *schema,
                          const struct sink_head *head, struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	enum result result = sql_check_table(table, error);
	if (result == RESULT_OK)
		result = begin_write(database, error);
	if (result != RESULT_OK)
		return sql_in_table(result, table, error);
	bool found = false;
	result = look_for_table(database, table, &found, error);
	if (result == RESULT_OK)
		result = found ? demand_columns(database, table, schema, error)
		               : make_table(database, table, schema, error);
	if (result == RESULT_OK)
		result = ensure_head(database, table, head, error);
	return sql_in_table(end_transaction(database, result, error), table, error);
}

static enum result add_column(struct sqlite_database *database, const char *table,
                              const struct schema_column *column, struct error *error)
{
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_append_string(&sql, "ALTER TABLE ") != RESULT_OK ||
	    sql_append_identifier(&sql, table, '"') != RESULT_OK ||
	    buffer_append_string(&sql, " ADD COLUMN ") != RESULT_OK ||
	    sql_append_identifier(&sql, column->name, '"') != RESULT_OK ||
	    buffer_append_string(&sql, column_type(column)) != RESULT_OK ||
	    buffer_append(&sql, "", 1) != RESULT_OK)
		return sql_no_memory(error);
	return sqlite_database_run(database, sql.data, error);
}

static enum result add_columns(struct sink *sink, const char *table, const struct schema *schema,
                               struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	CLEANUP_FREE bool *missing = calloc(schema->count + 1, sizeof *missing);
	if (missing == NULL)
		return sql_no_memory(error);
	enum result result = begin_write(database, error);
	if (result != RESULT_OK)
		return sql_in_table(result, table, error);
	result = find_missing(database, table, schema, missing, error);
	for (size_t i = 0; result == RESULT_OK && i < schema->count; i++) {
		if (missing[i])
			result = add_column(database, table, &schema->columns[i], error);
	}
	return sql_in_table(end_transaction(database, result, error), table, error);
}

static enum result raise_epoch(struct sqlite_database *database, const char *table, struct id sink_id,
                               struct id state_id, struct error *error)
{
	char ids[2][ID_TEXT_MAX];
	id_text(ids[0], sink_id);
	id_text(ids[1], state_id);
	const char *texts[] = {table, ids[0], ids[1]};
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row;
	enum result result = prepare(database, &statement,
	                             "UPDATE rowsieve_head SET epoch=epoch+1 "
	                             "WHERE table_name=?1 AND sink_id=?2 AND state_id=?3",
	                             texts, 3, error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, &row, error);
	if (result == RESULT_OK && sqlite3_changes(database->handle) != 1)
		return error_set(error, RESULT_DISAGREES,
		                 "rowsieve_head of '%s' holds no head of this state for it", database->path);
	return result;
}

static enum result judge(struct sink *sink, const char *table, struct id sink_id, struct id state_id,
                         struct sink_head *head, struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	enum result result = begin_write(database, error);
	if (result != RESULT_OK)
		return sql_in_table(result, table, error);
	bool found;
	result = raise_epoch(database, table, sink_id, state_id, error);
	if (result == RESULT_OK)
		result = read_head(database, table, &found, head, error);
	return sql_in_table(end_transaction(database, result, error), table, error);
}

static enum result advance_head(struct sqlite_database *database, const struct sink_batch *batch,
                                struct error *error)
{
	char ids[4][ID_TEXT_MAX];
	id_text(ids[0], batch->batch_id);
	id_text(ids[1], batch->head->sink_id);
	id_text(ids[2], batch->head->state_id);
	id_text(ids[3], batch->head->batch_id);
	const char *texts[] = {batch->table, ids[0], ids[1], ids[2], ids[3]};
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row;
	enum result result =
	    prepare(database, &statement,
	            "UPDATE rowsieve_head SET seq=?6+1, batch_id=?2 WHERE table_name=?1 AND sink_id=?3 "
	            "AND state_id=?4 AND epoch=?7 AND seq=?6 AND batch_id=?5",
	            texts, 5, error);
	if (result != RESULT_OK)
		return result;
	if (sqlite3_bind_int64(statement, 6, (sqlite3_int64)batch->head->seq) != SQLITE_OK ||
	    sqlite3_bind_int64(statement, 7, (sqlite3_int64)batch->head->epoch) != SQLITE_OK)
		return sqlite_database_fail(database, error, "cannot bind");
	result = sqlite_database_step(database, statement, &row, error);
	if (result == RESULT_OK && sqlite3_changes(database->handle) != 1)
		return error_set(error, RESULT_DISAGREES, "its head in '%s' is not the one that was judged",
		                 database->path);
	return result;
}

static enum result insert_ledger(struct sqlite_database *database, const struct sink_batch *batch,
                                 struct error *error)
{
	char id[ID_TEXT_MAX];
	id_text(id, batch->batch_id);
	const char *texts[] = {batch->table, id, batch->head->dataset};
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row;
	enum result result = prepare(database, &statement,
	                             "INSERT OR ABORT INTO rowsieve_ledger"
	                             "(table_name, batch_id, dataset, seq, row_count, committed_at) "
	                             "VALUES (?1,?2,?3,?4,?5,strftime('%Y-%m-%d %H:%M:%S','now'))",
	                             texts, 3, error);
	if (result != RESULT_OK)
		return result;
	if (sqlite3_bind_int64(statement, 4, (sqlite3_int64)batch->head->seq + 1) != SQLITE_OK ||
	    sqlite3_bind_int64(statement, 5, (sqlite3_int64)batch->row_count) != SQLITE_OK)
		return sqlite_database_fail(database, error, "cannot bind");
	return sqlite_database_step(database, statement, &row, error);
}

static enum result store(struct sink *sink, const struct sink_batch *batch, struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	enum result result = begin_write(database, error);
	if (result == RESULT_OK)
		result = advance_head(database, batch, error);
	if (result == RESULT_OK && batch->row_count > 0)
		result = sqlite_rows_insert(database, batch, error);
	if (result == RESULT_OK)
		result = insert_ledger(database, batch, error);
	if (result != RESULT_OK) {
		sqlite_database_rollback(database);
		return sql_in_table(result, batch->table, error);
	}
	if (end_transaction(database, RESULT_OK, error) == RESULT_OK)
		return RESULT_OK;
	if (error != NULL)
		error->result = RESULT_UNKNOWN;
	return sql_in_table(RESULT_UNKNOWN, batch->table, error);
}

static void sink_close(struct sink *sink)
{
	if (sink == NULL)
		return;
	struct sqlite_database *database = database_of(sink);
	sqlite_database_close(database);
	free(database->path);
	free(sink);
}

enum result sqlite_sink_open(struct sink **out, const char *path, struct error *error)
{
	static const struct sink_interface interface = {
	    .kind = "sqlite",
	    .connect = sink_connect,
	    .inspect = inspect,
	    .create = create,
	    .add_columns = add_columns,
	    .judge = judge,
	    .store = store,
	    .close = sink_close,
	};
	struct sqlite_sink *sink = calloc(1, sizeof *sink);
	if (sink == NULL)
		return sql_no_memory(error);
	sink->base.interface = &interface;
	sink->database.path = strdup(path);
	if (sink->database.path == NULL) {
		free(sink);
		return sql_no_memory(error);
	}
	*out = &sink->base;
	return RESULT_OK;
}
