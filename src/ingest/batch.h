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
 * kept. Of two batches one may take rows, or be judged, while what was judged of the other is stored; they share the
 * room for judging.
 *
 * What is judged at once is one part, or several that were read one after the other: to look up more digests together
 * costs less for each. A part is what one transaction may take, whatever becomes of its rows; batch_select() joins parts
 * of which less is to be stored.
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

/* The rows of one member in one part, which stand together. */
struct batch_share {
	struct state_counts counts;  /* what batch_judge() found, until it is folded */
	struct state_counts *member; /* all of its rows */
	size_t first;                /* place of the first row */
	struct state_mark *mark;     /* that covers them; NULL: none was packed (ingest/borders.h) */
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

struct batch_size {
	size_t rows; /* of a part */
	size_t bytes;
	size_t all_rows; /* of all parts; not less */
	size_t all_bytes;
};

enum { BATCH_PARTS_MAX = 16 };

struct batch_part {
	size_t end; /* rows in front of its end */
	/* once it is judged: */
	size_t unseen;       /* rows to store in front of its end */
	size_t unseen_bytes; /* their bytes */
};

/* Lent to one batch after the other: from batch_judge() to the last batch_select() it holds what was found of that one. */
struct batch_judging {
	struct state_digest *digests; /* without a key: of the rows to store, rising */
	struct state_entry *entries;  /* with a key: of the keys whose rows are to be stored, rising */
	uint32_t *refused; /* places of rows that are rejects for their key's sake, in order of keys */

	/* scratch */
	struct state_sort_item
	    *items; /* twice the capacity; after batch_judge(), without a key, those of all rows to store */
	struct state_digest *known;
	bool *seen;

	/* of a dry run, which puts nothing into the state */
	bool is_dry;
	struct batch_memory *memory;
};

struct batch {
	struct buffer bytes;
	struct batch_row *rows;
	struct batch_digests *digested; /* in the places of their rows; NULL: none has any */
	size_t count;
	struct batch_size size;        /* fixed at batch_open() */
	struct batch_judging *judging; /* the same */
	struct batch_part parts[BATCH_PARTS_MAX];
	size_t part_count;          /* that have ended */
	size_t part_offset;         /* in `bytes`, of the open part */
	struct batch_share *shares; /* in the order of rows */
	struct batch_share *last_share;
	struct batch_share *part_shares; /* of the open part; NULL: none yet */

	bool is_judged;
	/* after batch_judge(), of all parts, and after batch_select() of those; what it finds in `judging` beside: */
	struct slice *unseen; /* rows to store: new ones, then updates; in the order of delivery,
	                         with a key about in the order of keys */
	size_t unseen_count;
	size_t unseen_bytes; /* theirs; without a key */
	size_t update_count; /* how many of them are updates */
	size_t refused_count;
	struct slice *all_unseen; /* of all parts */
};

/* Memory that a row takes beside its canonical form, in two batches and in the room for judging, in bytes.
 * What is not used of a batch is not resident. */
enum {
	BATCH_ROW_COST = 2 * (sizeof(struct batch_row) + sizeof(struct slice)) + sizeof(struct state_digest) +
	                 2 * sizeof(struct state_sort_item) + sizeof(bool),
	/* where it brings digests of its own */
	BATCH_DIGESTED_ROW_COST = BATCH_ROW_COST + 2 * sizeof(struct batch_digests) +
	                          sizeof(struct state_digest) + sizeof(struct state_entry) + sizeof(uint32_t)
};

/* For batches of that size. RESULT_NO_MEMORY only, here and with batch_open(). */
enum result batch_open_judging(struct batch_judging *judging, const struct batch_size *size,
                               bool is_dry) WARN_UNUSED;
void batch_close_judging(struct batch_judging *judging);

/* `judging` stays the caller's. */
enum result batch_open(struct batch *batch, const struct batch_size *size,
                       struct batch_judging *judging) WARN_UNUSED;
void batch_close(struct batch *batch);

/* Must the open part end? */
bool batch_is_full(const struct batch *batch);
/* May there be another behind it, of so many in all? */
bool batch_has_room(const struct batch *batch, size_t parts);

/* The open part ends here, and another begins; it may have been judged. There must be less than BATCH_PARTS_MAX.
 * RESULT_NO_MEMORY only. */
enum result batch_end_part(struct batch *batch) WARN_UNUSED;

/* Takes the canonical form that was appended to batch->bytes from `offset` on. Without digests, the row's will be
 * that of all its columns: many at once cost a fraction of as many one by one. `counts` are those of its member; they
 * must outlive the batch. The row is the caller's to mark before the next call. NULL: no memory. */
struct batch_row *batch_add(struct batch *batch, size_t offset, const struct identity_digests *digests,
                            struct state_counts *counts);

/* `to`, which is empty, takes all of `from`, and `from` the room for the next. Both are of one size. */
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

/* What is to be stored of the part `first`, and of as many behind it as one transaction may take: says where these end.
 * Parts of which nothing is to be stored always fit; nothing is to be stored at all where there is nothing here. */
size_t batch_select(struct batch *batch, size_t first);

/* Adds what was counted to the members' counts, once, and to those of their marks that were packed with `next`
 * meanwhile. */
void batch_fold(struct batch *batch, struct batch *next);
void batch_add_counts(struct state_counts *sum, const struct state_counts *counts);

/* Empties it for the next rows. */
void batch_clear(struct batch *batch);

#endif
