// SPDX-License-Identifier: Apache-2.0
#include "ingest/borders.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/engine.h"

/* Step 0, and the lengths that the marks will hold. */
static enum result sync_rejects(struct ingest *ingest, struct error *error)
{
	for (struct delivery *delivery = ingest->deliveries; delivery != NULL; delivery = delivery->next) {
		if (delivery->rejects == NULL)
			continue;
		enum result result = rejects_sync(delivery->rejects, &delivery->record.rejects_length, error);
		if (result != RESULT_OK)
			return result;
	}
	return RESULT_OK;
}

static enum result reserve(struct border *border, const struct ingest *ingest, struct error *error)
{
	size_t deliveries = 0, members = 0;
	for (const struct delivery *delivery = ingest->deliveries; delivery != NULL;
	     delivery = delivery->next) {
		deliveries += !delivery->is_recorded;
		for (size_t i = 0; i < delivery->member_count; i++)
			members += delivery->members[i]->is_dirty;
	}
	border->deliveries = calloc(deliveries + 1, sizeof *border->deliveries);
	border->marks = calloc(members + 1, sizeof *border->marks);
	if (border->deliveries == NULL || border->marks == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	return RESULT_OK;
}

static void pack_delivery(struct border *border, struct delivery *delivery)
{
	struct state_delivery *record = &border->deliveries[border->delivery_count++];
	*record = delivery->record;
	record->status = STATE_STATUS_OPEN;
	record->rejects_length = 0;
	record->reason[0] = '\0';
	delivery->is_recorded = true;
}

static struct state_mark *pack_mark(struct border *border, const struct delivery *delivery,
                                    struct delivery_member *member)
{
	struct state_mark *mark = &border->marks[border->mark_count++];
	*mark = member->mark;
	if (member->dataset != NULL) {
		mark->member.dataset = member->dataset->record.id;
		mark->member.cache_epoch = member->dataset->record.cache_epoch;
		mark->content.dataset = member->dataset->record.id;
	}
	mark->rejects_length = delivery->record.rejects_length;
	member->is_dirty = false;
	return mark;
}

static void pack(struct border *border, struct ingest *ingest, struct batch *batch)
{
	/* Members have their rows in the batch in the order in which they are read. */
	struct batch_share *share = batch->part_shares;
	for (struct delivery *delivery = ingest->deliveries; delivery != NULL; delivery = delivery->next) {
		if (!delivery->is_recorded)
			pack_delivery(border, delivery);
		for (size_t i = 0; i < delivery->member_count; i++) {
			struct delivery_member *member = delivery->members[i];
			struct state_mark *mark =
			    member->is_dirty ? pack_mark(border, delivery, member) : NULL;
			if (share != NULL && share->member == &member->mark.member.counts) {
				share->mark = mark;
				share = share->next;
			}
		}
	}
	chunks_move(&border->chunks, &ingest->chunks);
}

enum result borders_add(struct borders *borders, struct ingest *ingest, struct batch *batch,
                        struct error *error)
{
	struct border *border = &borders->list[borders->count++];
	enum result result = sync_rejects(ingest, error);
	if (result == RESULT_OK)
		result = reserve(border, ingest, error);
	if (result != RESULT_OK)
		return result;
	pack(border, ingest, batch);
	if (batch_end_part(batch) != RESULT_OK)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	return RESULT_OK;
}

void borders_move(struct borders *to, struct borders *from)
{
	struct borders empty = *to;
	*to = *from;
	*from = empty;
}

static bool is_same_member(const struct state_mark *a, const struct state_mark *b)
{
	return a->member.index == b->member.index &&
	       memcmp(a->member.delivery, b->member.delivery, sizeof a->member.delivery) == 0;
}

/* Packed in the order of deliveries, so that the marks of a member which was open at a border are neighbours. */
static void append_mark(struct border *to, const struct state_mark *mark)
{
	bool is_later = to->mark_count > 0 && is_same_member(&to->marks[to->mark_count - 1], mark);
	to->mark_count += !is_later;
	to->marks[to->mark_count - 1] = *mark;
}

static enum result append(struct border *to, const struct border *from)
{
	struct state_mark *marks =
	    reallocarray(to->marks, to->mark_count + from->mark_count + 1, sizeof *marks);
	if (marks == NULL)
		return RESULT_NO_MEMORY;
	to->marks = marks;
	struct state_delivery *deliveries =
	    reallocarray(to->deliveries, to->delivery_count + from->delivery_count + 1, sizeof *deliveries);
	if (deliveries == NULL)
		return RESULT_NO_MEMORY;
	to->deliveries = deliveries;
	for (size_t i = 0; i < from->mark_count; i++)
		append_mark(to, &from->marks[i]);
	for (size_t i = 0; i < from->delivery_count; i++)
		to->deliveries[to->delivery_count++] = from->deliveries[i];
	for (size_t i = 0; i < from->chunks.count; i++)
		chunks_add(&to->chunks, &from->chunks.added[i]);
	return RESULT_OK;
}

enum result borders_carry(struct borders *to, const struct borders *from)
{
	enum result result = append(&to->carried, &from->carried);
	for (size_t i = 0; result == RESULT_OK && i < from->count; i++)
		result = append(&to->carried, &from->list[i]);
	return result;
}

enum result borders_join(const struct borders *borders, size_t first, size_t end, struct border *out)
{
	borders_clear_one(out);
	enum result result = first == 0 ? append(out, &borders->carried) : RESULT_OK;
	for (size_t i = first; result == RESULT_OK && i < end; i++)
		result = append(out, &borders->list[i]);
	return result;
}

void borders_clear_one(struct border *border)
{
	free(border->marks);
	free(border->deliveries);
	border->marks = NULL;
	border->deliveries = NULL;
	border->mark_count = border->delivery_count = 0;
	chunks_clear(&border->chunks);
}

void borders_clear(struct borders *borders)
{
	borders_clear_one(&borders->carried);
	for (size_t i = 0; i < borders->count; i++)
		borders_clear_one(&borders->list[i]);
	borders->count = 0;
}

void borders_free_one(struct border *border)
{
	borders_clear_one(border);
	chunks_free(&border->chunks);
}

void borders_free(struct borders *borders)
{
	borders_free_one(&borders->carried);
	for (size_t i = 0; i < BATCH_PARTS_MAX; i++)
		borders_free_one(&borders->list[i]);
	borders->count = 0;
}
