// SPDX-License-Identifier: Apache-2.0
#include "ingest/parcel.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ingest/segment.h"
#include "ingest/watermark.h"
#include "state_merge.h"

static enum result commit_txn(struct state_txn *txn, struct error *error)
{
	struct state_error failure;
	if (state_txn_commit(txn, &failure) != STATE_OK)
		return dataset_state_error(error, &failure, "cannot write the state");
	return RESULT_OK;
}

enum result parcel_judge(struct parcel *parcel, struct error *error)
{
	const struct dataset *dataset = parcel->dataset;
	/* A snapshot taken now sees the pending run of the batch before (I3). */
	struct state_txn *txn = state_txn_begin_read(parcel->state);
	struct batch_rules rules = {
	    .dataset = dataset->record.id,
	    .row_key = dataset->row_key,
	    .is_keyed = dataset->options.spec.key_count > 0,
	    .on_change = dataset->options.on_change,
	};
	enum state_result judged = batch_judge(&parcel->batch, txn, &rules);
	struct state_error failure = {.result = judged, .text = "out of memory"};
	if (judged != STATE_OK)
		state_txn_failure(txn, &failure);
	state_txn_abort(txn);
	parcel->is_judged = judged == STATE_OK;
	return judged == STATE_OK ? RESULT_OK
	                          : dataset_state_error(error, &failure, "cannot probe the seen-set");
}

/* What a member that is delivered again, and recognised whole, will count: its rows have all been judged. */
static void remember_counts(struct parcel *parcel)
{
	for (size_t i = 0; i < parcel->mark_count; i++) {
		struct state_mark *mark = &parcel->marks[i];
		const struct state_counts *counts = &mark->member.counts;
		mark->content.counts = (struct state_counts){
		    .rows = counts->rows,
		    .duplicate = counts->rows - counts->filtered,
		    .filtered = counts->filtered,
		};
	}
}

/* The marks cover the rows: now it is known how these count. */
static void count_rows(struct parcel *parcel)
{
	for (const struct batch_share *share = parcel->batch.shares; share != NULL; share = share->next) {
		if (share->mark != NULL)
			batch_add_counts(&share->mark->member.counts, &share->counts);
	}
}

/* A delivery is durable, as open, before anything that belongs to it. */
static void put_deliveries(struct state_txn *txn, const struct parcel *parcel)
{
	for (size_t i = 0; i < parcel->delivery_count; i++)
		state_delivery_put(txn, &parcel->deliveries[i]);
}

/* Members without a dataset of their own have no caches or runs to apply. */
void parcel_put_marks(struct state_txn *txn, struct parcel *parcel)
{
	put_deliveries(txn, parcel);
	remember_counts(parcel);
	for (size_t i = 0; i < parcel->mark_count; i++) {
		const struct state_mark *mark = &parcel->marks[i];
		if (mark->member.dataset == 0)
			state_delivery_put_member(txn, &mark->member);
		else
			state_batch_apply_marks(txn, mark->member.dataset, mark, 1);
	}
	if (parcel->chunks.count == 0)
		return;
	chunks_sort(&parcel->chunks);
	state_chunk_put(txn, parcel->dataset->record.id, parcel->chunks.added, parcel->chunks.count);
}

/* Step 0: the rows as the object store will get them. Their object's name is fixed with the batch. */
static enum result keep_rows(const struct parcel *parcel, struct state_segment *segment, struct error *error)
{
	const char *directory = parcel->spool->directory;
	struct state_outbox batch = {.made_ns = clock_wall_ns()};
	batch.seq = parcel->record.seq + (parcel->dataset->promotion_due ? 2 : 1);
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
	if (parcel->dataset->promotion_due)
		dataset_promote(parcel->dataset, txn, &parcel->record);
	return txn;
}

