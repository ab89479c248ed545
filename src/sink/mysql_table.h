// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_MYSQL_TABLE_H
#define ROWSIEVE_SINK_MYSQL_TABLE_H

#include "schema/schema.h"
#include "sink/mysql_session.h"

/* Tables as the server knows them, and their DDL. What the server refuses here is RESULT_CONFIG. */

/* RESULT_CONFIG when there is something under that name which knows no transactions. */
enum result mysql_table_find(struct mysql_session *session, const char *table, bool *found,
                             struct error *error) WARN_UNUSED;

enum result mysql_table_has_rows(struct mysql_session *session, const char *table, bool *has_rows,
                                 struct error *error) WARN_UNUSED;

/* Makes rowsieve_head and rowsieve_ledger where they are missing. */
enum result mysql_table_make_own(struct mysql_session *session, struct error *error) WARN_UNUSED;

/* Makes the table; one that exists must have every column of the schema. */
enum result mysql_table_ensure(struct mysql_session *session, const char *table, const struct schema *schema,
                               struct error *error) WARN_UNUSED;

/* Adds the columns that the table lacks, and widens those that hold less. */
enum result mysql_table_add_columns(struct mysql_session *session, const char *table,
                                    const struct schema *schema, struct error *error) WARN_UNUSED;

/* What sink.h says of explain(). */
enum result mysql_table_explain(struct mysql_session *session, const char *table, const struct schema *schema,
                                struct buffer *out, struct error *error) WARN_UNUSED;

#endif
