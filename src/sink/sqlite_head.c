// SPDX-License-Identifier: Apache-2.0
#include "sink/sqlite_head.h"

#include "sink/sql.h"

enum result sqlite_head_read(struct sqlite_database *database, const char *table, bool *found,
                             struct sink_head *head, struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	enum result result = sqlite_database_prepare_texts(
	    database, &statement, "SELECT " SQL_HEAD_COLUMNS " FROM rowsieve_head WHERE table_name=?1",
	    &table, 1, error);
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

/* Binds the numbers behind the texts. */
static enum result bind_numbers(struct sqlite_database *database, sqlite3_stmt *statement, int first,
                                int64_t one, int64_t other, struct error *error)
{
	if (sqlite3_bind_int64(statement, first, one) != SQLITE_OK ||
	    sqlite3_bind_int64(statement, first + 1, other) != SQLITE_OK)
		return sqlite_database_fail(database, error, "cannot bind");
	return RESULT_OK;
}

static enum result insert(struct sqlite_database *database, const char *table, const struct sink_head *head,
                          struct error *error)
{
	char ids[5][ID_TEXT_MAX];
	id_text(ids[0], head->sink_id);
	id_text(ids[1], head->state_id);
	id_text(ids[2], head->secret_check);
	id_text(ids[3], head->fingerprint);
	id_text(ids[4], head->batch_id);
	const char *texts[] = {table, head->dataset, ids[0], ids[1], ids[2], ids[3], ids[4]};
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row;
	enum result result =
	    sqlite_database_prepare_texts(database, &statement,
	                                  "INSERT OR ABORT INTO rowsieve_head(table_name, " SQL_HEAD_COLUMNS
	                                  ") VALUES (?1,?2,?3,?4,?5,?6,?8,?9,?7)",
	                                  texts, 7, error);
	if (result == RESULT_OK)
		result =
		    bind_numbers(database, statement, 8, (int64_t)head->epoch, (int64_t)head->seq, error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, &row, error);
	return result;
}

enum result sqlite_head_ensure(struct sqlite_database *database, const char *table,
                               const struct sink_head *head, struct error *error)
{
	bool found;
	struct sink_head present;
	enum result result = sqlite_head_read(database, table, &found, &present, error);
	if (result == RESULT_OK && !found)
		return insert(database, table, head, error);
	if (result == RESULT_OK && !sql_same_head(&present, head))
		return error_set(error, RESULT_DISAGREES, "rowsieve_head of '%s' holds another head for it",
		                 database->path);
	return result;
}

enum result sqlite_head_judge(struct sqlite_database *database, const char *table, struct id sink_id,
                              struct id state_id, struct error *error)
{
	char ids[2][ID_TEXT_MAX];
	id_text(ids[0], sink_id);
	id_text(ids[1], state_id);
	const char *texts[] = {table, ids[0], ids[1]};
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row;
	enum result result =
	    sqlite_database_prepare_texts(database, &statement,
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

enum result sqlite_head_advance(struct sqlite_database *database, const struct sink_batch *batch,
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
	enum result result = sqlite_database_prepare_texts(
	    database, &statement,
	    "UPDATE rowsieve_head SET seq=?6+1, batch_id=?2 WHERE table_name=?1 AND sink_id=?3 "
	    "AND state_id=?4 AND epoch=?7 AND seq=?6 AND batch_id=?5",
	    texts, 5, error);
	if (result == RESULT_OK)
		result = bind_numbers(database, statement, 6, (int64_t)batch->head->seq,
		                      (int64_t)batch->head->epoch, error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, &row, error);
	if (result == RESULT_OK && sqlite3_changes(database->handle) != 1)
		return error_set(error, RESULT_DISAGREES, "its head in '%s' is not the one that was judged",
		                 database->path);
	return result;
}

enum result sqlite_head_fence(struct sqlite_database *database, const char *table, struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row;
	enum result result = sqlite_database_prepare_texts(
	    database, &statement, "UPDATE rowsieve_head SET epoch=epoch+1 WHERE table_name=?1", &table, 1,
	    error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, &row, error);
	return result;
}

static enum result remove_head(struct sqlite_database *database, const char *table,
                               const struct sink_head *head, struct error *error)
{
	char ids[3][ID_TEXT_MAX];
	id_text(ids[0], head->sink_id);
	id_text(ids[1], head->state_id);
	id_text(ids[2], head->batch_id);
	const char *texts[] = {table, ids[0], ids[1], ids[2]};
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row;
	enum result result = sqlite_database_prepare_texts(
	    database, &statement,
	    "DELETE FROM rowsieve_head WHERE table_name=?1 AND sink_id=?2 AND state_id=?3 AND batch_id=?4 "
	    "AND epoch=?5 AND seq=?6",
	    texts, 4, error);
	if (result == RESULT_OK)
		result =
		    bind_numbers(database, statement, 5, (int64_t)head->epoch, (int64_t)head->seq, error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, &row, error);
	if (result == RESULT_OK && sqlite3_changes(database->handle) != 1)
		return error_set(error, RESULT_DISAGREES, "its head in '%s' was changed meanwhile",
		                 database->path);
	return result;
}

enum result sqlite_head_replace(struct sqlite_database *database, const struct sink_adoption *adoption,
                                struct error *error)
{
	bool found = false;
	struct sink_head present;
	enum result result = RESULT_OK;
	if (adoption->before != NULL)
		result = remove_head(database, adoption->table, adoption->before, error);
	else
		result = sqlite_head_read(database, adoption->table, &found, &present, error);
	if (result == RESULT_OK && found)
		return error_set(error, RESULT_DISAGREES, "a head was made for it in '%s' meanwhile",
		                 database->path);
	return result == RESULT_OK ? insert(database, adoption->table, adoption->after, error) : result;
}

enum result sqlite_head_add_to_ledger(struct sqlite_database *database, const char *table,
                                      const struct sink_head *after, int64_t rows, struct error *error)
{
	char id[ID_TEXT_MAX];
	id_text(id, after->batch_id);
	const char *texts[] = {table, id, after->dataset};
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row;
	enum result result =
	    sqlite_database_prepare_texts(database, &statement,
	                                  "INSERT OR ABORT INTO rowsieve_ledger(table_name, batch_id, "
	                                  "dataset, seq, row_count, committed_at) "
	                                  "VALUES (?1,?2,?3,?4,?5,strftime('%Y-%m-%d %H:%M:%S','now'))",
	                                  texts, 3, error);
	if (result == RESULT_OK)
		result = bind_numbers(database, statement, 4, (int64_t)after->seq, rows, error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, &row, error);
	return result;
}

enum result sqlite_head_sum_ledger(struct sqlite_database *database, const char *table,
                                   struct sink_ledger *ledger, struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;
	*ledger = (struct sink_ledger){0};
	enum result result = sqlite_database_prepare_texts(
	    database, &statement,
	    "SELECT count(*), coalesce(max(seq), 0), coalesce(sum(row_count), 0) FROM rowsieve_ledger "
	    "WHERE table_name=?1",
	    &table, 1, error);
	if (result == RESULT_OK)
		result = sqlite_database_step(database, statement, &row, error);
	if (row) {
		ledger->batches = (uint64_t)sqlite3_column_int64(statement, 0);
		ledger->last_seq = (uint64_t)sqlite3_column_int64(statement, 1);
		ledger->rows = sqlite3_column_int64(statement, 2);
	}
	return result;
}
