// SPDX-License-Identifier: Apache-2.0
#include "sink/mysql_sink.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sink/mysql_head.h"
#include "sink/mysql_load.h"
#include "sink/mysql_rows.h"
#include "sink/mysql_scan.h"
#include "sink/mysql_session.h"
#include "sink/mysql_table.h"
#include "sink/sift.h"
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

static enum result inspect_connected(struct mysql_session *session, const char *table,
                                     struct sink_presence *presence, struct error *error)
{
	enum result result = mysql_head_read(session, table, &presence->has_head, &presence->head, error);
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
		result = mysql_rows_check_key(session, table, schema, error);
	if (result == RESULT_OK)
		result = mysql_head_ensure(session, table, head, error);
	return sql_in_table(result, table, error);
}

static enum result add_columns(struct sink *sink, const char *table, const struct schema *schema,
                               struct error *error)
{
	struct mysql_session *session = session_of(sink);
	enum result result = check_connected(session, error);
	if (result == RESULT_OK)
		result = mysql_table_add_columns(session, table, schema, error);
	if (result == RESULT_OK)
		result = mysql_rows_check_key(session, table, schema, error);
	return sql_in_table(result, table, error);
}

static enum result explain(struct sink *sink, const char *table, const struct schema *schema,
                           struct buffer *out, struct error *error)
{
	struct mysql_session *session = session_of(sink);
	enum result result = check_connected(session, error);
	if (result == RESULT_OK)
		result = mysql_table_explain(session, table, schema, out, error);
	return sql_in_table(result, table, error);
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
		result = mysql_head_judge(session, table, sink_id, state_id, error);
	if (result == RESULT_OK)
		result = mysql_head_read(session, table, &found, head, error);
	if (result == RESULT_OK && !found)
		result = error_set(error, RESULT_DISAGREES, "%s: its head has gone", session->place);
	if (result == RESULT_OK)
		result = commit(session, RESULT_UNREACHABLE, error);
	else
		mysql_session_rollback(session);
	return sql_in_table(result, table, error);
}

static enum result begin(struct mysql_session *session, const struct sink_batch *batch, struct error *error)
{
	enum result result = mysql_rows_prepare(session, batch, error);
	if (result == RESULT_OK)
		result = mysql_session_run(session, SLICE("START TRANSACTION"), NULL, error);
	return result;
}

/* Somebody has emptied the table since it was looked at last. */
static enum result demand_rows(struct mysql_session *session, const char *table, struct error *error)
{
	bool found = false;
	enum result result = mysql_table_has_rows(session, table, &found, error);
	if (result == RESULT_OK && !found)
		return sql_emptied(error);
	return result;
}

static enum result store(struct sink *sink, const struct sink_batch *batch, struct error *error)
{
	struct mysql_session *session = session_of(sink);
	enum result result = begin(session, batch, error);
	if (result == RESULT_OK)
		result = mysql_head_advance(session, batch, error);
	if (result == RESULT_OK && batch->expects_rows)
		result = demand_rows(session, batch->table, error);
	if (result == RESULT_OK)
		result = mysql_rows_store(session, batch, error);
	struct sink_head after = sql_head_after(batch);
	if (result == RESULT_OK)
		result =
		    mysql_head_add_to_ledger(session, batch->table, &after, sql_row_change(batch), error);
	if (result == RESULT_OK)
		result = sql_await_commit(batch, error);
	if (result == RESULT_OK)
		result = commit(session, RESULT_UNKNOWN, error);
	else
		mysql_session_rollback(session);
	return sql_in_table(result, batch->table, error);
}

static enum result sift_mark(void *session, struct error *error)
{
	return mysql_session_run(session, SLICE("SAVEPOINT sift"), NULL, error);
}

static enum result sift_insert(void *session, const struct sink_batch *part, struct error *error)
{
	return mysql_rows_store(session, part, error);
}

static enum result sift_undo(void *session, struct error *error)
{
	return mysql_session_run(session, SLICE("ROLLBACK TO SAVEPOINT sift"), NULL, error);
}

static enum result sift(struct sink *sink, const struct sink_sifting *sifting, struct error *error)
{
	static const struct sift_steps steps = {sift_mark, sift_insert, sift_undo};
	struct mysql_session *session = session_of(sink);
	enum result result = begin(session, sifting->batch, error);
	if (result == RESULT_OK)
		result = sift_rows(&steps, session, sifting, error);
	mysql_session_rollback(session);
	return sql_in_table(result, sifting->batch->table, error);
}

static enum result fence(struct sink *sink, const char *table, struct sink_presence *presence,
                         struct error *error)
{
	struct mysql_session *session = session_of(sink);
	*presence = (struct sink_presence){0};
	enum result result = mysql_session_run(session, SLICE("START TRANSACTION"), NULL, error);
	if (result == RESULT_OK)
		result = mysql_head_fence(session, table, error);
	if (result == RESULT_OK)
		result = inspect_connected(session, table, presence, error);
	if (result == RESULT_OK)
		result = commit(session, RESULT_UNREACHABLE, error);
	else
		mysql_session_rollback(session);
	return sql_in_table(result, table, error);
}

static enum result ledger(struct sink *sink, const char *table, struct sink_ledger *out, struct error *error)
{
	struct mysql_session *session = session_of(sink);
	enum result result = check_connected(session, error);
	if (result == RESULT_OK)
		result = mysql_head_sum_ledger(session, table, out, error);
	return sql_in_table(result, table, error);
}

static enum result adopt(struct sink *sink, const struct sink_adoption *adoption, struct error *error)
{
	struct mysql_session *session = session_of(sink);
	enum result result = mysql_session_run(session, SLICE("START TRANSACTION"), NULL, error);
	if (result == RESULT_OK)
		result = mysql_head_replace(session, adoption, error);
	if (result == RESULT_OK)
		result = mysql_head_add_to_ledger(session, adoption->table, adoption->after,
		                                  adoption->row_change, error);
	if (result == RESULT_OK)
		result = commit(session, RESULT_UNKNOWN, error);
	else
		mysql_session_rollback(session);
	return sql_in_table(result, adoption->table, error);
}

static enum result describe(struct sink *sink, const char *table, struct schema **schema, struct error *error)
{
	struct mysql_session *session = session_of(sink);
	enum result result = check_connected(session, error);
	if (result == RESULT_OK)
		result = mysql_scan_describe(session, table, schema, error);
	return sql_in_table(result, table, error);
}

static enum result scan(struct sink *sink, const struct sink_scan *what, struct error *error)
{
	struct mysql_session *session = session_of(sink);
	enum result result = check_connected(session, error);
	if (result == RESULT_OK)
		result = mysql_scan_rows(session, what, error);
	return sql_in_table(result, what->table, error);
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
