// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_TESTS_SINK_PROPERTIES_H
#define ROWSIEVE_TESTS_SINK_PROPERTIES_H

#include "sink/sink.h"

/* What every table sink promises. Each property is given a sink that is open on an empty database. */
struct sink_fixture {
	struct sink *sink;
	/* Another connection's view: rows as mariadb_server_query() gives them; the caller frees it. */
	char *(*query)(void *reader, const char *sql);
	void *reader;
};

/* X(property) for each: void sink_properties_<property>(struct sink_fixture *). */
#define SINK_PROPERTIES(X)                                                                                   \
	X(create_makes_table_and_head_once)                                                                  \
	X(create_leaves_another_head_alone)                                                                  \
	X(create_refuses_our_own_table_names)                                                                \
	X(names_are_quoted)                                                                                  \
	X(a_batch_moves_head_and_ledger)                                                                     \
	X(a_batch_is_committed_only_when_it_may_be)                                                          \
	X(a_batch_on_another_head_leaves_nothing)                                                            \
	X(judging_shuts_out_the_old_epoch)                                                                   \
	X(judging_without_our_head_disagrees)                                                                \
	X(texts_come_back_exactly)                                                                           \
	X(typed_values_come_back_exactly)                                                                    \
	X(scanned_rows_are_the_rows_that_were_stored)                                                        \
	X(a_scan_ends_with_what_its_reader_says)                                                             \
	X(a_described_table_reads_as_it_was_stored)                                                          \
	X(a_fence_shuts_out_whoever_feeds_the_table)                                                         \
	X(an_adopted_table_has_a_new_head_and_a_true_ledger)                                                 \
	X(a_head_that_moved_is_not_adopted)                                                                  \
	X(a_table_of_one_text_column_keeps_empty_and_null)                                                   \
	X(columns_are_added_once)                                                                            \
	X(columns_become_wider_and_keep_their_values)                                                        \
	X(rows_without_a_head_are_reported)                                                                  \
	X(an_existing_table_must_have_the_columns)                                                           \
	X(a_refused_row_takes_its_batch_along)                                                               \
	X(a_row_of_another_schema_is_refused)                                                                \
	X(fifty_thousand_rows_arrive)

#define SINK_PROPERTIES_DECLARE(property) void sink_properties_##property(struct sink_fixture *fixture);
SINK_PROPERTIES(SINK_PROPERTIES_DECLARE)

/* The schema (id integer, name text). */
extern const struct schema sink_properties_schema;

/* A canonical row of schema->count values, NULL for a missing one; free its data. */
struct slice sink_properties_row(const struct schema *schema, const char *const *values);
void sink_properties_free_rows(struct slice *rows, size_t count);

/* Connects, makes the table of the schema and judges its head. */
void sink_properties_begin(struct sink_fixture *fixture, const char *table, const struct schema *schema,
                           struct sink_head *head);

/* Stores the rows as the next batch behind the head, which is not moved on. Its batch_id is
 * sink_properties_batch. */
extern const struct id sink_properties_batch;
enum result sink_properties_store(struct sink_fixture *fixture, const char *table,
                                  const struct schema *schema, const struct sink_head *head,
                                  const struct slice *rows, size_t count, struct error *error);

/* Fails the test unless these are the query's rows. */
void sink_properties_expect(struct sink_fixture *fixture, const char *sql, const char *rows);

#endif
