// SPDX-License-Identifier: Apache-2.0
#include "sink/mysql_table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sink/mysql_scan.h"
#include "sink/sql.h"

enum {
	VARCHAR_MAX = 16383, /* characters of utf8mb4 in 65535 bytes */
	COLLATION_MAX = 64,
};

static void free_schema(struct schema **schema)
{
	schema_free(*schema);
}

/* No other batch would make the server change its mind. */
static enum result run_ddl(struct mysql_session *session, struct slice sql, struct error *error)
{
	enum result result = mysql_session_run(session, sql, NULL, error);
	if (result != RESULT_REFUSED)
		return result;
	if (error != NULL)
		error->result = RESULT_CONFIG;
	return RESULT_CONFIG;
}

/* A query that ends in a table's name. */
static enum result query_by_name(struct mysql_session *session, const char *query, const char *table,
                                 MYSQL_RES **rows, struct error *error)
{
	if (session->handle == NULL)
		return error_set(error, RESULT_UNREACHABLE, "%s: not connected", session->place);
	CLEANUP_BUFFER struct buffer sql = {0};
	if (buffer_append_string(&sql, query) != RESULT_OK ||
	    mysql_session_append_text(session, &sql, slice_from_string(table)) != RESULT_OK)
		return sql_no_memory(error);
	return mysql_session_query(session, sql_text(&sql), rows, error);
}

enum result mysql_table_find(struct mysql_session *session, const char *table, bool *found,
                             struct error *error)
{
	CLEANUP_ROWS MYSQL_RES *rows = NULL;
	enum result result = query_by_name(session,
	                                   "SELECT t.ENGINE, e.TRANSACTIONS FROM information_schema.TABLES t "
	                                   "LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE "
	                                   "WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_NAME = ",
	                                   table, &rows, error);
	if (result != RESULT_OK)
		return result;
	MYSQL_ROW row = mysql_fetch_row(rows);
	*found = row != NULL;
	if (row == NULL || (row[1] != NULL && strcmp(row[1], "YES") == 0))
		return RESULT_OK;
	if (row[0] == NULL)
		return error_set(error, RESULT_CONFIG, "%s: it is a view or damaged", session->place);
	error_set(error, RESULT_CONFIG, "%s: its engine %s knows no transactions", session->place, row[0]);
	error_hint(error, "ALTER TABLE `%s` ENGINE=InnoDB", table);
	return RESULT_CONFIG;
}

enum result mysql_table_has_rows(struct mysql_session *session, const char *table, bool *has_rows,
                                 struct error *error)
{
	CLEANUP_BUFFER struct buffer sql = {0};
	CLEANUP_ROWS MYSQL_RES *rows = NULL;
	if (buffer_append_string(&sql, "SELECT 1 FROM ") != RESULT_OK ||
	    sql_append_identifier(&sql, table, '`') != RESULT_OK ||
	    buffer_append_string(&sql, " LIMIT 1") != RESULT_OK)
		return sql_no_memory(error);
	enum result result = mysql_session_query(session, sql_text(&sql), &rows, error);
	if (result == RESULT_OK)
		*has_rows = mysql_num_rows(rows) > 0;
	return result;
}

static enum result make_own(struct mysql_session *session, const char *table, struct slice ddl,
                            struct error *error)
{
	bool found = false;
	/* Looked at first: a user who may not CREATE can still use what another one has made. */
	enum result result = mysql_table_find(session, table, &found, error);
	if (result == RESULT_OK && !found)
		result = run_ddl(session, ddl, error);
	return sql_in_table(result, table, error);
}

#define NAME_TYPE "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"
#define ID_TYPE "CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL"
#define COUNT_TYPE "BIGINT UNSIGNED NOT NULL"

enum result mysql_table_make_own(struct mysql_session *session, struct error *error)
{
	enum result result =
	    make_own(session, "rowsieve_head",
	             SLICE("CREATE TABLE IF NOT EXISTS rowsieve_head ("
	                   "table_name " NAME_TYPE " PRIMARY KEY, dataset " NAME_TYPE ", sink_id " ID_TYPE
	                   ", state_id " ID_TYPE ", secret_check " ID_TYPE ", fingerprint " ID_TYPE
	                   ", epoch " COUNT_TYPE ", seq " COUNT_TYPE ", batch_id " ID_TYPE ") ENGINE=InnoDB"),
	             error);
	if (result == RESULT_OK)
		result = make_own(session, "rowsieve_ledger",
		                  SLICE("CREATE TABLE IF NOT EXISTS rowsieve_ledger ("
		                        "table_name " NAME_TYPE ", seq " COUNT_TYPE ", batch_id " ID_TYPE
		                        ", dataset " NAME_TYPE
		                        ", row_count BIGINT NOT NULL, committed_at DATETIME(6) NOT NULL, "
		                        "PRIMARY KEY (table_name, seq)"
		                        ") ENGINE=InnoDB"),
		                  error);
	return result;
}

