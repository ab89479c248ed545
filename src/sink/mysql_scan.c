// SPDX-License-Identifier: Apache-2.0
#include "sink/mysql_scan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "schema/stored.h"
#include "sink/sql.h"

static void free_schema(struct schema **schema)
{
	schema_free(*schema);
}

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names != NULL && strcmp(name, *names) != 0)
		names++;
	return *names != NULL;
}

static unsigned number_of(const char *text)
{
	unsigned long number = text == NULL ? 0 : strtoul(text, NULL, 10);
	return number > UINT32_MAX ? 0 : (unsigned)number;
}

/* A row of information_schema: DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE, CHARACTER_MAXIMUM_LENGTH. */
static struct type type_of(const char *const row[4])
{
	static const char *const integers[] = {"tinyint", "smallint", "mediumint", "int",
	                                       "bigint",  "year",     NULL};
	static const char *const reals[] = {"float", "double", NULL};
	static const char *const moments[] = {"datetime", "timestamp", NULL};
	struct type type = {.kind = TYPE_TEXT};
	unsigned precision = number_of(row[1]);
	unsigned scale = number_of(row[2]);
	if (is_one_of(row[0], integers))
		type.kind = TYPE_INTEGER;
	else if (is_one_of(row[0], moments))
		type.kind = TYPE_DATETIME;
	else if (strcmp(row[0], "date") == 0)
		type.kind = TYPE_DATE;
	else if (is_one_of(row[0], reals))
		type.kind = TYPE_REAL;
	else if (strcmp(row[0], "decimal") == 0 && precision <= TYPE_PRECISION_MAX && scale <= TYPE_SCALE_MAX)
		type = (struct type){
		    .kind = TYPE_DECIMAL, .precision = (uint16_t)precision, .scale = (uint16_t)scale};
	else if (strcmp(row[0], "varchar") == 0)
		type.length = number_of(row[3]);
	return type;
}

enum result mysql_scan_describe(struct mysql_session *session, const char *table, struct schema **out,
                                struct error *error)
{
	CLEANUP_ROWS MYSQL_RES *rows = NULL;
	CLEANUP_BUFFER struct buffer sql = {0};
	CLEANUP(free_schema) struct schema *schema = schema_new();
	if (schema == NULL ||
	    buffer_append_string(&sql,
	                         "SELECT COLUMN_NAME, LOWER(DATA_TYPE), NUMERIC_PRECISION, NUMERIC_SCALE, "
	                         "CHARACTER_MAXIMUM_LENGTH FROM information_schema.COLUMNS "
	                         "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ") != RESULT_OK ||
	    mysql_session_append_text(session, &sql, slice_from_string(table)) != RESULT_OK ||
	    buffer_append_string(&sql, " ORDER BY ORDINAL_POSITION") != RESULT_OK)
		return sql_no_memory(error);
	enum result result = mysql_session_query(session, sql_text(&sql), &rows, error);
	if (result != RESULT_OK)
		return result;
	for (MYSQL_ROW row = mysql_fetch_row(rows); row != NULL; row = mysql_fetch_row(rows)) {
		struct type type = type_of((const char *const *)row + 1);
		if (stored_add_column(schema, row[0], &type) != RESULT_OK)
			return sql_no_memory(error);
	}
	if (schema->count == 0)
		return sql_no_table(error);
	*out = STEAL(schema);
	return RESULT_OK;
}

static enum result take_rows(MYSQL_RES *rows, const struct sink_scan *scan, struct slice *cells,
                             struct error *error)
{
	MYSQL_ROW row;
	while ((row = mysql_fetch_row(rows)) != NULL) {
		const unsigned long *lengths = mysql_fetch_lengths(rows);
		for (size_t i = 0; i < scan->schema->count; i++)
			cells[i] = (struct slice){row[i], row[i] == NULL ? 0 : lengths[i]};
		enum result result = scan->row(scan->context, cells, error);
		if (result != RESULT_OK)
			return result;
	}
	return RESULT_OK;
}

enum result mysql_scan_rows(struct mysql_session *session, const struct sink_scan *scan, struct error *error)
{
	CLEANUP_BUFFER struct buffer sql = {0};
	CLEANUP_FREE struct slice *cells = calloc(scan->schema->count + 1, sizeof *cells);
	if (cells == NULL || sql_append_scan(&sql, scan, '`') != RESULT_OK)
		return sql_no_memory(error);
	sql.length--; /* without the NUL */
	enum result result = mysql_session_run(session, sql_text(&sql), NULL, error);
	if (result != RESULT_OK)
		return result;
	MYSQL_RES *rows = mysql_use_result(session->handle);
	if (rows == NULL)
		return mysql_session_fail(session, error);
	result = take_rows(rows, scan, cells, error);
	/* Freeing a result reads what is left of it: of one that was given up that may be long. */
	if (result != RESULT_OK)
		shutdown(session->handle->net.fd, SHUT_RDWR);
	mysql_free_result(rows);
	if (result != RESULT_OK)
		mysql_session_close(session);
	else if (mysql_errno(session->handle) != 0)
		return mysql_session_fail(session, error);
	return result;
}
