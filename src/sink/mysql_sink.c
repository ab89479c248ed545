// SPDX-License-Identifier: Apache-2.0
#include "sink/mysql_sink.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sink/mysql_insert.h"
#include "sink/mysql_load.h"
#include "sink/mysql_session.h"
#include "sink/mysql_table.h"
#include "sink/sql.h"

struct mysql_sink {
	struct sink base;
	struct mysql_session session;
};

static struct mysql_session *session_of(struct sink *sink)
{
	return &((struct mysql_sink *)sink)->session;
}

static enum result check_connected(struct mysql_session *session, struct error *error)
{
	if (session->handle == NULL)
		return error_set(error, RESULT_UNREACHABLE, "%s: not connected", session->place);
	return RESULT_OK;
}

static enum result connect_anew(struct mysql_session *session, struct error *error)
{
	enum result result = mysql_session_connect(session, error);
	if (result == RESULT_OK)
		result = mysql_load_probe(session, error);
	return result;
}

static enum result sink_connect(struct sink *sink, struct error *error)
{
	struct mysql_session *session = session_of(sink);
	enum result result = RESULT_OK;
	/* Also asks the server whether it is still there. */
	mysql_session_rollback(session);
	if (session->handle == NULL)
		result = connect_anew(session, error);
	if (result == RESULT_OK)
		result = mysql_table_make_own(session, error);
	return result;
}

/* Appends " WHERE table_name='…'". */
static enum result append_where_table(struct mysql_session *session, struct buffer *sql, const char *table)
{
	if (buffer_append_string(sql, " WHERE table_name=") != RESULT_OK)
		return RESULT_NO_MEMORY;
	return mysql_session_append_text(session, sql, slice_from_string(table));
}

static enum result read_head(struct mysql_session *session, const char *table, bool *found,
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

static enum result inspect_connected(struct mysql_session *session, const char *table,
                                     struct sink_presence *presence, struct error *error)
{
	enum result result = read_head(session, table, &presence->has_head, &presence->head, error);
	if (result == RESULT_OK)
		result = mysql_table_find(session, table, &presence->has_table, error);
	if (result == RESULT_OK && presence->has_table)
		result = mysql_table_has_rows(session, table, &presence->has_rows, error);
	return result;
}

static enum result inspect(struct sink *sink, const char *table, struct sink_presence *presence,
                           struct error *error)
{
	struct mysql_session *session = session_of(sink);
	*presence = (struct sink_presence){0};
	enum result result = check_connected(session, error);
	if (result == RESULT_OK)
		result = inspect_connected(session, table, presence, error);
	return sql_in_table(result, table, error);
}

/* Leaves a head that is there already as it is. */
static enum result insert_head(struct mysql_session *session, const char *table, const struct sink_head *head,
                               struct error *error)
{
	char ids[4][ID_TEXT_MAX];
	char none[ID_TEXT_MAX];
	id_text(ids[0], head->sink_id);
	id_text(ids[1], head->state_id);
	id_text(ids[2], head->secret_check);
	id_text(ids[3], head->fingerprint);
	id_text(none, (struct id){0});
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_append_string(&sql, "INSERT INTO rowsieve_head(table_name, " SQL_HEAD_COLUMNS
	                               ") VALUES (") != RESULT_OK ||
	    mysql_session_append_text(session, &sql, slice_from_string(table)) != RESULT_OK ||
	    buffer_append(&sql, ",", 1) != RESULT_OK ||
	    mysql_session_append_text(session, &sql, slice_from_string(head->dataset)) != RESULT_OK ||
	    buffer_printf(
		&sql,
		",'%s','%s','%s','%s',0,0,'%s') ON DUPLICATE KEY UPDATE rowsieve_head.seq=rowsieve_head.seq",
		ids[0], ids[1], ids[2], ids[3], none) != RESULT_OK)
		return sql_no_memory(error);
	return mysql_session_run(session, sql_text(&sql), NULL, error);
}

static enum result ensure_head(struct mysql_session *session, const char *table, const struct sink_head *head,
                               struct error *error)
{
	bool found = false;
	struct sink_head present;
	enum result result = insert_head(session, table, head, error);
	if (result == RESULT_OK)
		result = read_head(session, table, &found, &present, error);
	if (result == RESULT_OK && (!found || !sql_same_head(&present, head)))
		return error_set(error, RESULT_DISAGREES, "%s: rowsieve_head holds another head for it",
		                 session->place);
	return result;
}