#define PADDING_COLLATION "utf8mb4_bin"

/* Texts that differ in trailing blanks only are different rows, so a collation without padding where there is
 * one. */
static enum result find_collation(struct mysql_session *session, char collation[COLLATION_MAX],
                                  struct error *error)
{
	CLEANUP_ROWS MYSQL_RES *rows = NULL;
	enum result result = mysql_session_query(
	    session,
	    SLICE("SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME IN "
	          "('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') ORDER BY COLLATION_NAME DESC LIMIT 1"),
	    &rows, error);
	if (result != RESULT_OK)
		return result;
	MYSQL_ROW row = mysql_fetch_row(rows);
	const char *name =
	    row == NULL || row[0] == NULL || strlen(row[0]) >= COLLATION_MAX ? PADDING_COLLATION : row[0];
	strcpy(collation, name);
	return RESULT_OK;
}

static enum result append_type(struct buffer *sql, const struct type *type, const char *collation)
{
	switch (type->kind) {
	case TYPE_INTEGER:
		return buffer_append_string(sql, "BIGINT");
	case TYPE_DECIMAL:
		return buffer_printf(sql, "DECIMAL(%d,%d)",
		                     type->precision == 0 ? TYPE_PRECISION_USUAL : type->precision,
		                     type->scale);
	case TYPE_DATE:
		return buffer_append_string(sql, "DATE");
	case TYPE_DATETIME:
		return buffer_append_string(sql, "DATETIME(6)");
	case TYPE_REAL:
		return buffer_append_string(sql, "DOUBLE");
	case TYPE_BOOLEAN:
		return buffer_append_string(sql, "BOOLEAN");
	case TYPE_TEXT:
		break;
	}
	if (type->length > 0 && type->length <= VARCHAR_MAX)
		return buffer_printf(sql, "VARCHAR(%u) CHARACTER SET utf8mb4 COLLATE %s", type->length,
		                     collation);
	return buffer_printf(sql, "LONGTEXT CHARACTER SET utf8mb4 COLLATE %s", collation);
}

/* A key must not be the same as another one that has a blank less: where every collation pads, bytes. */
static enum result append_key_type(struct buffer *sql, const struct type *type, const char *collation)
{
	bool is_text = type->kind == TYPE_TEXT;
	enum result result = is_text && strcmp(collation, PADDING_COLLATION) == 0
	                         ? buffer_printf(sql, "VARBINARY(%u)", 4 * type->length)
	                         : append_type(sql, type, collation);
	return result == RESULT_OK ? buffer_append_string(sql, " NOT NULL") : result;
}

static enum result append_column(struct buffer *sql, const struct schema_column *column,
                                 const char *collation)
{
	if (sql_append_identifier(sql, column->name, '`') != RESULT_OK ||
	    buffer_append(sql, " ", 1) != RESULT_OK)
		return RESULT_NO_MEMORY;
	return column->is_key ? append_key_type(sql, &column->type, collation)
	                      : append_type(sql, &column->type, collation);
}

