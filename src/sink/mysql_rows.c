// SPDX-License-Identifier: Apache-2.0
#include "sink/mysql_rows.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sink/mysql_insert.h"
#include "sink/mysql_load.h"
#include "sink/sql.h"

#define UPDATES "rowsieve_updates"

enum result mysql_rows_prepare(struct mysql_session *session, const struct sink_batch *batch,
                               struct error *error)
{
	if (batch->update_count == 0)
		return RESULT_OK;
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_append_string(&sql, "CREATE TEMPORARY TABLE " UPDATES " LIKE ") != RESULT_OK ||
	    sql_append_identifier(&sql, batch->table, '`') != RESULT_OK)
		return sql_no_memory(error);
	enum result result =
	    mysql_session_run(session, SLICE("DROP TEMPORARY TABLE IF EXISTS " UPDATES), NULL, error);
	return result == RESULT_OK ? mysql_session_run(session, sql_text(&sql), NULL, error) : result;
}

static enum result insert(struct mysql_session *session, const struct sink_batch *batch, struct error *error)
{
	if (batch->row_count == 0)
		return RESULT_OK;
	return session->local_infile ? mysql_load_rows(session, batch, error)
	                             : mysql_insert_rows(session, batch, error);
}

static enum result append_upsert(struct buffer *sql, const struct sink_batch *batch)
{
	if (buffer_append_string(sql, "INSERT INTO ") != RESULT_OK ||
	    sql_append_identifier(sql, batch->table, '`') != RESULT_OK ||
	    buffer_append(sql, "(", 1) != RESULT_OK ||
	    sql_append_columns(sql, batch->schema, '`') != RESULT_OK ||
	    buffer_append_string(sql, ") SELECT ") != RESULT_OK ||
	    sql_append_columns(sql, batch->schema, '`') != RESULT_OK ||
	    buffer_append_string(sql, " FROM " UPDATES " ON DUPLICATE KEY UPDATE ") != RESULT_OK)
		return RESULT_NO_MEMORY;
	return sql_append_assignments(sql, batch->schema, UPDATES, '`');
}

/* "Records: 3  Duplicates: 2  Warnings: 0", in the server's language: the first is what was selected. */
static enum result check_selected(struct mysql_session *session, size_t expected, struct error *error)
{
	const char *info = mysql_info(session->handle);
	if (info == NULL || strtoull(info + strcspn(info, "0123456789"), NULL, 10) != expected)
		return error_set(error, RESULT_REFUSED, "%s: of %zu rows to change, the server says '%s'",
		                 session->place, expected, info != NULL ? info : "nothing");
	return RESULT_OK;
}

static enum result update(struct mysql_session *session, const struct sink_batch *batch, struct error *error)
{
	if (batch->row_count == 0)
		return RESULT_OK;
	CLEANUP_BUFFER struct buffer sql = {0};
	if (append_upsert(&sql, batch) != RESULT_OK)
		return sql_no_memory(error);
	struct sink_batch staged = *batch;
	staged.table = UPDATES;
	enum result result = mysql_session_run(session, SLICE("DELETE FROM " UPDATES), NULL, error);
	if (result == RESULT_OK)
		result = insert(session, &staged, error);
	if (result == RESULT_OK)
		result = mysql_session_run(session, sql_text(&sql), NULL, error);
	return result == RESULT_OK ? check_selected(session, batch->row_count, error) : result;
}

enum result mysql_rows_store(struct mysql_session *session, const struct sink_batch *batch,
                             struct error *error)
{
	struct sink_batch new_rows = sql_new_rows(batch);
	struct sink_batch updates = sql_updates(batch);
	enum result result = insert(session, &new_rows, error);
	return result == RESULT_OK ? update(session, &updates, error) : result;
}

static const struct schema_column *find_key(const struct schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->count; i++)
		if (schema->columns[i].is_key && strcasecmp(schema->columns[i].name, name) == 0)
			return &schema->columns[i];
	return NULL;
}

/* Columns of the table's unique indexes: the index, the column, the length of its prefix, its collation. */
static enum result read_indexes(struct mysql_session *session, const char *table, MYSQL_RES **rows,
                                struct error *error)
{
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_append_string(&sql,
	                         "SELECT s.INDEX_NAME, s.COLUMN_NAME, s.SUB_PART, c.COLLATION_NAME "
	                         "FROM information_schema.STATISTICS s JOIN information_schema.COLUMNS c "
	                         "ON c.TABLE_SCHEMA = s.TABLE_SCHEMA AND c.TABLE_NAME = s.TABLE_NAME "
	                         "AND c.COLUMN_NAME = s.COLUMN_NAME WHERE s.NON_UNIQUE = 0 "
	                         "AND s.TABLE_SCHEMA = DATABASE() AND s.TABLE_NAME = ") != RESULT_OK ||
	    mysql_session_append_text(session, &sql, slice_from_string(table)) != RESULT_OK)
		return sql_no_memory(error);
	return mysql_session_query(session, sql_text(&sql), rows, error);
}

static bool is_exact(const char *collation)
{
	static const char *const exact[] = {"utf8mb4_nopad_bin", "utf8mb4_0900_bin", "binary"};
	for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++)
		if (strcmp(collation, exact[i]) == 0)
			return true;
	return false;
}

static const char *find_fault(MYSQL_RES *rows, const struct schema *schema)
{
	char index[SCHEMA_NAME_MAX + 1] = "";
	size_t found = 0;
	size_t wanted = 0;
	for (size_t i = 0; i < schema->count; i++)
		wanted += schema->columns[i].is_key;
	for (MYSQL_ROW row = mysql_fetch_row(rows); row != NULL; row = mysql_fetch_row(rows)) {
		const struct schema_column *column = find_key(schema, row[1]);
		if (index[0] == '\0')
			strncpy(index, row[0], SCHEMA_NAME_MAX);
		if (strncmp(index, row[0], SCHEMA_NAME_MAX) != 0)
			return "it has more than one unique index";
		if (column == NULL || row[2] != NULL)
			return "its unique index is over other columns, or over parts of them";
		if (column->type.kind == TYPE_TEXT && row[3] != NULL && !is_exact(row[3]))
			return "a column of the key has a collation that takes different keys for the same";
		found++;
	}
	return found == wanted ? NULL : "it has no unique index over the columns of the key";
}

enum result mysql_rows_check_key(struct mysql_session *session, const char *table,
                                 const struct schema *schema, struct error *error)
{
	if (!sql_is_keyed(schema))
		return RESULT_OK;
	CLEANUP_ROWS MYSQL_RES *rows = NULL;
	enum result result = read_indexes(session, table, &rows, error);
	if (result != RESULT_OK)
		return result;
	const char *fault = find_fault(rows, schema);
	return fault == NULL ? RESULT_OK : sql_no_key(schema, table, fault, error);
}
