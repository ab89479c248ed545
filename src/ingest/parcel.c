// SPDX-License-Identifier: Apache-2.0
#include "ingest/parcel.h"

#include <stdlib.h>
#include <string.h>

#include "base/aside.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "ingest/segment.h"
#include "ingest/watermark.h"
#include "state_merge.h"

/* To store a row takes at least so many times as long as to judge one. */
enum { STORING_COSTS = 8 };

static enum result commit_txn(struct state_txn *txn, struct error *error)
{
	struct state_error failure;
	if (state_txn_commit(txn, &failure) != STATE_OK)
		return dataset_state_error(error, &failure, "cannot write the state");
	return RESULT_OK;
}

void parcel_init(struct parcel *parcel)
{
	latch_init(&parcel->recorded);
}

enum result parcel_judge(struct state *state, const struct dataset *dataset, struct batch *batch,
                         struct error *error)
{
	/* A snapshot taken now sees the pending run of the batch before (I3). */
	struct state_txn *txn = state_txn_begin_read(state);
	struct batch_rules rules = {
	    .dataset = dataset->record.id,
	    .row_key = dataset->row_key,
	    .is_keyed = dataset->options.spec.key_count > 0,
	    .on_change = dataset->options.on_change,
	};
	enum state_result judged = batch_judge(batch, txn, &rules);
	struct state_error failure = {.result = judged, .text = "out of memory"};
	if (judged != STATE_OK)
		state_txn_failure(txn, &failure);
	state_txn_abort(txn);
	return judged == STATE_OK ? RESULT_OK
	                          : dataset_state_error(error, &failure, "cannot probe the seen-set");
}

/* What a member that is delivered again, and recognised whole, will count: its rows have all been judged. */
static void remember_counts(struct border *border)
{
	for (size_t i = 0; i < border->mark_count; i++) {
		struct state_mark *mark = &border->marks[i];
		const struct state_counts *counts = &mark->member.counts;
		mark->content.counts = (struct state_counts){
		    .rows = counts->rows,
		    .duplicate = counts->rows - counts->filtered,
		    .filtered = counts->filtered,
		};
	}
}

/* The marks cover the rows: now it is known how these count. A member's mark covers those of earlier parts too. */
static void count_rows(struct parcel *parcel)
{
	struct state_counts sum = {0};
	const struct state_counts *member = NULL;
	for (const struct batch_share *share = parcel->batch.shares; share != NULL; share = share->next) {
		if (share->member != member)
			sum = (struct state_counts){0};
		member = share->member;
		batch_add_counts(&sum, &share->counts);
		if (share->mark != NULL)
			batch_add_counts(&share->mark->member.counts, &sum);
	}
}

/* A delivery is durable, as open, before anything that belongs to it. */
static void put_deliveries(struct state_txn *txn, const struct border *border)
{
	for (size_t i = 0; i < border->delivery_count; i++)
		state_delivery_put(txn, &border->deliveries[i]);
}

/* Members without a dataset of their own have no caches or runs to apply. */
void parcel_put_border(struct state_txn *txn, struct parcel *parcel)
{
	struct border *border = &parcel->border;
	put_deliveries(txn, border);
	remember_counts(border);
	for (size_t i = 0; i < border->mark_count; i++) {
		const struct state_mark *mark = &border->marks[i];
		if (mark->member.dataset == 0)
			state_delivery_put_member(txn, &mark->member);
		else
			state_batch_apply_marks(txn, mark->member.dataset, mark, 1);
	}
	if (border->chunks.count == 0)
		return;
	chunks_sort(&border->chunks);
	state_chunk_put(txn, parcel->dataset->record.id, border->chunks.added, border->chunks.count);
}