static enum result create(struct sink *sink, const char *table, const struct schema *schema,
                          const struct sink_head *head, struct error *error)
{
	struct mysql_session *session = session_of(sink);
	enum result result = sql_check_table(table, error);
	if (result == RESULT_OK)
		result = check_connected(session, error);
	if (result == RESULT_OK)
		result = mysql_table_ensure(session, table, schema, error);
	if (result == RESULT_OK)
		result = ensure_head(session, table, head, error);
	return sql_in_table(result, table, error);
}

static enum result add_columns(struct sink *sink, const char *table, const struct schema *schema,
                               struct error *error)
{
	struct mysql_session *session = session_of(sink);
	enum result result = check_connected(session, error);
	if (result == RESULT_OK)
		result = mysql_table_add_columns(session, table, schema, error);
	return sql_in_table(result, table, error);
}

static enum result raise_epoch(struct mysql_session *session, const char *table, struct id sink_id,
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

/* Sends COMMIT; whatever answers it but a yes leaves the outcome open. */
static enum result commit(struct mysql_session *session, enum result otherwise, struct error *error)
{
	if (mysql_session_run(session, SLICE("COMMIT"), NULL, error) == RESULT_OK)
		return RESULT_OK;
	mysql_session_close(session);
	if (error != NULL)
		error->result = otherwise;
	return otherwise;
}

static enum result judge(struct sink *sink, const char *table, struct id sink_id, struct id state_id,
                         struct sink_head *head, struct error *error)
{
	struct mysql_session *session = session_of(sink);
	bool found = false;
	enum result result = mysql_session_run(session, SLICE("START TRANSACTION"), NULL, error);
	if (result == RESULT_OK)
		result = raise_epoch(session, table, sink_id, state_id, error);
	if (result == RESULT_OK)
		result = read_head(session, table, &found, head, error);
	if (result == RESULT_OK && !found)
		result = error_set(error, RESULT_DISAGREES, "%s: its head has gone", session->place);
	if (result == RESULT_OK)
		result = commit(session, RESULT_UNREACHABLE, error);
	else
		mysql_session_rollback(session);
	return sql_in_table(result, table, error);
}

static enum result advance_head(struct mysql_session *session, const struct sink_batch *batch,
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

static enum result insert_ledger(struct mysql_session *session, const struct sink_batch *batch,
                                 struct error *error)
{
	char id[ID_TEXT_MAX];
	id_text(id, batch->batch_id);
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_printf(
		&sql,
		"INSERT INTO rowsieve_ledger(seq, batch_id, row_count, committed_at, table_name, dataset) "
		"VALUES (%" PRIu64 ",'%s',%zu,UTC_TIMESTAMP(6),",
		batch->head->seq + 1, id, batch->row_count) != RESULT_OK ||
	    mysql_session_append_text(session, &sql, slice_from_string(batch->table)) != RESULT_OK ||
	    buffer_append(&sql, ",", 1) != RESULT_OK ||
	    mysql_session_append_text(session, &sql, slice_from_string(batch->head->dataset)) != RESULT_OK ||
	    buffer_append(&sql, ")", 1) != RESULT_OK)
		return sql_no_memory(error);
	return mysql_session_run(session, sql_text(&sql), NULL, error);
}

static enum result store(struct sink *sink, const struct sink_batch *batch, struct error *error)
{
	struct mysql_session *session = session_of(sink);
	enum result result = mysql_session_run(session, SLICE("START TRANSACTION"), NULL, error);
	if (result == RESULT_OK)
		result = advance_head(session, batch, error);
	if (result == RESULT_OK && batch->row_count > 0)
		result = session->local_infile ? mysql_load_rows(session, batch, error)
		                               : mysql_insert_rows(session, batch, error);
	if (result == RESULT_OK)
		result = insert_ledger(session, batch, error);
	if (result == RESULT_OK)
		result = commit(session, RESULT_UNKNOWN, error);
	else
		mysql_session_rollback(session);
	return sql_in_table(result, batch->table, error);
}

static void sink_close(struct sink *sink)
{
	if (sink == NULL)
		return;
	mysql_session_free(session_of(sink));
	free(sink);
}

enum result mysql_sink_open(struct sink **out, const struct mysql_sink_options *options, struct error *error)
{
	static const struct sink_interface interface = {
	    .kind = "mysql",
	    .connect = sink_connect,
	    .inspect = inspect,
	    .create = create,
	    .add_columns = add_columns,
	    .judge = judge,
	    .store = store,
	    .close = sink_close,
	};
	struct mysql_sink *sink = calloc(1, sizeof *sink);
	if (sink == NULL)
		return sql_no_memory(error);
	sink->base.interface = &interface;
	enum result result = mysql_session_init(&sink->session, options, error);
	if (result != RESULT_OK) {
		sink_close(&sink->base);
		return result;
	}
	*out = &sink->base;
	return RESULT_OK;
}
