// SPDX-License-Identifier: Apache-2.0
#include "sink/mysql_insert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/sql.h"

enum { STATEMENT_SIZE = 1 << 20, PACKET_MARGIN = 64 };

/* One statement under way. */
struct insert {
	const struct sink_batch *batch;
	struct slice *cells;
	struct buffer sql;
	size_t head_length; /* of "INSERT INTO … VALUES " */
	size_t first;       /* row of the batch that is the statement's first */
	size_t count;       /* rows in it */
};

static enum result append_head(struct insert *insert)
{
	struct buffer *sql = &insert->sql;
	if (buffer_append_string(sql, "INSERT INTO ") != RESULT_OK ||
	    sql_append_identifier(sql, insert->batch->table, '`') != RESULT_OK ||
	    buffer_append(sql, "(", 1) != RESULT_OK ||
	    sql_append_columns(sql, insert->batch->schema, '`') != RESULT_OK ||
	    buffer_append_string(sql, ") VALUES ") != RESULT_OK)
		return RESULT_NO_MEMORY;
	insert->head_length = sql->length;
	return RESULT_OK;
}

static enum result append_row(struct mysql_session *session, struct insert *insert)
{
	struct buffer *sql = &insert->sql;
	if (insert->count > 0 && buffer_append(sql, ",", 1) != RESULT_OK)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < insert->batch->schema->count; i++) {
		if (buffer_append(sql, i == 0 ? "(" : ",", 1) != RESULT_OK)
			return RESULT_NO_MEMORY;
		enum result result = insert->cells[i].data == NULL
		                         ? buffer_append_string(sql, "NULL")
		                         : mysql_session_append_text(session, sql, insert->cells[i]);
		if (result != RESULT_OK)
			return result;
	}
	return buffer_append(sql, ")", 1);
}

static enum result check_stored(struct mysql_session *session, const struct insert *insert, uint64_t stored,
                                struct error *error)
{
	if (stored == insert->count && mysql_warning_count(session->handle) == 0)
		return RESULT_OK;
	char where[96];
	snprintf(where, sizeof where, "in rows %zu to %zu of the batch", insert->first + 1,
	         insert->first + insert->count);
	return mysql_session_refuse_warnings(session, where, error);
}

static enum result send_statement(struct mysql_session *session, const struct insert *insert, size_t length,
                                  struct error *error)
{
	if (length > session->packet_limit - PACKET_MARGIN)
		return error_set(error, RESULT_REFUSED,
		                 "%s: row %zu of the batch does not fit the server's max_allowed_packet",
		                 session->place, insert->first + 1);
	uint64_t stored = 0;
	enum result result =
	    mysql_session_run(session, (struct slice){insert->sql.data, length}, &stored, error);
	if (result == RESULT_OK)
		result = check_stored(session, insert, stored, error);
	return result;
}

/* The row that starts at `start`, behind its comma, becomes the first of the next statement. */
static void begin_with_last(struct insert *insert, size_t start, size_t row)
{
	struct buffer *sql = &insert->sql;
	size_t length = sql->length - start - 1;
	memmove(sql->data + insert->head_length, sql->data + start + 1, length);
	sql->length = insert->head_length + length;
	insert->first = row;
	insert->count = 0;
}

static enum result insert_all(struct mysql_session *session, struct insert *insert, struct error *error)
{
	const struct sink_batch *batch = insert->batch;
	size_t limit = session->packet_limit - PACKET_MARGIN;
	if (limit > STATEMENT_SIZE)
		limit = STATEMENT_SIZE;
	if (append_head(insert) != RESULT_OK)
		return sql_no_memory(error);
	for (size_t row = 0; row < batch->row_count; row++) {
		size_t start = insert->sql.length;
		if (!sql_cells(insert->cells, batch->schema, batch->rows[row]))
			return error_set(error, RESULT_REFUSED,
			                 "row %zu of the batch does not fit its schema", row + 1);
		if (append_row(session, insert) != RESULT_OK)
			return sql_no_memory(error);
		if (insert->sql.length > limit && insert->count > 0) {
			enum result result = send_statement(session, insert, start, error);
			if (result != RESULT_OK)
				return result;
			begin_with_last(insert, start, row);
		}
		insert->count++;
	}
	return send_statement(session, insert, insert->sql.length, error);
}

enum result mysql_insert_rows(struct mysql_session *session, const struct sink_batch *batch,
                              struct error *error)
{
	if (session->handle == NULL)
		return error_set(error, RESULT_UNREACHABLE, "%s: not connected", session->place);
	struct insert insert = {.batch = batch,
	                        .cells = calloc(batch->schema->count + 1, sizeof *insert.cells)};
	if (insert.cells == NULL)
		return sql_no_memory(error);
	enum result result = insert_all(session, &insert, error);
	buffer_free(&insert.sql);
	free(insert.cells);
	return result;
}
