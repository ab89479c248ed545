// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_BAG_H
#define ROWSIEVE_INGEST_BAG_H

#include "ingest/batch.h"
#include "state_tally.h"

/*
 * Rows of a bag (duplicates = "keep"). The n-th of equal rows of one member is an element of its own: with the
 * number the bag is a set again, and probing, storing and merging know of nothing else. What must be known
 * beside is how often a row was met in the member so far. That is counted from the member's bytes, after a
 * restart too, and kept in a tally as soon as the member does not fit one batch. Zero is empty.
 */
struct bag {
	struct state_tally *tally; /* of the rows of `owner` in earlier batches; NULL: there are none */
	const struct state_counts *owner; /* the member, by its counts */
};

/* Gives the rows of the batch the digests of their elements. `open` is the member that is being read, by its
 * counts: more of it may come. NULL: no member is. */
enum result bag_number(struct bag *bag, struct state *state, struct batch *batch,
                       const struct state_counts *open, const uint8_t row_key[ROW_KEY_SIZE],
                       struct error *error) WARN_UNUSED;

/* The same for items in any order, all of one member, of which more may come; `scratch` has room for as many.
 * They are sorted by the digests of their rows afterwards. */
enum result bag_number_items(struct bag *bag, struct state *state, struct state_sort_item *items,
                             struct state_sort_item *scratch, size_t count,
                             const uint8_t row_key[ROW_KEY_SIZE], struct error *error) WARN_UNUSED;

/* Forgets the member. */
void bag_clear(struct bag *bag);

#endif
