// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_BATCH_H
#define ROWSIEVE_INGEST_BATCH_H

#include <stdbool.h>

#include "base/buffer.h"
#include "ingest/batch_memory.h"
#include "schema/identity.h"
#include "state_delivery.h"
#include "state_run.h"
#include "state_sort.h"

/*
 * Rows on their way: canonical form, digests, and the members they are of. batch_judge() finds out what becomes of
 * each, record by record in the order of delivery, by one sort and one probe; only rows that change the table are
 * kept.
 */
enum batch_fate {
	BATCH_DROPPED = 0, /* seen, filtered, refused, or followed by another row of its key */
	BATCH_NEW,
	BATCH_UPDATE, /* takes the place of the row of its key */
};

struct batch_row {
	struct state_counts *counts; /* of its share */
	size_t offset;               /* of the canonical form in `bytes` */
	uint32_t length;
	bool has_digests;
	bool is_old;  /* not newer than its member's watermark */
	bool is_past; /* of a bag: judged before a restart, and counted again only */
	enum batch_fate fate : 8;
};

/* What is known of some rows before they are judged; of the others all columns are digested then. */
struct batch_digests {
	struct state_digest row; /* in a bag, of its n-th occurrence */
	struct state_digest key; /* with a key */
	uint64_t rank;           /* with a key: orders rows about as the table does */
};

/* The rows of one member, which stand together. */
struct batch_share {
	struct state_counts counts;  /* what batch_judge() found, until it is folded */
	struct state_counts *member; /* all of its rows */
	size_t first;                /* place of the first row */
	struct state_mark *mark;     /* that covers them; NULL: none was packed (ingest/parcel.h) */
	struct batch_share *next;
};

enum batch_on_change {
	BATCH_CHANGE_UPDATES,
	BATCH_CHANGE_IGNORED,
	BATCH_CHANGE_REJECTED,
};

/* What the rows of a dataset are judged by. */
struct batch_rules {
	uint32_t dataset;
	const uint8_t *row_key;
	bool is_keyed;
	enum batch_on_change on_change; /* with a key */
};

struct batch {
	struct buffer bytes;
	struct batch_row *rows;
	struct batch_digests *digested; /* in the places of their rows; NULL: none has any */
	size_t count;
	size_t capacity;            /* fixed at batch_open(): rows */
	size_t limit;               /* bytes of canonical form from which on it is full */
	struct batch_share *shares; /* in the order of rows */
	struct batch_share *last_share;

	/* after batch_judge(): */
	struct state_digest *digests; /* without a key: of the rows to store, rising */
	struct state_entry *entries;  /* with a key: of the keys whose rows are to be stored, rising */
	struct slice *unseen;         /* rows to store: new ones, then updates; in the order of delivery,
	                                 with a key about in the order of keys */
	size_t unseen_count;
	size_t update_count; /* how many of them are updates */
	uint32_t *refused;   /* places of rows that are rejects for their key's sake, in order of keys */
	size_t refused_count;

	/* scratch */
	struct state_sort_item *items; /* twice the capacity */
	struct state_digest *known;
	bool *seen;

	/* of a dry run, which puts nothing into the state */
	bool is_dry;
	struct batch_memory *memory;
};

/* Memory that a row takes beside its canonical form, in a batch that judges and in the room for the next, in bytes. */
enum {
	BATCH_ROW_COST = 2 * sizeof(struct batch_row) + 2 * sizeof(struct batch_digests) +
	                 2 * sizeof(struct state_digest) + sizeof(struct state_entry) + sizeof(struct slice) +
	                 2 * sizeof(struct state_sort_item) + sizeof(uint32_t) + sizeof(bool)
};

enum result batch_open(struct batch *batch, size_t rows, size_t bytes, bool is_dry) WARN_UNUSED;
/* One that only takes rows, for another to judge. */
enum result batch_open_room(struct batch *batch, size_t rows, size_t bytes) WARN_UNUSED;
void batch_close(struct batch *batch);
bool batch_is_full(const struct batch *batch);

/* Takes the canonical form that was appended to batch->bytes from `offset` on. Without digests, the row's will be
 * that of all its columns: many at once cost a fraction of as many one by one. `counts` are those of its member; they
 * must outlive the batch. The row is the caller's to mark before the next call. NULL: no memory. */
struct batch_row *batch_add(struct batch *batch, size_t offset, const struct identity_digests *digests,
                            struct state_counts *counts);

/* `to`, which is empty, takes all rows of `from`, and `from` the room for the next. Both are of one size. */
void batch_take(struct batch *to, struct batch *from);

/* The digests and places of so many rows from `first` on, for a sort. */
void batch_items(const struct batch *batch, size_t first, size_t count, const uint8_t row_key[ROW_KEY_SIZE],
                 struct state_sort_item *items);

/* Gives rows, by their places, other digests. */
enum result batch_set_digests(struct batch *batch, const struct state_sort_item *items,
                              size_t count) WARN_UNUSED;

/* Counts each row as new, updated, duplicate or filtered, and leaves those to store; those
 * in refused[] are the caller's to count. */
enum state_result batch_judge(struct batch *batch, struct state_txn *txn, const struct batch_rules *rules);

/* Adds what was counted to the members' counts, once. */
void batch_fold(struct batch *batch);
void batch_add_counts(struct state_counts *sum, const struct state_counts *counts);

/* Empties it for the next rows. */
void batch_clear(struct batch *batch);

#endif
