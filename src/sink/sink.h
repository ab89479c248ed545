// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_SINK_H
#define ROWSIEVE_SINK_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/id.h"
#include "schema/schema.h"

/*
 * Where rows go. The sink's own database holds, beside the tables,
 *
 *   rowsieve_head    one row per table that says where it stands; changed by compare-and-swap in every batch
 *   rowsieve_ledger  one row per committed batch, for audit
 *
 * Every call returns one of: RESULT_OK; RESULT_UNREACHABLE (no answer and nothing was changed, or nothing can
 * be said yet: connect and ask again); RESULT_UNKNOWN (a COMMIT was sent without an answer: judge);
 * RESULT_REFUSED (the server says no and would again); RESULT_DISAGREES; RESULT_CONFIG (wrong password,
 * unknown database: a person must act); RESULT_NO_SPACE; RESULT_NO_MEMORY. Messages name the table and hold
 * the server's own words, never a password.
 *
 * A sink belongs to one thread at a time. After anything but RESULT_OK from store() or judge() the connection
 * may be gone: connect() again, which also makes sure that no transaction of ours is left open.
 */

struct sink;

/* One row of rowsieve_head. */
struct sink_head {
	char dataset[SCHEMA_NAME_MAX + 1];
	struct id
	    sink_id; /* random; made with the head: tells one database from another behind the same name */
	struct id state_id;     /* the state that feeds this table */
	struct id secret_check; /* tells a state whose secret is another one */
	struct id fingerprint;  /* identity fingerprint of the configuration */
	uint64_t epoch;         /* raised by every judgement: shuts out a COMMIT that arrives late */
	uint64_t seq;           /* last committed batch; 0 = none */
	struct id batch_id;     /* its id; none with seq 0 */
};

/* What stands under a table name. */
struct sink_presence {
	bool has_head;
	struct sink_head head; /* where has_head */
	bool has_table;
	bool has_rows; /* at least one row in the table */
};

/* One batch. Everything is borrowed for the call. */
struct sink_batch {
	const char *table;
	const struct schema *schema;
	const struct sink_head *head; /* the head as judged: sink_id, state_id, epoch, and the seq and
	                                 batch_id before this batch */
	struct id batch_id;           /* of this batch; its seq is head->seq + 1 */
	bool expects_rows;            /* rows were stored before: an empty table is RESULT_DISAGREES */
	const struct slice *rows;     /* canonical rows (schema/row.h), typed by the schema */
	size_t row_count;
	size_t update_count; /* so many of the rows, the last ones, take the place of the row with their key, or
	                        are new where there is none */
	/* What COMMIT has to wait for, when all else is done; NULL: nothing. Anything but RESULT_OK is store()'s result,
	 * after a rollback. */
	enum result (*may_commit)(void *context, struct error *error);
	void *context;
};

/* What rowsieve_ledger says of a table. */
struct sink_ledger {
	uint64_t batches;
	uint64_t last_seq; /* of its newest batch; 0 = none */
	int64_t rows;      /* sum of its row counts: what the table holds when nobody else writes to it */
};

/* A table taken over by this state (a rebuild). Everything is borrowed for the call. */
struct sink_adoption {
	const char *table;
	const struct sink_head *before; /* as fence() found it; NULL: there was none */
	const struct sink_head *after;  /* what it will be; its seq is higher than any that the ledger has */
	int64_t row_change;             /* what makes the sum of the ledger the number of rows in the table */
};

/* The search for the rows of a batch that the database refuses. */
struct sink_sifting {
	const struct sink_batch *batch;
	/* Called for each of them, in their order, with the database's words. */
	void (*refused)(void *context, size_t row, const char *message);
	void *context;
};

/* A look at every row of a table. */
struct sink_scan {
	const char *table;
	const struct schema *schema; /* the columns to read; the table must have them */
	/* Called for each row; its cells[schema->count] are what the database shows as text, and live for the
	 * call. A missing value has data NULL. Anything but RESULT_OK ends the scan with that result. */
	enum result (*row)(void *context, const struct slice *cells, struct error *error);
	void *context;
};