/* Step 0: the rows as the object store will get them. Their object's name is fixed with the batch. */
static enum result keep_rows(const struct parcel *parcel, struct state_segment *segment, struct error *error)
{
	const char *directory = parcel->spool->directory;
	struct state_outbox batch = {.made_ns = clock_wall_ns()};
	batch.seq = parcel->record.seq + (parcel->promotion_due ? 2 : 1);
	memcpy(batch.subject, parcel->batch_id.bytes, sizeof batch.subject);
	CLEANUP_FREE char *path = spool_path(directory, batch.subject, SPOOL_ROWS);
	if (path == NULL || spool_rows_object(segment->object, parcel->record.name, &batch) != 0)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	segment->made_ns = batch.made_ns;
	enum result result =
	    segment_write(path, parcel->batch.unseen, parcel->batch.unseen_count, &segment->bytes, error);
	return result == RESULT_OK ? file_sync_directory(directory, error) : result;
}

/* Begins a transaction that makes the batch before live. */
static struct state_txn *begin_txn(struct parcel *parcel)
{
	struct state_txn *txn = state_txn_begin_write(parcel->state);
	if (parcel->promotion_due)
		dataset_promote(parcel->dataset, txn, &parcel->record);
	return txn;
}

/* The transaction that was begun with it; what was pending before is promoted with its success. */
static enum result record(struct parcel *parcel, struct state_txn *txn, struct error *error)
{
	enum result result = commit_txn(txn, error);
	parcel->is_recorded = result == RESULT_OK;
	if (parcel->is_recorded)
		parcel->promotion_due = false;
	return result;
}

/* Step 1. */
static enum result put_intent(struct parcel *parcel, const struct state_segment *segment, struct error *error)
{
	const struct dataset *dataset = parcel->dataset;
	const struct batch *rows = &parcel->batch;
	struct border *border = &parcel->border;
	struct state_txn *txn = begin_txn(parcel);
	put_deliveries(txn, border);
	remember_counts(border);
	chunks_sort(&border->chunks);
	struct state_batch batch = {
	    .dataset = parcel->record.id,
	    .seq = parcel->record.seq + 1,
	    .schema_version = dataset->schema->version,
	    .chunks = border->chunks.added,
	    .chunk_count = border->chunks.count,
	    .marks = border->marks,
	    .mark_count = border->mark_count,
	    .segment = segment,
	    .watermark = watermark_after(dataset, &parcel->record.watermark, rows),
	};
	if (dataset->options.spec.key_count == 0) {
		batch.digests = rows->judging->digests;
		batch.digest_count = rows->unseen_count;
	} else {
		batch.entries = rows->judging->entries;
		batch.entry_count = rows->unseen_count;
		batch.new_count = rows->unseen_count - rows->update_count;
	}
	memcpy(batch.batch_id, parcel->batch_id.bytes, sizeof batch.batch_id);
	state_batch_put(txn, &batch);
	enum result result = record(parcel, txn, error);
	if (result == RESULT_OK && parcel->is_last) {
		parcel->leaves_time = rows->unseen_count >= rows->count / STORING_COSTS;
		latch_open(&parcel->recorded);
	}
	return result;
}

/* Nothing of it is moved on by preparing the batch. */
struct sink_batch parcel_rows(const struct parcel *parcel)
{
	return (struct sink_batch){
	    .table = parcel->dataset->record.table,
	    .schema = parcel->dataset->schema,
	    .head = &parcel->head,
	    .batch_id = parcel->batch_id,
	    .expects_rows = parcel->record.rows > 0 || parcel->promotion_due,
	    .rows = parcel->batch.unseen,
	    .row_count = parcel->batch.unseen_count,
	    .update_count = parcel->batch.update_count,
	};
}

enum result parcel_merge(const struct parcel *parcel, size_t added, struct error *error)
{
	struct state_error failure;
	if (state_merge_step(parcel->state, parcel->dataset->record.id, added, &failure) != STATE_OK)
		return dataset_state_error(error, &failure, "cannot merge runs");
	return RESULT_OK;
}

