// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_DATASET_H
#define ROWSIEVE_INGEST_DATASET_H

#include <stdbool.h>

#include "ingest/batch.h"
#include "schema/row.h"
#include "schema/schema.h"
#include "sink/sink.h"
#include "source/dialect.h"
#include "state_batch.h"

/* A dataset as the configuration describes it. Borrowed; must outlive the engine. */
struct dataset_options {
	const char *name;
	const char *table;
	const char *const *files; /* fnmatch patterns */
	size_t file_count;
	struct dialect dialect;
	struct schema_spec spec;
	enum batch_on_change on_change; /* where spec has a key */
};

/*
 * A dataset at work: what the state remembers of it, its frozen schema, and where its table stands.
 * Everything here can be had again from state and sink; after any failure it is thrown away and read anew.
 */
struct dataset {
	struct dataset_options options; /* names point to `record` for a dataset made by a file's name */
	struct state_dataset
	    record;            /* as last committed to the state; id 0 while it has never been written */
	struct schema *schema; /* frozen; of no columns before the first member */
	struct sink_head head; /* as judged on this connection */
	bool is_judged;
	bool promotion_due; /* the pending record's COMMIT was confirmed; the next transaction promotes it */
	char newest[STATE_WATERMARK_MAX + 1]; /* of the watermark's column, where record knows another one */
	uint64_t
	    updated_seq; /* last confirmed batch that changed the row of a key, where record lags behind */
	int64_t contacted_ns; /* when state and table were last seen to agree */
	uint8_t row_key[ROW_KEY_SIZE];
	struct id fingerprint;
	struct id
	    reading; /* fingerprint of everything that decides what becomes of a file: what was read under
	                    * another one is read again */
};

/* Reads the dataset from the state; one that the state does not know is new. */
enum result dataset_open(struct dataset **out, struct state *state, const struct dataset_options *options,
                         struct error *error) WARN_UNUSED;
void dataset_close(struct dataset *dataset); /* NULL is fine */

/* Reads record and schema from the state again, and forgets the judgement. */
enum result dataset_reload(struct dataset *dataset, struct state *state, struct error *error) WARN_UNUSED;

/* Does the configuration still mean what the rows were stored under? RESULT_DISAGREES, with how many rows would look
 * new and the command, when not. */
enum result dataset_check_configuration(const struct dataset *dataset, const char *sink_kind,
                                        struct error *error) WARN_UNUSED;

/*
 * First contact (I6): state and table must agree about who feeds the table and about the last batch. A
 * pending batch is judged: promoted when the table has it, discarded when it has not. A dataset without a
 * frozen schema has no table to agree with yet. RESULT_DISAGREES names the command that settles it. Cheap
 * when it was done a moment ago on the same connection.
 */
enum result dataset_contact(struct dataset *dataset, struct state *state, struct sink *sink,
                            struct error *error) WARN_UNUSED;

/*
 * Freezes `schema` as the dataset's next version: announced in the state, then made true in the table. Takes
 * ownership of the schema. No batch may be open. What a crash cuts off is made true by the next contact.
 */
enum result dataset_freeze(struct dataset *dataset, struct schema *schema, struct state *state,
                           struct sink *sink, struct error *error) WARN_UNUSED;

/* Makes the pending batch live, in that transaction, and reads what it leaves of the record. */
void dataset_promote(const struct dataset *dataset, struct state_txn *txn, struct state_dataset *record);

/* The head that this state would make for the dataset: with the record's sink_id, and before any batch. */
struct sink_head dataset_head(const struct dataset *dataset, const struct state *state);

/* A failure of the state as this program's error; context says what was being done. */
enum result dataset_state_error(struct error *error, const struct state_error *failure, const char *context);

#endif