static enum result append_create(struct buffer *sql, const char *table, const struct schema *schema,
                                 const char *collation)
{
	if (buffer_append_string(sql, "CREATE TABLE IF NOT EXISTS ") != RESULT_OK ||
	    sql_append_identifier(sql, table, '`') != RESULT_OK)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < schema->count; i++) {
		if (buffer_append(sql, i == 0 ? "(" : ",", 1) != RESULT_OK ||
		    append_column(sql, &schema->columns[i], collation) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	if (sql_is_keyed(schema) &&
	    (buffer_append_string(sql, ",PRIMARY KEY (") != RESULT_OK ||
	     sql_append_key(sql, schema, '`') != RESULT_OK || buffer_append(sql, ")", 1) != RESULT_OK))
		return RESULT_NO_MEMORY;
	return buffer_printf(sql, ") ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE %s", collation);
}

static enum result find_changes(struct mysql_session *session, const char *table, const struct schema *schema,
                                struct sql_change *changes, struct error *error)
{
	CLEANUP(free_schema) struct schema *present = NULL;
	enum result result = mysql_scan_describe(session, table, &present, error);
	if (result == RESULT_OK)
		sql_find_changes(changes, schema, present);
	return result;
}

static enum result append_changes(struct buffer *sql, const char *table, const struct schema *schema,
                                  const struct sql_change *changes, const char *collation)
{
	static const char *const verbs[] = {
	    [SQL_CHANGE_ADD] = "ADD COLUMN ", [SQL_CHANGE_WIDEN] = "MODIFY COLUMN "};
	const char *separator = " ";
	if (buffer_append_string(sql, "ALTER TABLE ") != RESULT_OK ||
	    sql_append_identifier(sql, table, '`') != RESULT_OK)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < schema->count; i++) {
		struct schema_column column = schema->columns[i];
		column.type = changes[i].type;
		if (changes[i].kind == SQL_CHANGE_NONE)
			continue;
		if (buffer_append_string(sql, separator) != RESULT_OK ||
		    buffer_append_string(sql, verbs[changes[i].kind]) != RESULT_OK ||
		    append_column(sql, &column, collation) != RESULT_OK)
			return RESULT_NO_MEMORY;
		separator = ", ";
	}
	return RESULT_OK;
}

/* Appends the statement that makes the table, where it was not found, or what the schema needs of it, if it
 * takes any. */
static enum result append_ddl(struct mysql_session *session, const char *table, const struct schema *schema,
                              bool found, struct buffer *sql, struct error *error)
{
	char collation[COLLATION_MAX];
	CLEANUP_FREE struct sql_change *changes = calloc(schema->count + 1, sizeof *changes);
	if (changes == NULL)
		return sql_no_memory(error);
	bool is_complete = true;
	enum result result = RESULT_OK;
	if (found)
		result = find_changes(session, table, schema, changes, error);
	for (size_t i = 0; i < schema->count; i++)
		is_complete &= changes[i].kind == SQL_CHANGE_NONE;
	if (result != RESULT_OK || (found && is_complete))
		return result;
	result = find_collation(session, collation, error);
	if (result != RESULT_OK)
		return result;
	result = found ? append_changes(sql, table, schema, changes, collation)
	               : append_create(sql, table, schema, collation);
	return result == RESULT_OK ? RESULT_OK : sql_no_memory(error);
}

static enum result demand_columns(struct mysql_session *session, const char *table,
                                  const struct schema *schema, struct error *error)
{
	CLEANUP_FREE struct sql_change *changes = calloc(schema->count + 1, sizeof *changes);
	if (changes == NULL)
		return sql_no_memory(error);
	enum result result = find_changes(session, table, schema, changes, error);
	for (size_t i = 0; result == RESULT_OK && i < schema->count; i++) {
		if (changes[i].kind == SQL_CHANGE_ADD)
			result = error_set(error, RESULT_CONFIG, "%s: it exists and has no column '%s'",
			                   session->place, schema->columns[i].name);
	}
	return result;
}

static enum result apply_ddl(struct mysql_session *session, const char *table, const struct schema *schema,
                             bool found, struct error *error)
{
	CLEANUP_BUFFER struct buffer sql = {0};
	enum result result = append_ddl(session, table, schema, found, &sql, error);
	return result == RESULT_OK && sql.length > 0 ? run_ddl(session, sql_text(&sql), error) : result;
}

enum result mysql_table_ensure(struct mysql_session *session, const char *table, const struct schema *schema,
                               struct error *error)
{
	bool found = false;
	enum result result = mysql_table_find(session, table, &found, error);
	if (result == RESULT_OK && !found)
		result = apply_ddl(session, table, schema, false, error);
	return result == RESULT_OK ? demand_columns(session, table, schema, error) : result;
}

enum result mysql_table_add_columns(struct mysql_session *session, const char *table,
                                    const struct schema *schema, struct error *error)
{
	return apply_ddl(session, table, schema, true, error);
}

enum result mysql_table_explain(struct mysql_session *session, const char *table, const struct schema *schema,
                                struct buffer *out, struct error *error)
{
	size_t before = out->length;
	bool found = false;
	enum result result = mysql_table_find(session, table, &found, error);
	if (result == RESULT_OK)
		result = append_ddl(session, table, schema, found, out, error);
	if (result != RESULT_OK)
		return result;
	if ((out->length > before && buffer_append_string(out, ";\n") != RESULT_OK) ||
	    sql_append_insert(out, table, schema, '`') != RESULT_OK)
		return sql_no_memory(error);
	return RESULT_OK;
}
