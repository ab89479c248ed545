// SPDX-License-Identifier: Apache-2.0
#include "ingest/batch.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/batch_keys.h"
#include "schema/row_digests.h"
#include "state_batch.h"

/* Few enough for the processor's cache. */
enum { DIGESTED_AT_ONCE = 256 };

enum result batch_open_judging(struct batch_judging *judging, const struct batch_size *size, bool is_dry)
{
	size_t rows = size->all_rows;
	*judging = (struct batch_judging){
	    .digests = calloc(rows, sizeof *judging->digests),
	    .entries = calloc(rows, sizeof *judging->entries),
	    .refused = calloc(rows, sizeof *judging->refused),
	    .items = calloc(rows, 2 * sizeof *judging->items),
	    .known = calloc(rows, sizeof *judging->known),
	    .seen = calloc(rows, sizeof *judging->seen),
	    .is_dry = is_dry,
	};
	if (judging->digests != NULL && judging->entries != NULL && judging->refused != NULL &&
	    judging->items != NULL && judging->known != NULL && judging->seen != NULL)
		return RESULT_OK;
	batch_close_judging(judging);
	return RESULT_NO_MEMORY;
}

void batch_close_judging(struct batch_judging *judging)
{
	free(judging->digests);
	free(judging->entries);
	free(judging->refused);
	free(judging->items);
	free(judging->known);
	free(judging->seen);
	batch_memory_free(judging->memory);
	*judging = (struct batch_judging){0};
}

enum result batch_open(struct batch *batch, const struct batch_size *size, struct batch_judging *judging)
{
	*batch = (struct batch){
	    .size = *size,
	    .judging = judging,
	    .rows = calloc(size->all_rows, sizeof *batch->rows),
	    .all_unseen = calloc(size->all_rows, sizeof *batch->all_unseen),
	};
	if (batch->rows != NULL && batch->all_unseen != NULL)
		return RESULT_OK;
	batch_close(batch);
	return RESULT_NO_MEMORY;
}

static void free_shares(struct batch *batch)
{
	while (batch->shares != NULL) {
		struct batch_share *share = batch->shares;
		batch->shares = share->next;
		free(share);
	}
	batch->last_share = batch->part_shares = NULL;
}

void batch_close(struct batch *batch)
{
	free_shares(batch);
	buffer_free(&batch->bytes);
	free(batch->rows);
	free(batch->digested);
	free(batch->all_unseen);
	*batch = (struct batch){0};
}

/* Where the open part begins. */
static size_t part_first(const struct batch *batch)
{
	return batch->part_count > 0 ? batch->parts[batch->part_count - 1].end : 0;
}

static bool is_filled(const struct batch *batch)
{
	return batch->count == batch->size.all_rows || batch->bytes.length >= batch->size.all_bytes;
}

bool batch_is_full(const struct batch *batch)
{
	return is_filled(batch) || batch->count - part_first(batch) == batch->size.rows ||
	       batch->bytes.length - batch->part_offset >= batch->size.bytes;
}

bool batch_has_room(const struct batch *batch, size_t parts)
{
	return !is_filled(batch) && batch->part_count + 1 < parts;
}

void batch_clear(struct batch *batch)
{
	free_shares(batch);
	batch->bytes.length = 0;
	batch->count = 0;
	batch->part_count = 0;
	batch->part_offset = 0;
	batch->is_judged = false;
	batch->unseen_count = 0;
	batch->unseen_bytes = 0;
	batch->update_count = 0;
	batch->refused_count = 0;
}

static struct batch_share *add_share(struct batch *batch, struct state_counts *member)
{
	struct batch_share *share = malloc(sizeof *share);
	if (share == NULL)
		return NULL;
	*share = (struct batch_share){.member = member, .first = batch->count};
	if (batch->shares == NULL)
		batch->shares = share;
	else
		batch->last_share->next = share;
	batch->last_share = share;
	if (batch->part_shares == NULL)
		batch->part_shares = share;
	return share;
}

enum result batch_end_part(struct batch *batch)
{
	batch->parts[batch->part_count++] = (struct batch_part){
	    .end = batch->count,
	    .unseen = batch->unseen_count,
	    .unseen_bytes = batch->unseen_bytes,
	};
	batch->part_offset = batch->bytes.length;
	batch->part_shares = NULL;
	/* The member that is open may move on without another row; then its next mark covers these. */
	if (batch->last_share != NULL && add_share(batch, batch->last_share->member) == NULL)
		return RESULT_NO_MEMORY;
	return RESULT_OK;
}

static bool reserve_digests(struct batch *batch)
{
	if (batch->digested == NULL)
		batch->digested = calloc(batch->size.all_rows, sizeof *batch->digested);
	return batch->digested != NULL;
}