/* Steps 0 and 1, and a share of the merging. */
static enum result prepare(void *context, struct error *error)
{
	struct parcel *parcel = context;
	struct state_segment segment;
	bool is_kept = parcel->spool->rows;
	enum result result = is_kept ? keep_rows(parcel, &segment, error) : RESULT_OK;
	if (result == RESULT_OK)
		result = put_intent(parcel, is_kept ? &segment : NULL, error);
	if (result == RESULT_OK)
		result =
		    parcel_merge(parcel, parcel->batch.unseen_count + parcel->border.chunks.count, error);
	return result;
}

static enum result await_preparation(void *preparation, struct error *error)
{
	return aside_await(preparation, error);
}

/* Step 2: while the rows go to the table it is prepared that they may stay there. */
static enum result commit_rows(struct parcel *parcel, struct error *error)
{
	int64_t started = clock_monotonic_ns();
	struct sink_batch batch = parcel_rows(parcel);
	struct aside preparation = {0};
	batch.may_commit = await_preparation;
	batch.context = &preparation;
	enum result result = RESULT_OK;
	if (!aside_start(&preparation, prepare, parcel))
		result = prepare(parcel, error);
	if (result != RESULT_OK)
		return result;
	result = parcel->sink->interface->store(parcel->sink, &batch, error);
	struct error failure;
	enum result prepared = aside_await(&preparation, &failure);
	if (prepared != RESULT_OK) {
		*error = failure;
		return prepared;
	}
	if (result != RESULT_OK)
		return result;
	parcel->is_stored = parcel->promotion_due = true;
	parcel->head.seq++;
	parcel->head.batch_id = parcel->batch_id;
	parcel->seconds[parcel->stored_count++] = (double)(clock_monotonic_ns() - started) / 1e9;
	return RESULT_OK;
}

/* Of rows that were all seen. */
static enum result commit_border(struct parcel *parcel, struct error *error)
{
	struct state_txn *txn = begin_txn(parcel);
	parcel_put_border(txn, parcel);
	enum result result = record(parcel, txn, error);
	return result == RESULT_OK ? parcel_merge(parcel, parcel->border.chunks.count, error) : result;
}

static enum result join(struct parcel *parcel, size_t first, size_t end, struct error *error)
{
	if (parcel->is_stored)
		parcel->batch_id = id_random();
	parcel->is_recorded = parcel->is_stored = false;
	parcel->is_last = end == parcel->borders.count;
	if (borders_join(&parcel->borders, first, end, &parcel->border) != RESULT_OK)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	return RESULT_OK;
}

enum result parcel_join_all(struct parcel *parcel, struct error *error)
{
	return join(parcel, 0, parcel->borders.count, error);
}

static enum result store(struct parcel *parcel, struct error *error)
{
	enum result result = RESULT_OK;
	if (!parcel->batch.is_judged)
		result = parcel_judge(parcel->state, parcel->dataset, &parcel->batch, error);
	if (result != RESULT_OK)
		return result;
	count_rows(parcel);
	for (size_t first = 0, end; result == RESULT_OK && first < parcel->borders.count; first = end) {
		end = batch_select(&parcel->batch, first);
		result = join(parcel, first, end, error);
		if (result != RESULT_OK)
			return result;
		if (parcel->batch.unseen_count > 0)
			result = commit_rows(parcel, error);
		else if (parcel->border.chunks.count >= CHUNKS_MAX)
			result = commit_border(parcel, error);
	}
	return result;
}

enum result parcel_store(struct parcel *parcel, struct error *error)
{
	enum result result = store(parcel, error);
	latch_open(&parcel->recorded);
	return result;
}

void parcel_clear(struct parcel *parcel)
{
	batch_clear(&parcel->batch);
	borders_clear(&parcel->borders);
	borders_clear_one(&parcel->border);
	parcel->stored_count = 0;
	parcel->is_recorded = parcel->is_stored = parcel->leaves_time = false;
	latch_close(&parcel->recorded);
}

void parcel_free(struct parcel *parcel)
{
	parcel_clear(parcel);
	batch_close(&parcel->batch);
	borders_free(&parcel->borders);
	borders_free_one(&parcel->border);
	latch_free(&parcel->recorded);
}
