// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_SQLITE_TABLE_H
#define ROWSIEVE_SINK_SQLITE_TABLE_H

#include "schema/schema.h"
#include "sink/sqlite_database.h"

/* Tables of rows in SQLite, and their DDL. Statements are ended by ";\n". */

/* Appends the statement that makes the table. */
enum result sqlite_table_append_create(const char *table, const struct schema *schema,
                                       struct buffer *sql) WARN_UNUSED;
enum result sqlite_table_make(struct sqlite_database *database, const char *table,
                              const struct schema *schema, struct error *error) WARN_UNUSED;

/* RESULT_CONFIG: the table, which exists, lacks a column of the schema. */
enum result sqlite_table_demand(struct sqlite_database *database, const char *table,
                                const struct schema *schema, struct error *error) WARN_UNUSED;

/* Appends the statements that add the columns the table lacks and widen those that hold less. */
enum result sqlite_table_append_changes(struct sqlite_database *database, const char *table,
                                        const struct schema *schema, struct buffer *sql,
                                        struct error *error) WARN_UNUSED;

#endif
