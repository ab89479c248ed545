// SPDX-License-Identifier: Apache-2.0
#include "sink/sqlite_table.h"

#include <stdlib.h>

#include "sink/sql.h"
#include "sink/sqlite_scan.h"

static void free_schema(struct schema **schema)
{
	schema_free(*schema);
}

/* TEXT affinity keeps decimals exactly as they are; ISO dates look like no number, so the affinity of DATE
 * leaves them alone. */
static const char *column_type(const struct type *type)
{
	switch (type->kind) {
	case TYPE_INTEGER:
		return " INTEGER";
	case TYPE_DATE:
		return " DATE";
	case TYPE_DATETIME:
		return " DATETIME";
	case TYPE_REAL:
		return " REAL";
	case TYPE_BOOLEAN:
		return " BOOLEAN";
	case TYPE_TEXT:
	case TYPE_DECIMAL:
		break;
	}
	return " TEXT";
}

static enum result append_column(struct buffer *sql, const char *name, const struct type *type)
{
	if (sql_append_identifier(sql, name, '"') != RESULT_OK)
		return RESULT_NO_MEMORY;
	return buffer_append_string(sql, column_type(type));
}

enum result sqlite_table_append_create(const char *table, const struct schema *schema, struct buffer *sql)
{
	if (buffer_append_string(sql, "CREATE TABLE ") != RESULT_OK ||
	    sql_append_identifier(sql, table, '"') != RESULT_OK)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < schema->count; i++) {
		const struct schema_column *column = &schema->columns[i];
		if (buffer_append(sql, i == 0 ? "(" : ",", 1) != RESULT_OK ||
		    append_column(sql, column->name, &column->type) != RESULT_OK ||
		    (column->is_key && buffer_append_string(sql, " NOT NULL") != RESULT_OK))
			return RESULT_NO_MEMORY;
	}
	if (sql_is_keyed(schema) &&
	    (buffer_append_string(sql, ",PRIMARY KEY (") != RESULT_OK ||
	     sql_append_key(sql, schema, '"') != RESULT_OK || buffer_append(sql, ")", 1) != RESULT_OK))
		return RESULT_NO_MEMORY;
	return buffer_append_string(sql, ");\n");
}

enum result sqlite_table_make(struct sqlite_database *database, const char *table,
                              const struct schema *schema, struct error *error)
{
	CLEANUP_BUFFER struct buffer sql = {0};
	if (sqlite_table_append_create(table, schema, &sql) != RESULT_OK)
		return sql_no_memory(error);
	return sqlite_database_run_all(database, sql_text(&sql), error);
}

/* Starts "ALTER TABLE <table> <what>". */
static enum result append_alter(struct buffer *sql, const char *table, const char *what)
{
	if (buffer_append_string(sql, "ALTER TABLE ") != RESULT_OK ||
	    sql_append_identifier(sql, table, '"') != RESULT_OK)
		return RESULT_NO_MEMORY;
	return buffer_append_string(sql, what);
}

static enum result append_add(struct buffer *sql, const char *table, const char *name,
                              const struct type *type)
{
	if (append_alter(sql, table, " ADD COLUMN ") != RESULT_OK ||
	    append_column(sql, name, type) != RESULT_OK)
		return RESULT_NO_MEMORY;
	return buffer_append_string(sql, ";\n");
}

/* SQLite cannot change the type of a column, and its affinity would turn digits into a double: the values move
 * to a new one, which gets the name. It is the last of the table then. */
static enum result append_widening(struct buffer *sql, const char *table, const char *name,
                                   const struct type *type)
{
	static const char wider[] = "rowsieve_wider";
	if (append_add(sql, table, wider, type) != RESULT_OK ||
	    buffer_append_string(sql, "UPDATE ") != RESULT_OK ||
	    sql_append_identifier(sql, table, '"') != RESULT_OK ||
	    buffer_printf(sql, " SET %s = CAST(", wider) != RESULT_OK ||
	    sql_append_identifier(sql, name, '"') != RESULT_OK ||
	    buffer_append_string(sql, " AS TEXT);\n") != RESULT_OK ||
	    append_alter(sql, table, " DROP COLUMN ") != RESULT_OK ||
	    sql_append_identifier(sql, name, '"') != RESULT_OK ||
	    buffer_append_string(sql, ";\n") != RESULT_OK ||
	    append_alter(sql, table, " RENAME COLUMN ") != RESULT_OK ||
	    buffer_printf(sql, "%s TO ", wider) != RESULT_OK ||
	    sql_append_identifier(sql, name, '"') != RESULT_OK)
		return RESULT_NO_MEMORY;
	return buffer_append_string(sql, ";\n");
}

static enum result find_changes(struct sqlite_database *database, const char *table,
                                const struct schema *schema, struct sql_change *changes, struct error *error)
{
	CLEANUP(free_schema) struct schema *present = NULL;
	enum result result = sqlite_scan_describe(database, table, &present, error);
	if (result == RESULT_OK)
		sql_find_changes(changes, schema, present);
	return result;
}

enum result sqlite_table_demand(struct sqlite_database *database, const char *table,
                                const struct schema *schema, struct error *error)
{
	CLEANUP_FREE struct sql_change *changes = calloc(schema->count + 1, sizeof *changes);
	if (changes == NULL)
		return sql_no_memory(error);
	enum result result = find_changes(database, table, schema, changes, error);
	for (size_t i = 0; result == RESULT_OK && i < schema->count; i++) {
		if (changes[i].kind == SQL_CHANGE_ADD)
			result = error_set(error, RESULT_CONFIG, "it exists in '%s' and has no column '%s'",
			                   database->path, schema->columns[i].name);
	}
	return result;
}

enum result sqlite_table_append_changes(struct sqlite_database *database, const char *table,
                                        const struct schema *schema, struct buffer *sql, struct error *error)
{
	CLEANUP_FREE struct sql_change *changes = calloc(schema->count + 1, sizeof *changes);
	if (changes == NULL)
		return sql_no_memory(error);
	enum result result = find_changes(database, table, schema, changes, error);
	for (size_t i = 0; result == RESULT_OK && i < schema->count; i++) {
		const char *name = schema->columns[i].name;
		if (changes[i].kind == SQL_CHANGE_ADD)
			result = append_add(sql, table, name, &changes[i].type);
		else if (changes[i].kind == SQL_CHANGE_WIDEN)
			result = append_widening(sql, table, name, &changes[i].type);
		if (result == RESULT_NO_MEMORY)
			return sql_no_memory(error);
	}
	return result;
}
