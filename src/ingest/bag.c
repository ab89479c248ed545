// SPDX-License-Identifier: Apache-2.0
#include "ingest/bag.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "ingest/dataset.h"

/* The distinct rows of one call, rising, and how often each was met before. */
struct distinct {
	struct state_digest *digests;
	uint64_t *counts;
	size_t count;
};

static void free_distinct(struct distinct *distinct)
{
	free(distinct->digests);
	free(distinct->counts);
}

static enum result find_distinct(struct distinct *distinct, const struct state_sort_item *items, size_t count)
{
	*distinct = (struct distinct){
	    .digests = calloc(count + 1, sizeof *distinct->digests),
	    .counts = calloc(count + 1, sizeof *distinct->counts),
	};
	if (distinct->digests == NULL || distinct->counts == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || state_digest_compare(items[i - 1].digest, items[i].digest) != 0)
			distinct->digests[distinct->count++] = items[i].digest;
	}
	return RESULT_OK;
}

/* Items are sorted: equal rows stand together, in the order of delivery. */
static void number_items(struct distinct *distinct, struct state_sort_item *items, size_t count,
                         const uint8_t *row_key)
{
	size_t place = 0;
	for (size_t i = 0; i < count; i++) {
		struct state_digest row = items[i].digest;
		if (state_digest_compare(distinct->digests[place], row) != 0)
			place++;
		uint64_t n = ++distinct->counts[place];
		if (n == 1)
			continue;
		struct row_digest element =
		    identity_occurrence((struct row_digest){row.hi, row.lo}, n, row_key);
		items[i].digest = (struct state_digest){element.hi, element.lo};
	}
}

static enum result failed(const struct state_error *failure, struct error *error)
{
	return dataset_state_error(error, failure, "cannot count equal rows");
}

static enum result remember(struct bag *bag, struct state *state, const struct distinct *distinct,
                            struct error *error)
{
	struct state_error failure;
	if (bag->tally == NULL && state_tally_begin(&bag->tally, state, &failure) != STATE_OK)
		return failed(&failure, error);
	if (state_tally_put(bag->tally, distinct->digests, distinct->count, distinct->counts, &failure) !=
	    STATE_OK)
		return failed(&failure, error);
	return RESULT_OK;
}

/* is_known: the tally is that of these items' member. */
static enum result number_member(struct bag *bag, struct state *state, struct state_sort_item *items,
                                 size_t count, bool is_known, bool is_open, const uint8_t *row_key,
                                 struct error *error)
{
	CLEANUP(free_distinct) struct distinct distinct;
	struct state_error failure;
	if (find_distinct(&distinct, items, count) != RESULT_OK)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	if (is_known && bag->tally != NULL &&
	    state_tally_get(bag->tally, distinct.digests, distinct.count, distinct.counts, &failure) !=
	        STATE_OK)
		return failed(&failure, error);
	number_items(&distinct, items, count, row_key);
	if (!is_known && is_open)
		bag_clear(bag);
	return is_open ? remember(bag, state, &distinct, error) : RESULT_OK;
}

enum result bag_number_items(struct bag *bag, struct state *state, struct state_sort_item *items,
                             struct state_sort_item *scratch, size_t count,
                             const uint8_t row_key[ROW_KEY_SIZE], struct error *error)
{
	state_sort_items(items, scratch, count);
	return number_member(bag, state, items, count, true, true, row_key, error);
}

enum result bag_number(struct bag *bag, struct state *state, struct batch *batch,
                       const struct state_counts *open, const uint8_t row_key[ROW_KEY_SIZE],
                       struct error *error)
{
	struct state_sort_item *items = batch->judging->items;
	for (const struct batch_share *share = batch->shares; share != NULL; share = share->next) {
		const struct state_counts *member = share->member;
		size_t end = share->next != NULL ? share->next->first : batch->count;
		size_t count = end - share->first;
		batch_items(batch, share->first, count, row_key, items);
		state_sort_items(items, items + batch->size.all_rows, count);
		enum result result = number_member(bag, state, items, count, bag->owner == member,
		                                   open == member, row_key, error);
		if (result != RESULT_OK)
			return result;
		if (batch_set_digests(batch, items, count) != RESULT_OK)
			return error_set(error, RESULT_NO_MEMORY, "out of memory");
		if (open == member)
			bag->owner = member;
	}
	return RESULT_OK;
}

void bag_clear(struct bag *bag)
{
	struct state_error ignored; /* what is left in the state is swept by the next start */
	state_tally_discard(bag->tally, &ignored);
	*bag = (struct bag){0};
}
