// SPDX-License-Identifier: Apache-2.0
#include "sink/sql.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "schema/row.h"

enum result sql_no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

enum result sql_in_table(enum result result, const char *table, struct error *error)
{
	if (result != RESULT_OK && error != NULL)
		error_wrap(error, "table '%s'", table);
	return result;
}

struct slice sql_text(const struct buffer *sql)
{
	return (struct slice){sql->data, sql->length};
}

enum result sql_append_identifier(struct buffer *sql, const char *name, char quote)
{
	size_t length = strlen(name);
	if (buffer_reserve(sql, 2 * length + 2) != RESULT_OK)
		return RESULT_NO_MEMORY;
	char *out = sql->data + sql->length;
	*out++ = quote;
	for (size_t i = 0; i < length; i++) {
		if (name[i] == quote)
			*out++ = quote;
		*out++ = name[i];
	}
	*out++ = quote;
	sql->length = (size_t)(out - sql->data);
	return RESULT_OK;
}

enum result sql_append_columns(struct buffer *sql, const struct schema *schema, char quote)
{
	for (size_t i = 0; i < schema->count; i++) {
		if (i > 0 && buffer_append(sql, ",", 1) != RESULT_OK)
			return RESULT_NO_MEMORY;
		if (sql_append_identifier(sql, schema->columns[i].name, quote) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return RESULT_OK;
}

bool sql_is_keyed(const struct schema *schema)
{
	for (size_t i = 0; i < schema->count; i++)
		if (schema->columns[i].is_key)
			return true;
	return false;
}

enum result sql_append_key(struct buffer *sql, const struct schema *schema, char quote)
{
	const char *separator = "";
	for (size_t i = 0; i < schema->count; i++) {
		if (!schema->columns[i].is_key)
			continue;
		if (buffer_append_string(sql, separator) != RESULT_OK ||
		    sql_append_identifier(sql, schema->columns[i].name, quote) != RESULT_OK)
			return RESULT_NO_MEMORY;
		separator = ",";
	}
	return RESULT_OK;
}

enum result sql_append_assignments(struct buffer *sql, const struct schema *schema, const char *source,
                                   char quote)
{
	const char *separator = "";
	for (size_t i = 0; i < schema->count; i++) {
		const char *name = schema->columns[i].name;
		if (schema->columns[i].is_key)
			continue;
		if (buffer_append_string(sql, separator) != RESULT_OK ||
		    sql_append_identifier(sql, name, quote) != RESULT_OK ||
		    buffer_printf(sql, " = %s.", source) != RESULT_OK ||
		    sql_append_identifier(sql, name, quote) != RESULT_OK)
			return RESULT_NO_MEMORY;
		separator = ",";
	}
	return RESULT_OK;
}

struct sink_batch sql_new_rows(const struct sink_batch *batch)
{
	struct sink_batch part = *batch;
	part.row_count -= batch->update_count;
	part.update_count = 0;
	return part;
}

struct sink_batch sql_updates(const struct sink_batch *batch)
{
	struct sink_batch part = *batch;
	part.rows += batch->row_count - batch->update_count;
	part.row_count = batch->update_count;
	return part;
}

enum result sql_await_commit(const struct sink_batch *batch, struct error *error)
{
	return batch->may_commit == NULL ? RESULT_OK : batch->may_commit(batch->context, error);
}

int64_t sql_row_change(const struct sink_batch *batch)
{
	return (int64_t)(batch->row_count - batch->update_count);
}

enum result sql_no_key(const struct schema *schema, const char *table, const char *reason,
                       struct error *error)
{
	CLEANUP_BUFFER struct buffer columns = {0};
	for (size_t i = 0; i < schema->count; i++) {
		const char *name = schema->columns[i].name;
		if (schema->columns[i].is_key &&
		    buffer_printf(&columns, "%s%s", columns.length > 0 ? ", " : "", name) != RESULT_OK)
			return sql_no_memory(error);
	}
	error_set(error, RESULT_CONFIG, "rows cannot be told by their key: %s", reason);
	error_hint(error, "CREATE UNIQUE INDEX %s_key ON %s (%.*s), and no other unique index", table, table,
	           (int)columns.length, columns.data);
	return RESULT_CONFIG;
}

void sql_find_changes(struct sql_change *changes, const struct schema *schema, const struct schema *present)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct schema_column *column = &schema->columns[i];
		const struct schema_column *found = schema_find(present, column->name);
		changes[i] = (struct sql_change){.kind = SQL_CHANGE_ADD, .type = column->type};
		if (found == NULL)
			continue;
		changes[i].type = found->type;
		changes[i].kind =
		    type_widen(&changes[i].type, &column->type) ? SQL_CHANGE_WIDEN : SQL_CHANGE_NONE;
	}
}

