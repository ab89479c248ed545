// SPDX-License-Identifier: Apache-2.0
#include "cli/preview.h"

#include <stdlib.h>
#include <string.h>

#include "schema/row.h"

static json_t *text_or_null(char mark)
{
	return mark == '\0' ? json_null() : json_stringn(&mark, 1);
}

static json_t *dialect_json(const struct dialect *dialect)
{
	static const struct {
		char mark;
		const char *word;
	} words[] = {{',', "comma"}, {';', "semicolon"}, {'\t', "tab"}, {'|', "pipe"}};
	static const char *const quotes[] = {[DIALECT_QUOTE_DOUBLE] = "double",
	                                     [DIALECT_QUOTE_SINGLE] = "single",
	                                     [DIALECT_QUOTE_NONE] = "none"};
	json_t *delimiter = NULL;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (words[i].mark == dialect->delimiter)
			delimiter = json_string(words[i].word);
	if (delimiter == NULL)
		delimiter = text_or_null(dialect->delimiter);
	return json_pack("{s:o, s:s, s:s, s:o, s:b, s:I, s:s}", "delimiter", delimiter, "quote",
	                 quotes[dialect->quote], "escape", dialect->escape != '\0' ? "backslash" : "none",
	                 "comment", text_or_null(dialect->comment), "header", !dialect->is_headerless,
	                 "skip_lines", (json_int_t)dialect->skip_lines, "encoding", dialect->encoding);
}

static json_t *columns_json(const struct schema *schema)
{
	json_t *columns = json_array();
	for (size_t i = 0; i < schema->count; i++) {
		const struct schema_column *column = &schema->columns[i];
		char type[TYPE_TEXT_MAX];
		type_text(type, &column->type);
		json_t *formats = json_array();
		for (size_t j = 0; j < column->format_count; j++)
			json_array_append_new(formats, json_string(column->formats[j]));
		json_array_append_new(columns,
		                      json_pack("{s:s, s:s, s:s, s:o}", "name", column->name, "source",
		                                column->source, "type", type, "formats", formats));
	}
	return columns;
}

/* As what the column holds, where JSON can say that and loses nothing. */
static json_t *cell_json(enum type_kind kind, struct slice text)
{
	if (kind == TYPE_BOOLEAN)
		return json_boolean(*text.data == '1');
	if (kind != TYPE_INTEGER)
		return json_stringn(text.data, text.length);
	char digits[TYPE_SCRATCH_SIZE] = "";
	memcpy(digits, text.data, text.length < sizeof digits ? text.length : sizeof digits - 1);
	return json_integer(strtoll(digits, NULL, 10));
}

static json_t *row_json(const struct schema *schema, struct slice row)
{
	json_t *cells = json_array();
	size_t position = 0;
	struct row_cell cell;
	bool has_cell = row_next(row, &position, &cell);
	for (size_t i = 0; i < schema->count; i++) {
		const struct schema_column *column = &schema->columns[i];
		if (!has_cell || cell.ordinal != column->ordinal) {
			json_array_append_new(cells, json_null());
			continue;
		}
		json_array_append_new(cells, cell_json(column->type.kind, cell.text));
		has_cell = row_next(row, &position, &cell);
	}
	return cells;
}

/* The statements, one an element; null when the sink cannot be asked. */
static json_t *sql_json(const struct ingest_preview *preview, struct sink *sink)
{
	struct buffer sql = {0};
	struct error ignored;
	enum result result = sink->interface->explain(sink, preview->table, preview->schema, &sql, &ignored);
	if (result != RESULT_OK) {
		buffer_free(&sql);
		return json_null();
	}
	json_t *statements = json_array();
	for (size_t at = 0; at < sql.length;) {
		const char *end = memmem(sql.data + at, sql.length - at, ";\n", 2);
		size_t length = end != NULL ? (size_t)(end - sql.data) - at : sql.length - at;
		json_array_append_new(statements, json_stringn(sql.data + at, length));
		at += length + 2;
	}
	buffer_free(&sql);
	return statements;
}

json_t *preview_json(const struct ingest_preview *preview, struct sink *sink)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < preview->row_count; i++)
		json_array_append_new(rows, row_json(preview->schema, preview->rows[i]));
	return json_pack("{s:s?, s:s, s:s, s:o, s:b, s:o, s:o, s:o}", "member", preview->member, "dataset",
	                 preview->dataset, "table", preview->table, "dialect", dialect_json(preview->dialect),
	                 "frozen", preview->schema->version != 0 && preview->frozen_version != 0, "columns",
	                 columns_json(preview->schema), "sql", sql_json(preview, sink), "sample", rows);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? text : "none";
}

static void print_columns(FILE *out, const json_t *columns)
{
	size_t index, widest = 0;
	json_t *column;
	json_array_foreach(columns, index, column)
	{
		size_t length = strlen(text_of(column, "name"));
		widest = length > widest ? length : widest;
	}
	json_array_foreach(columns, index, column)
	{
		const char *name = text_of(column, "name"), *source = text_of(column, "source");
		fprintf(out, "  %-*s  %s", (int)widest, name, text_of(column, "type"));
		if (strcmp(name, source) != 0)
			fprintf(out, "  from '%s'", source);
		fputc('\n', out);
	}
}

static void print_rows(FILE *out, const json_t *rows)
{
	size_t index;
	json_t *row;
	json_array_foreach(rows, index, row)
	{
		fputs("  ", out);
		json_dumpf(row, out, JSON_ENCODE_ANY);
		fputc('\n', out);
	}
}

void preview_print(FILE *out, const json_t *preview)
{
	const json_t *dialect = json_object_get(preview, "dialect");
	const json_t *sql = json_object_get(preview, "sql");
	fprintf(out, "dataset '%s', table '%s', %s\n", text_of(preview, "dataset"), text_of(preview, "table"),
	        json_is_true(json_object_get(preview, "frozen")) ? "known" : "new");
	fprintf(out, "delimiter %s, quote %s, escape %s, encoding %s, %s header\n",
	        text_of(dialect, "delimiter"), text_of(dialect, "quote"), text_of(dialect, "escape"),
	        text_of(dialect, "encoding"),
	        json_is_true(json_object_get(dialect, "header")) ? "with a" : "without a");
	fputs("\ncolumns:\n", out);
	print_columns(out, json_object_get(preview, "columns"));
	fputs("\nsql:\n", out);
	size_t index;
	json_t *statement;
	json_array_foreach(sql, index, statement) fprintf(out, "  %s;\n", json_string_value(statement));
	if (!json_is_array(sql))
		fputs("  not known: the sink cannot be reached\n", out);
	fputs("\nfirst rows:\n", out);
	print_rows(out, json_object_get(preview, "sample"));
}
