// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_SQL_H
#define ROWSIEVE_SINK_SQL_H

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "schema/schema.h"
#include "sink/sink.h"

/* What the SQL sinks have in common. */

#define CLEANUP_BUFFER CLEANUP(buffer_free)

/* RESULT_NO_MEMORY, with its message. */
enum result sql_no_memory(struct error *error);

/* Returns result, and puts the table's name before the message of a failure. */
enum result sql_in_table(enum result result, const char *table, struct error *error);

/* The bytes of a statement. */
struct slice sql_text(const struct buffer *sql);

/* The columns of rowsieve_head behind table_name, in the order of sql_parse_head(). Ids are 32 lower-case
 * digits. */
#define SQL_HEAD_COLUMNS "dataset, sink_id, state_id, secret_check, fingerprint, epoch, seq, batch_id"
enum { SQL_HEAD_COLUMN_COUNT = 8 };

/* Appends the name between two `quote` characters; those within it are doubled. */
enum result sql_append_identifier(struct buffer *sql, const char *name, char quote) WARN_UNUSED;

/* Appends the schema's column names, quoted, with commas between. */
enum result sql_append_columns(struct buffer *sql, const struct schema *schema, char quote) WARN_UNUSED;

/* What has to happen to a column of a table before it holds what the schema's does. */
struct sql_change {
	enum { SQL_CHANGE_NONE, SQL_CHANGE_ADD, SQL_CHANGE_WIDEN } kind;
	struct type type; /* it gets, where it is changed */
};

/* changes[schema->count], against the columns that the table has (sink.h, describe). */
void sql_find_changes(struct sql_change *changes, const struct schema *schema, const struct schema *present);

/* Appends "INSERT INTO table(columns) VALUES (?,...);\n". */
enum result sql_append_insert(struct buffer *sql, const char *table, const struct schema *schema,
                              char quote) WARN_UNUSED;

/* Does the schema have a key? */
bool sql_is_keyed(const struct schema *schema);

/* Appends the names of the key's columns, quoted, with commas between. */
enum result sql_append_key(struct buffer *sql, const struct schema *schema, char quote) WARN_UNUSED;

/* Appends "column = source.column" for every column beside the key, with commas between. */
enum result sql_append_assignments(struct buffer *sql, const struct schema *schema, const char *source,
                                   char quote) WARN_UNUSED;

/* The rows of a batch that are new, and those that are updates. */
struct sink_batch sql_new_rows(const struct sink_batch *batch);
struct sink_batch sql_updates(const struct sink_batch *batch);

/* What the batch's COMMIT waits for. */
enum result sql_await_commit(const struct sink_batch *batch, struct error *error);

/* By how much the batch changes the number of rows. */
int64_t sql_row_change(const struct sink_batch *batch);

/* RESULT_CONFIG, with what to do: the table has no index that tells rows by the schema's key, `reason` says
 * why. */
enum result sql_no_key(const struct schema *schema, const char *table, const char *reason,
                       struct error *error);

/* RESULT_CONFIG for a name that a table of ours cannot bear. */
enum result sql_check_table(const char *table, struct error *error) WARN_UNUSED;

/* False when a value is missing or is not what this program writes. */
bool sql_parse_head(struct sink_head *head, const char *const values[SQL_HEAD_COLUMN_COUNT]);

/* The same head, wherever it stands: everything but epoch, seq and batch_id. */
bool sql_same_head(const struct sink_head *a, const struct sink_head *b);

/* The head once the batch is stored. */
struct sink_head sql_head_after(const struct sink_batch *batch);

/* Appends the scan's SELECT, with a NUL behind it. */
enum result sql_append_scan(struct buffer *sql, const struct sink_scan *scan, char quote) WARN_UNUSED;

/* RESULT_DISAGREES: a table that held rows holds none. */
enum result sql_emptied(struct error *error);

/* RESULT_CONFIG: there is no table to describe or scan. */
enum result sql_no_table(struct error *error);

/*
 * Spreads a canonical row over cells[schema->count]; a missing value has data NULL, an empty one has not.
 * False when the bytes are no row of this schema. The cells point into the row.
 */
bool sql_cells(struct slice *cells, const struct schema *schema, struct slice row);

#endif