struct batch_row *batch_add(struct batch *batch, size_t offset, const struct identity_digests *digests,
                            struct state_counts *counts)
{
	struct batch_share *share = batch->last_share;
	if ((share == NULL || share->member != counts) && (share = add_share(batch, counts)) == NULL)
		return NULL;
	if (digests != NULL && !reserve_digests(batch))
		return NULL;
	if (digests != NULL)
		batch->digested[batch->count] = (struct batch_digests){
		    .row = {digests->row.hi, digests->row.lo},
		    .key = {digests->key.hi, digests->key.lo},
		    .rank = digests->rank,
		};
	struct batch_row *row = &batch->rows[batch->count++];
	*row = (struct batch_row){
	    .counts = &share->counts,
	    .offset = offset,
	    .length = (uint32_t)(batch->bytes.length - offset),
	    .has_digests = digests != NULL,
	};
	return row;
}

/* Of no more than DIGESTED_AT_ONCE rows. */
static void digest_items(const struct batch *batch, size_t first, size_t count, const uint8_t *row_key,
                         struct state_sort_item *items)
{
	struct slice rows[DIGESTED_AT_ONCE];
	struct row_digest digests[DIGESTED_AT_ONCE];
	for (size_t i = 0; i < count; i++) {
		const struct batch_row *row = &batch->rows[first + i];
		rows[i] = (struct slice){batch->bytes.data + row->offset, row->length};
	}
	row_digests(rows, count, row_key, digests);
	for (size_t i = 0; i < count; i++)
		items[i] = (struct state_sort_item){{digests[i].hi, digests[i].lo}, first + i};
}

void batch_items(const struct batch *batch, size_t first, size_t count, const uint8_t row_key[ROW_KEY_SIZE],
                 struct state_sort_item *items)
{
	const struct batch_row *rows = batch->rows + first;
	for (size_t i = 0; i < count;) {
		size_t left = count - i < DIGESTED_AT_ONCE ? count - i : DIGESTED_AT_ONCE, same = 1;
		while (same < left && rows[i + same].has_digests == rows[i].has_digests)
			same++;
		if (!rows[i].has_digests)
			digest_items(batch, first + i, same, row_key, items + i);
		for (size_t j = i; rows[i].has_digests && j < i + same; j++)
			items[j] = (struct state_sort_item){batch->digested[first + j].row, first + j};
		i += same;
	}
}

enum result batch_set_digests(struct batch *batch, const struct state_sort_item *items, size_t count)
{
	if (!reserve_digests(batch))
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		batch->digested[items[i].tag].row = items[i].digest;
		batch->rows[items[i].tag].has_digests = true;
	}
	return RESULT_OK;
}

void batch_take(struct batch *to, struct batch *from)
{
	struct batch room = *to;
	*to = *from;
	*from = room;
}

void batch_add_counts(struct state_counts *sum, const struct state_counts *counts)
{
	sum->rows += counts->rows;
	sum->new += counts->new;
	sum->updated += counts->updated;
	sum->duplicate += counts->duplicate;
	sum->filtered += counts->filtered;
	sum->rejected += counts->rejected;
}

void batch_fold(struct batch *batch, struct batch *next)
{
	for (struct batch_share *share = batch->shares; share != NULL; share = share->next) {
		batch_add_counts(share->member, &share->counts);
		for (struct batch_share *later = next->shares; later != NULL; later = later->next) {
			if (later->member == share->member && later->mark != NULL)
				batch_add_counts(&later->mark->member.counts, &share->counts);
		}
		share->counts = (struct state_counts){0};
	}
}

/* The rows that are still to be judged, by their digests. */
static size_t sort_digests(struct batch *batch, const uint8_t *row_key)
{
	struct batch_judging *judging = batch->judging;
	struct state_sort_item *items = judging->items;
	size_t count = 0;
	batch_items(batch, 0, batch->count, row_key, items);
	for (size_t i = 0; i < batch->count; i++)
		if (!batch->rows[i].is_past)
			items[count++] = items[i];
	state_sort_items(items, items + batch->size.all_rows, count);
	for (size_t i = 0; i < count; i++)
		judging->digests[i] = items[i].digest;
	return count;
}

/*
 * Equal rows stand together, in the order of delivery: the first one is new unless it was seen. Those that
 * were seen are not looked at: by their digests they lie all over the batch, and most of a delivery that
 * comes again is.
 */
