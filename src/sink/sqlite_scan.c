// SPDX-License-Identifier: Apache-2.0
#include "sink/sqlite_scan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "schema/number.h"
#include "schema/stored.h"
#include "sink/sql.h"

static void free_schema(struct schema **schema)
{
	schema_free(*schema);
}

/* By the name of the declared type, as SQLite itself chooses an affinity. */
static struct type type_of(const char *declared)
{
	static const struct {
		const char *part;
		struct type type;
	} known[] = {
	    {"INT", {.kind = TYPE_INTEGER}},        {"DATETIME", {.kind = TYPE_DATETIME}},
	    {"TIMESTAMP", {.kind = TYPE_DATETIME}}, {"DATE", {.kind = TYPE_DATE}},
	    {"REAL", {.kind = TYPE_REAL}},          {"FLOA", {.kind = TYPE_REAL}},
	    {"DOUB", {.kind = TYPE_REAL}},          {"BOOL", {.kind = TYPE_BOOLEAN}},
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (strcasestr(declared, known[i].part) != NULL)
			return known[i].type;
	}
	return (struct type){.kind = TYPE_TEXT};
}

enum result sqlite_scan_describe(struct sqlite_database *database, const char *table, struct schema **out,
                                 struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	CLEANUP(free_schema) struct schema *schema = schema_new();
	if (schema == NULL)
		return sql_no_memory(error);
	enum result result = sqlite_database_prepare_texts(
	    database, &statement, "SELECT name, type FROM pragma_table_info(?1)", &table, 1, error);
	bool row = result == RESULT_OK;
	while (row) {
		result = sqlite_database_step(database, statement, &row, error);
		if (!row)
			break;
		struct type type = type_of((const char *)sqlite3_column_text(statement, 1));
		if (stored_add_column(schema, (const char *)sqlite3_column_text(statement, 0), &type) !=
		    RESULT_OK)
			return sql_no_memory(error);
	}
	if (result == RESULT_OK && schema->count == 0)
		return sql_no_table(error);
	if (result == RESULT_OK)
		*out = STEAL(schema);
	return result;
}

/* Texts of the doubles of a row: SQLite's own would lose digits. */
typedef char real_text[NUMBER_REAL_MAX];

static enum result read_cells(struct sqlite_database *database, sqlite3_stmt *statement, struct slice *cells,
                              real_text *reals, size_t count, struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		int type = sqlite3_column_type(statement, (int)i);
		cells[i] = (struct slice){NULL, 0};
		if (type == SQLITE_NULL)
			continue;
		if (type == SQLITE_FLOAT) {
			double value = sqlite3_column_double(statement, (int)i);
			cells[i] = (struct slice){reals[i], number_real_text(reals[i], value)};
			continue;
		}
		cells[i].data = (const char *)sqlite3_column_text(statement, (int)i);
		cells[i].length = (size_t)sqlite3_column_bytes(statement, (int)i);
		if (cells[i].data == NULL && sqlite3_errcode(database->handle) == SQLITE_NOMEM)
			return sql_no_memory(error);
		if (cells[i].data == NULL) /* an empty blob */
			cells[i].data = "";
	}
	return RESULT_OK;
}

enum result sqlite_scan_rows(struct sqlite_database *database, const struct sink_scan *scan,
                             struct error *error)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	CLEANUP_BUFFER struct buffer sql = {0};
	CLEANUP_FREE struct slice *cells = calloc(scan->schema->count + 1, sizeof *cells);
	CLEANUP_FREE real_text *reals = calloc(scan->schema->count + 1, sizeof *reals);
	if (cells == NULL || reals == NULL || sql_append_scan(&sql, scan, '"') != RESULT_OK)
		return sql_no_memory(error);
	enum result result = sqlite_database_prepare(database, &statement, sql.data, error);
	bool row = result == RESULT_OK;
	while (row) {
		result = sqlite_database_step(database, statement, &row, error);
		if (!row)
			break;
		result = read_cells(database, statement, cells, reals, scan->schema->count, error);
		if (result == RESULT_OK)
			result = scan->row(scan->context, cells, error);
		row = result == RESULT_OK;
	}
	return result;
}