struct sink_interface {
	const char *kind; /* "sqlite", "mysql": stands in the state, so it never changes */

	/* Connects, or makes sure the connection is usable and idle, and that rowsieve_head and
	 * rowsieve_ledger exist. */
	enum result (*connect)(struct sink *sink, struct error *error);

	enum result (*inspect)(struct sink *sink, const char *table, struct sink_presence *presence,
	                       struct error *error);

	/*
	 * Makes the table where it is missing, and its head row: seq 0, epoch 0. A table that exists keeps
	 * its columns and must have every one of the schema's. Idempotent: called again after a crash it
	 * finds what it made. A head that exists is never changed (RESULT_DISAGREES when it is not the same
	 * head).
	 */
	enum result (*create)(struct sink *sink, const char *table, const struct schema *schema,
	                      const struct sink_head *head, struct error *error);

	/* Adds the schema's columns that the table lacks, and widens those that hold less (type_widen());
	 * idempotent, never inside a batch. */
	enum result (*add_columns)(struct sink *sink, const char *table, const struct schema *schema,
	                           struct error *error);

	/* Appends, for people, the statements that would make the table what the schema needs (none where it is),
	 * and the one by which a row goes in, each ended by ";\n". Changes nothing. */
	enum result (*explain)(struct sink *sink, const char *table, const struct schema *schema,
	                       struct buffer *out, struct error *error);

	/*
	 * The judgement: a committed write that raises the epoch of the head of (table, sink_id, state_id)
	 * and reads its seq and batch_id in the same transaction. It waits for a COMMIT that still runs on
	 * the server and shuts out any that arrives later. RESULT_DISAGREES when there is no such head row.
	 */
	enum result (*judge)(struct sink *sink, const char *table, struct id sink_id, struct id state_id,
	                     struct sink_head *head, struct error *error);

	/*
	 * One transaction: compare-and-swap of the head (RESULT_DISAGREES and a rollback when it is not
	 * exactly one row), the rows, the ledger row, COMMIT. RESULT_OK only when the COMMIT was confirmed;
	 * RESULT_UNKNOWN when it was sent and not confirmed; everything else, and whatever may_commit() says:
	 * certainly not stored.
	 */
	enum result (*store)(struct sink *sink, const struct sink_batch *batch, struct error *error);

	/* After store() said RESULT_REFUSED: finds out which rows it is about, in a transaction that is rolled
	 * back. RESULT_OK: all others would be stored. */
	enum result (*sift)(struct sink *sink, const struct sink_sifting *sifting, struct error *error);

	/*
	 * As judge(), whoever feeds the table: a committed write that raises the epoch of the head that is
	 * there, and then what stands under the name. No batch of anybody's commits on the old head any more.
	 */
	enum result (*fence)(struct sink *sink, const char *table, struct sink_presence *presence,
	                     struct error *error);

	enum result (*ledger)(struct sink *sink, const char *table, struct sink_ledger *ledger,
	                      struct error *error);

	/*
	 * One transaction: the head becomes another one (RESULT_DISAGREES and a rollback when it is not
	 * `before` any more), or is made; the ledger row of that step; COMMIT. Results as for store().
	 */
	enum result (*adopt)(struct sink *sink, const struct sink_adoption *adoption, struct error *error);

	/* The table's columns as they stand: names, ordinals from 1, and for each the type whose canonical
	 * texts it holds (text where there is no such type). RESULT_CONFIG when there is no table. */
	enum result (*describe)(struct sink *sink, const char *table, struct schema **schema,
	                        struct error *error);

	/* Reads the table once, as it is at one moment, in memory for one row. */
	enum result (*scan)(struct sink *sink, const struct sink_scan *scan, struct error *error);

	void (*close)(struct sink *sink); /* frees it; NULL is fine */
};

/* What every implementation's own struct begins with. */
struct sink {
	const struct sink_interface *interface;
};

#endif