static void judge_unseen(struct batch *batch, size_t count)
{
	struct batch_judging *judging = batch->judging;
	struct state_sort_item *items = judging->items;
	bool is_stored = false;
	for (size_t i = 0; i < count; i++) {
		if (judging->seen[i])
			continue;
		struct batch_row *row = &batch->rows[items[i].tag];
		if (i == 0 || state_digest_compare(items[i - 1].digest, items[i].digest) != 0)
			is_stored = false;
		if (is_stored)
			continue;
		if (row->is_old) {
			row->counts->filtered++;
			continue;
		}
		is_stored = true;
		row->counts->new ++;
		row->fate = BATCH_NEW;
		judging->digests[batch->unseen_count] = items[i].digest;
		items[batch->unseen_count++] = items[i];
	}
}

static enum state_result judge_set(struct batch *batch, struct state_txn *txn,
                                   const struct batch_rules *rules)
{
	const struct batch_judging *judging = batch->judging;
	size_t count = sort_digests(batch, rules->row_key);
	enum state_result result =
	    state_run_probe(txn, rules->dataset, judging->digests, count, judging->seen);
	if (result != STATE_OK)
		return result;
	batch_memory_probe(judging->memory, judging->digests, count, judging->seen, NULL);
	judge_unseen(batch, count);
	return STATE_OK;
}

static void end_unseen(struct batch_part *part, size_t count, size_t bytes)
{
	part->unseen = count;
	part->unseen_bytes = bytes;
}

/* All rows once more, in the order of delivery. What is neither new nor filtered is a duplicate. */
static void collect_in_order(struct batch *batch)
{
	size_t count = 0, bytes = 0, part = 0;
	for (size_t i = 0; i < batch->count; i++) {
		const struct batch_row *row = &batch->rows[i];
		for (; part < batch->part_count && batch->parts[part].end == i; part++)
			end_unseen(&batch->parts[part], count, bytes);
		row->counts->rows += !row->is_past;
		if (row->fate != BATCH_NEW)
			continue;
		batch->all_unseen[count++] = (struct slice){batch->bytes.data + row->offset, row->length};
		bytes += row->length;
	}
	for (; part < batch->part_count; part++)
		end_unseen(&batch->parts[part], count, bytes);
	batch->unseen_bytes = bytes;
	for (struct batch_share *share = batch->shares; share != NULL; share = share->next)
		share->counts.duplicate = share->counts.rows - share->counts.new - share->counts.filtered;
}

enum state_result batch_judge(struct batch *batch, struct state_txn *txn, const struct batch_rules *rules)
{
	struct batch_judging *judging = batch->judging;
	batch->unseen = batch->all_unseen;
	enum state_result result =
	    rules->is_keyed ? batch_keys_judge(batch, txn, rules) : judge_set(batch, txn, rules);
	if (result != STATE_OK)
		return result;
	if (!rules->is_keyed)
		collect_in_order(batch);
	batch->is_judged = true;
	if (!judging->is_dry)
		return STATE_OK;
	return rules->is_keyed
	           ? batch_memory_add_entries(&judging->memory, judging->entries, batch->unseen_count)
	           : batch_memory_add(&judging->memory, judging->digests, batch->unseen_count);
}

/* Where the rows and bytes to store of the parts in front of this one end. */
static struct batch_part part_before(const struct batch *batch, size_t part)
{
	return part > 0 ? batch->parts[part - 1] : (struct batch_part){0};
}

/* The digests of rows to store from one row to another. */
static void select_digests(struct batch *batch, size_t first, size_t end)
{
	size_t all = batch->parts[batch->part_count - 1].unseen, count = 0;
	const struct state_sort_item *items = batch->judging->items;
	for (size_t i = 0; i < all; i++) {
		if (items[i].tag >= first && items[i].tag < end)
			batch->judging->digests[count++] = items[i].digest;
	}
}

/* A part of which nothing is to be stored always does, and any behind only such: what goes with these is never alone. */
static bool fits(const struct batch *batch, struct batch_part before, size_t part)
{
	const struct batch_part *ends = &batch->parts[part];
	size_t so_far = part_before(batch, part).unseen;
	return ends->unseen == so_far || so_far == before.unseen ||
	       (ends->unseen - before.unseen <= batch->size.rows &&
	        ends->unseen_bytes - before.unseen_bytes <= batch->size.bytes);
}

size_t batch_select(struct batch *batch, size_t first)
{
	if (batch->part_count == 1)
		return 1; /* with a key too */
	struct batch_part before = part_before(batch, first);
	size_t end = first + 1;
	while (end < batch->part_count && fits(batch, before, end))
		end++;
	const struct batch_part *last = &batch->parts[end - 1];
	batch->unseen = batch->all_unseen + before.unseen;
	batch->unseen_count = last->unseen - before.unseen;
	batch->unseen_bytes = last->unseen_bytes - before.unseen_bytes;
	select_digests(batch, before.end, last->end);
	return end;
}