enum result sql_append_insert(struct buffer *sql, const char *table, const struct schema *schema, char quote)
{
	if (buffer_append_string(sql, "INSERT INTO ") != RESULT_OK ||
	    sql_append_identifier(sql, table, quote) != RESULT_OK ||
	    buffer_append(sql, "(", 1) != RESULT_OK || sql_append_columns(sql, schema, quote) != RESULT_OK ||
	    buffer_append_string(sql, ") VALUES (?") != RESULT_OK)
		return RESULT_NO_MEMORY;
	for (size_t i = 1; i < schema->count; i++)
		if (buffer_append(sql, ",?", 2) != RESULT_OK)
			return RESULT_NO_MEMORY;
	return buffer_append_string(sql, ");\n");
}

enum result sql_check_table(const char *table, struct error *error)
{
	if (table[0] == '\0')
		return error_set(error, RESULT_CONFIG, "a table needs a name");
	if (strcasecmp(table, "rowsieve_head") == 0 || strcasecmp(table, "rowsieve_ledger") == 0)
		return error_set(error, RESULT_CONFIG, "table '%s' is the program's own", table);
	return RESULT_OK;
}

static bool parse_number(uint64_t *number, const char *text)
{
	if (text == NULL || text[0] < '0' || text[0] > '9')
		return false;
	char *end = NULL;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

bool sql_parse_head(struct sink_head *head, const char *const values[SQL_HEAD_COLUMN_COUNT])
{
	*head = (struct sink_head){0};
	if (values[0] == NULL || strlen(values[0]) > SCHEMA_NAME_MAX)
		return false;
	strcpy(head->dataset, values[0]);
	struct id *ids[] = {&head->sink_id, &head->state_id, &head->secret_check, &head->fingerprint};
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		if (values[i + 1] == NULL || !id_parse(ids[i], values[i + 1]))
			return false;
	}
	return parse_number(&head->epoch, values[5]) && parse_number(&head->seq, values[6]) &&
	       values[7] != NULL && id_parse(&head->batch_id, values[7]);
}

bool sql_same_head(const struct sink_head *a, const struct sink_head *b)
{
	return strcmp(a->dataset, b->dataset) == 0 && id_equal(a->sink_id, b->sink_id) &&
	       id_equal(a->state_id, b->state_id) && id_equal(a->secret_check, b->secret_check) &&
	       id_equal(a->fingerprint, b->fingerprint);
}

struct sink_head sql_head_after(const struct sink_batch *batch)
{
	struct sink_head after = *batch->head;
	after.seq++;
	after.batch_id = batch->batch_id;
	return after;
}

enum result sql_append_scan(struct buffer *sql, const struct sink_scan *scan, char quote)
{
	if (buffer_append_string(sql, "SELECT ") != RESULT_OK ||
	    sql_append_columns(sql, scan->schema, quote) != RESULT_OK ||
	    buffer_append_string(sql, " FROM ") != RESULT_OK ||
	    sql_append_identifier(sql, scan->table, quote) != RESULT_OK)
		return RESULT_NO_MEMORY;
	return buffer_append(sql, "", 1);
}

enum result sql_emptied(struct error *error)
{
	return error_set(error, RESULT_DISAGREES, "it held rows and is empty now");
}

enum result sql_no_table(struct error *error)
{
	return error_set(error, RESULT_CONFIG, "there is no such table");
}

bool sql_cells(struct slice *cells, const struct schema *schema, struct slice row)
{
	size_t column = 0;
	size_t position = 0;
	struct row_cell cell;
	while (row_next(row, &position, &cell)) {
		while (column < schema->count && schema->columns[column].ordinal < cell.ordinal)
			cells[column++] = (struct slice){NULL, 0};
		if (column == schema->count || schema->columns[column].ordinal != cell.ordinal)
			return false;
		cells[column++] = cell.text.length > 0 ? cell.text : SLICE("");
	}
	while (column < schema->count)
		cells[column++] = (struct slice){NULL, 0};
	return position == row.length;
}
