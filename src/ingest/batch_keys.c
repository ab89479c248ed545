// SPDX-License-Identifier: Apache-2.0
#include "ingest/batch_keys.h"

#include <stdlib.h>

/* What is known of one key while its rows go by. */
struct standing {
	bool was_known; /* before this batch */
	bool is_known;
	struct state_digest row; /* that it has */
	struct batch_row *last;  /* of this batch, that gave it; NULL: none did */
};

static void judge_row(struct batch *batch, struct standing *standing, size_t place,
                      enum batch_on_change on_change)
{
	struct batch_row *row = &batch->rows[place];
	struct state_digest digest = batch->digested[place].row;
	bool is_same = standing->is_known && state_digest_compare(standing->row, digest) == 0;
	if (standing->is_known && !is_same && !row->is_old && on_change == BATCH_CHANGE_REJECTED) {
		batch->judging->refused[batch->refused_count++] = (uint32_t)place;
		return;
	}
	row->counts->rows++;
	if (is_same) {
		row->counts->duplicate++;
	} else if (row->is_old || (standing->is_known && on_change == BATCH_CHANGE_IGNORED)) {
		row->counts->filtered++;
	} else {
		row->counts->new += !standing->is_known;
		row->counts->updated += standing->is_known;
		standing->is_known = true;
		standing->row = digest;
		standing->last = row;
	}
}

static void end_key(struct batch *batch, const struct standing *standing, struct state_digest key)
{
	if (standing->last == NULL)
		return;
	standing->last->fate = standing->was_known ? BATCH_UPDATE : BATCH_NEW;
	batch->update_count += standing->was_known;
	batch->judging->entries[batch->unseen_count++] = (struct state_entry){key, standing->row};
}

static void judge_rows(struct batch *batch, enum batch_on_change on_change)
{
	struct standing standing = {0};
	const struct batch_judging *judging = batch->judging;
	const struct state_sort_item *items = judging->items;
	for (size_t i = 0; i < batch->count; i++) {
		struct state_digest key = items[i].digest;
		if (i == 0 || state_digest_compare(items[i - 1].digest, key) != 0)
			standing =
			    (struct standing){judging->seen[i], judging->seen[i], judging->known[i], NULL};
		judge_row(batch, &standing, items[i].tag, on_change);
		if (i + 1 == batch->count || state_digest_compare(items[i + 1].digest, key) != 0)
			end_key(batch, &standing, key);
	}
}

/* A database that clusters rows by their key writes them much faster in about that order. */
static void collect(struct batch *batch, enum batch_fate fate, size_t first)
{
	struct state_sort_item *items = batch->judging->items;
	size_t count = 0;
	for (size_t i = 0; i < batch->count; i++) {
		const struct batch_digests *digests = &batch->digested[i];
		if (batch->rows[i].fate == fate)
			items[count++] = (struct state_sort_item){{digests->rank, digests->key.hi}, i};
	}
	state_sort_items(items, items + batch->size.all_rows, count);
	for (size_t i = 0; i < count; i++) {
		const struct batch_row *row = &batch->rows[items[i].tag];
		batch->unseen[first + i] = (struct slice){batch->bytes.data + row->offset, row->length};
	}
}

enum state_result batch_keys_judge(struct batch *batch, struct state_txn *txn,
                                   const struct batch_rules *rules)
{
	const struct batch_judging *judging = batch->judging;
	for (size_t i = 0; i < batch->count; i++)
		judging->items[i] = (struct state_sort_item){batch->digested[i].key, i};
	state_sort_items(judging->items, judging->items + batch->size.all_rows, batch->count);
	for (size_t i = 0; i < batch->count; i++)
		judging->digests[i] = judging->items[i].digest;
	enum state_result result = state_run_probe_keys(txn, rules->dataset, judging->digests, batch->count,
	                                                judging->seen, judging->known);
	if (result != STATE_OK)
		return result;
	batch_memory_probe(judging->memory, judging->digests, batch->count, judging->seen, judging->known);
	judge_rows(batch, rules->on_change);
	collect(batch, BATCH_NEW, 0);
	collect(batch, BATCH_UPDATE, batch->unseen_count - batch->update_count);
	return STATE_OK;
}
