// SPDX-License-Identifier: Apache-2.0
#include "sink/mysql_head.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sink/sql.h"

/* Appends " WHERE table_name='…'". */
static enum result append_where_table(struct mysql_session *session, struct buffer *sql, const char *table)
{
	if (buffer_append_string(sql, " WHERE table_name=") != RESULT_OK)
		return RESULT_NO_MEMORY;
	return mysql_session_append_text(session, sql, slice_from_string(table));
}

enum result mysql_head_read(struct mysql_session *session, const char *table, bool *found,
                            struct sink_head *head, struct error *error)
{
	CLEANUP_ROWS MYSQL_RES *rows = NULL;
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_append_string(&sql, "SELECT " SQL_HEAD_COLUMNS " FROM rowsieve_head") != RESULT_OK ||
	    append_where_table(session, &sql, table) != RESULT_OK)
		return sql_no_memory(error);
	enum result result = mysql_session_query(session, sql_text(&sql), &rows, error);
	if (result != RESULT_OK)
		return result;
	MYSQL_ROW row = mysql_fetch_row(rows);
	*found = row != NULL;
	if (row != NULL && !sql_parse_head(head, (const char *const *)row))
		return error_set(error, RESULT_DISAGREES, "%s: its row in rowsieve_head is damaged",
		                 session->place);
	return RESULT_OK;
}

/* A head that is there already is an error, or left as it is. */
static enum result insert(struct mysql_session *session, const char *table, const struct sink_head *head,
                          bool leave, struct error *error)
{
	char ids[5][ID_TEXT_MAX];
	id_text(ids[0], head->sink_id);
	id_text(ids[1], head->state_id);
	id_text(ids[2], head->secret_check);
	id_text(ids[3], head->fingerprint);
	id_text(ids[4], head->batch_id);
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_append_string(&sql, "INSERT INTO rowsieve_head(table_name, " SQL_HEAD_COLUMNS
	                               ") VALUES (") != RESULT_OK ||
	    mysql_session_append_text(session, &sql, slice_from_string(table)) != RESULT_OK ||
	    buffer_append(&sql, ",", 1) != RESULT_OK ||
	    mysql_session_append_text(session, &sql, slice_from_string(head->dataset)) != RESULT_OK ||
	    buffer_printf(&sql, ",'%s','%s','%s','%s',%" PRIu64 ",%" PRIu64 ",'%s')", ids[0], ids[1], ids[2],
	                  ids[3], head->epoch, head->seq, ids[4]) != RESULT_OK ||
	    buffer_append_string(&sql, leave ? " ON DUPLICATE KEY UPDATE rowsieve_head.seq=rowsieve_head.seq"
	                                     : "") != RESULT_OK)
		return sql_no_memory(error);
	return mysql_session_run(session, sql_text(&sql), NULL, error);
}

enum result mysql_head_ensure(struct mysql_session *session, const char *table, const struct sink_head *head,
                              struct error *error)
{
	bool found = false;
	struct sink_head present;
	enum result result = insert(session, table, head, true, error);
	if (result == RESULT_OK)
		result = mysql_head_read(session, table, &found, &present, error);
	if (result == RESULT_OK && (!found || !sql_same_head(&present, head)))
		return error_set(error, RESULT_DISAGREES, "%s: rowsieve_head holds another head for it",
		                 session->place);
	return result;
}

enum result mysql_head_judge(struct mysql_session *session, const char *table, struct id sink_id,
                             struct id state_id, struct error *error)
{
	char ids[2][ID_TEXT_MAX];
	id_text(ids[0], sink_id);
	id_text(ids[1], state_id);
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_append_string(&sql, "UPDATE rowsieve_head SET epoch=epoch+1") != RESULT_OK ||
	    append_where_table(session, &sql, table) != RESULT_OK ||
	    buffer_printf(&sql, " AND sink_id='%s' AND state_id='%s'", ids[0], ids[1]) != RESULT_OK)
		return sql_no_memory(error);
	uint64_t changed = 0;
	enum result result = mysql_session_run(session, sql_text(&sql), &changed, error);
	if (result == RESULT_OK && changed != 1)
		return error_set(error, RESULT_DISAGREES,
		                 "%s: rowsieve_head holds no head of this state for it", session->place);
	return result;
}

