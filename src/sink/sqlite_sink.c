// SPDX-License-Identifier: Apache-2.0
#include "sink/sqlite_sink.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sink/sift.h"
#include "sink/sql.h"
#include "sink/sqlite_database.h"
#include "sink/sqlite_head.h"
#include "sink/sqlite_rows.h"
#include "sink/sqlite_scan.h"
#include "sink/sqlite_table.h"

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

static enum result look_for_table(struct sqlite_database *database, const char *table, bool *found,
                                  struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	enum result result =
	    sqlite_database_prepare_texts(database, &statement,
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

/* What stands under the name, within the transaction that is open. */
static enum result look(struct sqlite_database *database, const char *table, struct sink_presence *presence,
                        struct error *error)
{
	*presence = (struct sink_presence){0};
	enum result result = sqlite_head_read(database, table, &presence->has_head, &presence->head, error);
	if (result == RESULT_OK)
		result = look_for_table(database, table, &presence->has_table, error);
	if (result == RESULT_OK && presence->has_table)
		result = look_for_rows(database, table, &presence->has_rows, error);
	return result;
}

static enum result inspect(struct sink *sink, const char *table, struct sink_presence *presence,
                           struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	enum result result = sqlite_database_check(database, error);
	if (result == RESULT_OK)
		result = sqlite_database_run(database, "BEGIN", error);
	if (result != RESULT_OK)
		return sql_in_table(result, table, error);
	result = look(database, table, presence, error);
	return sql_in_table(end_transaction(database, result, error), table, error);
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
		result = found ? sqlite_table_demand(database, table, schema, error)
		               : sqlite_table_make(database, table, schema, error);
	if (result == RESULT_OK)
		result = sqlite_rows_check_key(database, table, schema, error);
	if (result == RESULT_OK)
		result = sqlite_head_ensure(database, table, head, error);
	return sql_in_table(end_transaction(database, result, error), table, error);
}

static enum result add_columns(struct sink *sink, const char *table, const struct schema *schema,
                               struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	CLEANUP_BUFFER struct buffer sql = {0};
	enum result result = begin_write(database, error);
	if (result != RESULT_OK)
		return sql_in_table(result, table, error);
	result = sqlite_table_append_changes(database, table, schema, &sql, error);
	if (result == RESULT_OK)
		result = sqlite_database_run_all(database, sql_text(&sql), error);
	if (result == RESULT_OK)
		result = sqlite_rows_check_key(database, table, schema, error);
	return sql_in_table(end_transaction(database, result, error), table, error);
}

static enum result explain(struct sink *sink, const char *table, const struct schema *schema,
                           struct buffer *out, struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	bool found = false;
	enum result result = RESULT_OK;
	if (database->handle != NULL) /* else there is no file yet */
		result = look_for_table(database, table, &found, error);
	if (result == RESULT_OK && found)
		result = sqlite_table_append_changes(database, table, schema, out, error);
	else if (result == RESULT_OK && sqlite_table_append_create(table, schema, out) != RESULT_OK)
		result = sql_no_memory(error);
	if (result == RESULT_OK && sql_append_insert(out, table, schema, '"') != RESULT_OK)
		result = sql_no_memory(error);
	return sql_in_table(result, table, error);
}

static enum result judge(struct sink *sink, const char *table, struct id sink_id, struct id state_id,
                         struct sink_head *head, struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	enum result result = begin_write(database, error);
	if (result != RESULT_OK)
		return sql_in_table(result, table, error);
	bool found;
	result = sqlite_head_judge(database, table, sink_id, state_id, error);
	if (result == RESULT_OK)
		result = sqlite_head_read(database, table, &found, head, error);
	return sql_in_table(end_transaction(database, result, error), table, error);
}

/* COMMIT; whatever answers it but a yes leaves the outcome open. */
static enum result commit(struct sqlite_database *database, struct error *error)
{
	if (end_transaction(database, RESULT_OK, error) == RESULT_OK)
		return RESULT_OK;
	if (error != NULL)
		error->result = RESULT_UNKNOWN;
	return RESULT_UNKNOWN;
}

/* Somebody has emptied the table since it was looked at last. */
static enum result demand_rows(struct sqlite_database *database, const char *table, struct error *error)
{
	bool found = false;
	enum result result = look_for_rows(database, table, &found, error);
	if (result == RESULT_OK && !found)
		return sql_emptied(error);
	return result;
}

static enum result store(struct sink *sink, const struct sink_batch *batch, struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	enum result result = begin_write(database, error);
	if (result == RESULT_OK)
		result = sqlite_head_advance(database, batch, error);
	if (result == RESULT_OK && batch->expects_rows)
		result = demand_rows(database, batch->table, error);
	if (result == RESULT_OK && batch->row_count > 0)
		result = sqlite_rows_store(database, batch, error);
	struct sink_head after = sql_head_after(batch);
	if (result == RESULT_OK)
		result =
		    sqlite_head_add_to_ledger(database, batch->table, &after, sql_row_change(batch), error);
	if (result == RESULT_OK)
		result = sql_await_commit(batch, error);
	if (result != RESULT_OK) {
		sqlite_database_rollback(database);
		return sql_in_table(result, batch->table, error);
	}
	return sql_in_table(commit(database, error), batch->table, error);
}

static enum result sift_mark(void *database, struct error *error)
{
	return sqlite_database_run(database, "SAVEPOINT sift", error);
}

static enum result sift_insert(void *database, const struct sink_batch *part, struct error *error)
{
	return sqlite_rows_store(database, part, error);
}

static enum result sift_undo(void *database, struct error *error)
{
	return sqlite_database_run(database, "ROLLBACK TO sift", error);
}

static enum result sift(struct sink *sink, const struct sink_sifting *sifting, struct error *error)
{
	static const struct sift_steps steps = {sift_mark, sift_insert, sift_undo};
	struct sqlite_database *database = database_of(sink);
	enum result result = begin_write(database, error);
	if (result == RESULT_OK)
		result = sift_rows(&steps, database, sifting, error);
	sqlite_database_rollback(database);
	return sql_in_table(result, sifting->batch->table, error);
}

static enum result fence(struct sink *sink, const char *table, struct sink_presence *presence,
                         struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	enum result result = begin_write(database, error);
	if (result != RESULT_OK)
		return sql_in_table(result, table, error);
	result = sqlite_head_fence(database, table, error);
	if (result == RESULT_OK)
		result = look(database, table, presence, error);
	return sql_in_table(end_transaction(database, result, error), table, error);
}

static enum result ledger(struct sink *sink, const char *table, struct sink_ledger *out, struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	enum result result = sqlite_database_check(database, error);
	if (result == RESULT_OK)
		result = sqlite_head_sum_ledger(database, table, out, error);
	return sql_in_table(result, table, error);
}

static enum result adopt(struct sink *sink, const struct sink_adoption *adoption, struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	enum result result = begin_write(database, error);
	if (result == RESULT_OK)
		result = sqlite_head_replace(database, adoption, error);
	if (result == RESULT_OK)
		result = sqlite_head_add_to_ledger(database, adoption->table, adoption->after,
		                                   adoption->row_change, error);
	if (result != RESULT_OK) {
		sqlite_database_rollback(database);
		return sql_in_table(result, adoption->table, error);
	}
	return sql_in_table(commit(database, error), adoption->table, error);
}

static enum result describe(struct sink *sink, const char *table, struct schema **schema, struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	enum result result = sqlite_database_check(database, error);
	if (result == RESULT_OK)
		result = sqlite_scan_describe(database, table, schema, error);
	return sql_in_table(result, table, error);
}

static enum result scan(struct sink *sink, const struct sink_scan *what, struct error *error)
{
	struct sqlite_database *database = database_of(sink);
	enum result result = sqlite_database_check(database, error);
	if (result == RESULT_OK)
		result = sqlite_scan_rows(database, what, error);
	return sql_in_table(result, what->table, error);
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
	    .explain = explain,
	    .judge = judge,
	    .store = store,
	    .sift = sift,
	    .fence = fence,
	    .ledger = ledger,
	    .adopt = adopt,
	    .describe = describe,
	    .scan = scan,
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