/* Step 1. */
static enum result put_intent(struct parcel *parcel, const struct state_segment *segment, struct error *error)
{
	const struct dataset *dataset = parcel->dataset;
	const struct batch *rows = &parcel->batch;
	struct state_txn *txn = begin_txn(parcel);
	put_deliveries(txn, parcel);
	remember_counts(parcel);
	chunks_sort(&parcel->chunks);
	struct state_batch batch = {
	    .dataset = parcel->record.id,
	    .seq = parcel->record.seq + 1,
	    .schema_version = dataset->schema->version,
	    .chunks = parcel->chunks.added,
	    .chunk_count = parcel->chunks.count,
	    .marks = parcel->marks,
	    .mark_count = parcel->mark_count,
	    .segment = segment,
	    .watermark = watermark_after(dataset, &parcel->record.watermark, rows),
	};
	if (dataset->options.spec.key_count == 0) {
		batch.digests = rows->digests;
		batch.digest_count = rows->unseen_count;
	} else {
		batch.entries = rows->entries;
		batch.entry_count = rows->unseen_count;
		batch.new_count = rows->unseen_count - rows->update_count;
	}
	memcpy(batch.batch_id, parcel->batch_id.bytes, sizeof batch.batch_id);
	state_batch_put(txn, &batch);
	enum result result = commit_txn(txn, error);
	parcel->is_recorded = result == RESULT_OK;
	return result;
}

struct sink_batch parcel_rows(const struct parcel *parcel)
{
	return (struct sink_batch){
	    .table = parcel->record.table,
	    .schema = parcel->dataset->schema,
	    .head = &parcel->dataset->head,
	    .batch_id = parcel->batch_id,
	    .expects_rows = parcel->record.rows > 0,
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

static enum result commit_rows(struct parcel *parcel, struct error *error)
{
	int64_t started = clock_monotonic_ns();
	struct state_segment segment;
	bool is_kept = parcel->spool->rows;
	enum result result = is_kept ? keep_rows(parcel, &segment, error) : RESULT_OK;
	if (result == RESULT_OK)
		result = put_intent(parcel, is_kept ? &segment : NULL, error);
	if (result != RESULT_OK)
		return result;
	/* Step 2. */
	struct sink_batch batch = parcel_rows(parcel);
	result = parcel->sink->interface->store(parcel->sink, &batch, error);
	if (result != RESULT_OK)
		return result;
	parcel->is_stored = true;
	parcel->seconds = (double)(clock_monotonic_ns() - started) / 1e9;
	return parcel_merge(parcel, parcel->batch.unseen_count + parcel->chunks.count, error);
}

/* Of rows that were all seen. */
static enum result commit_marks(struct parcel *parcel, struct error *error)
{
	struct state_txn *txn = begin_txn(parcel);
	parcel_put_marks(txn, parcel);
	enum result result = commit_txn(txn, error);
	parcel->is_recorded = result == RESULT_OK;
	return result == RESULT_OK ? parcel_merge(parcel, parcel->chunks.count, error) : result;
}

enum result parcel_store(struct parcel *parcel, struct error *error)
{
	enum result result = parcel->is_judged ? RESULT_OK : parcel_judge(parcel, error);
	if (result != RESULT_OK)
		return result;
	count_rows(parcel);
	if (parcel->batch.unseen_count > 0)
		return commit_rows(parcel, error);
	return parcel->chunks.count >= CHUNKS_MAX ? commit_marks(parcel, error) : RESULT_OK;
}

void parcel_clear(struct parcel *parcel)
{
	batch_clear(&parcel->batch);
	chunks_clear(&parcel->chunks);
	free(parcel->marks);
	free(parcel->deliveries);
	parcel->marks = NULL;
	parcel->deliveries = NULL;
	parcel->mark_count = 0;
	parcel->delivery_count = 0;
	parcel->is_judged = parcel->is_recorded = parcel->is_stored = false;
}

void parcel_free(struct parcel *parcel)
{
	parcel_clear(parcel);
	batch_close(&parcel->batch);
	chunks_free(&parcel->chunks);
}