enum result mysql_head_advance(struct mysql_session *session, const struct sink_batch *batch,
                               struct error *error)
{
	const struct sink_head *head = batch->head;
	char ids[4][ID_TEXT_MAX];
	id_text(ids[0], batch->batch_id);
	id_text(ids[1], head->sink_id);
	id_text(ids[2], head->state_id);
	id_text(ids[3], head->batch_id);
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_printf(&sql, "UPDATE rowsieve_head SET seq=%" PRIu64 ", batch_id='%s'", head->seq + 1,
	                  ids[0]) != RESULT_OK ||
	    append_where_table(session, &sql, batch->table) != RESULT_OK ||
	    buffer_printf(&sql,
	                  " AND sink_id='%s' AND state_id='%s' AND epoch=%" PRIu64 " AND seq=%" PRIu64
	                  " AND batch_id='%s'",
	                  ids[1], ids[2], head->epoch, head->seq, ids[3]) != RESULT_OK)
		return sql_no_memory(error);
	uint64_t changed = 0;
	enum result result = mysql_session_run(session, sql_text(&sql), &changed, error);
	if (result == RESULT_OK && changed != 1)
		return error_set(error, RESULT_DISAGREES, "%s: its head is not the one that was judged",
		                 session->place);
	return result;
}

enum result mysql_head_fence(struct mysql_session *session, const char *table, struct error *error)
{
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_append_string(&sql, "UPDATE rowsieve_head SET epoch=epoch+1") != RESULT_OK ||
	    append_where_table(session, &sql, table) != RESULT_OK)
		return sql_no_memory(error);
	return mysql_session_run(session, sql_text(&sql), NULL, error);
}

static enum result remove_head(struct mysql_session *session, const char *table, const struct sink_head *head,
                               struct error *error)
{
	char ids[3][ID_TEXT_MAX];
	id_text(ids[0], head->sink_id);
	id_text(ids[1], head->state_id);
	id_text(ids[2], head->batch_id);
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_append_string(&sql, "DELETE FROM rowsieve_head") != RESULT_OK ||
	    append_where_table(session, &sql, table) != RESULT_OK ||
	    buffer_printf(&sql,
	                  " AND sink_id='%s' AND state_id='%s' AND batch_id='%s' AND epoch=%" PRIu64
	                  " AND seq=%" PRIu64,
	                  ids[0], ids[1], ids[2], head->epoch, head->seq) != RESULT_OK)
		return sql_no_memory(error);
	uint64_t changed = 0;
	enum result result = mysql_session_run(session, sql_text(&sql), &changed, error);
	if (result == RESULT_OK && changed != 1)
		return error_set(error, RESULT_DISAGREES, "%s: its head was changed meanwhile",
		                 session->place);
	return result;
}

enum result mysql_head_replace(struct mysql_session *session, const struct sink_adoption *adoption,
                               struct error *error)
{
	enum result result = RESULT_OK;
	if (adoption->before != NULL)
		result = remove_head(session, adoption->table, adoption->before, error);
	if (result == RESULT_OK)
		result = insert(session, adoption->table, adoption->after, false, error);
	if (result != RESULT_REFUSED)
		return result;
	return error_set(error, RESULT_DISAGREES, "%s: a head was made for it meanwhile", session->place);
}

enum result mysql_head_add_to_ledger(struct mysql_session *session, const char *table,
                                     const struct sink_head *after, int64_t rows, struct error *error)
{
	char id[ID_TEXT_MAX];
	id_text(id, after->batch_id);
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_printf(
		&sql,
		"INSERT INTO rowsieve_ledger(seq, batch_id, row_count, committed_at, table_name, dataset) "
		"VALUES (%" PRIu64 ",'%s',%" PRId64 ",UTC_TIMESTAMP(6),",
		after->seq, id, rows) != RESULT_OK ||
	    mysql_session_append_text(session, &sql, slice_from_string(table)) != RESULT_OK ||
	    buffer_append(&sql, ",", 1) != RESULT_OK ||
	    mysql_session_append_text(session, &sql, slice_from_string(after->dataset)) != RESULT_OK ||
	    buffer_append(&sql, ")", 1) != RESULT_OK)
		return sql_no_memory(error);
	return mysql_session_run(session, sql_text(&sql), NULL, error);
}

enum result mysql_head_sum_ledger(struct mysql_session *session, const char *table,
                                  struct sink_ledger *ledger, struct error *error)
{
	CLEANUP_ROWS MYSQL_RES *rows = NULL;
	CLEANUP_BUFFER struct buffer sql = {0};
	*ledger = (struct sink_ledger){0};
	if (buffer_append_string(&sql, "SELECT COUNT(*), COALESCE(MAX(seq), 0), COALESCE(SUM(row_count), 0) "
	                               "FROM rowsieve_ledger") != RESULT_OK ||
	    append_where_table(session, &sql, table) != RESULT_OK)
		return sql_no_memory(error);
	enum result result = mysql_session_query(session, sql_text(&sql), &rows, error);
	if (result != RESULT_OK)
		return result;
	MYSQL_ROW row = mysql_fetch_row(rows);
	if (row == NULL)
		return mysql_session_fail(session, error);
	ledger->batches = strtoull(row[0], NULL, 10);
	ledger->last_seq = strtoull(row[1], NULL, 10);
	ledger->rows = strtoll(row[2], NULL, 10);
	return RESULT_OK;
}
