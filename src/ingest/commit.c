// SPDX-License-Identifier: Apache-2.0
#include "ingest/commit.h"

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

static enum result number_rows(struct ingest *ingest, struct error *error)
{
	const struct dataset *dataset = ingest->current;
	if (!dataset->options.spec.keeps_duplicates)
		return RESULT_OK;
	return bag_number(&ingest->bag, ingest->options.state, &ingest->batch, ingest->open_member,
	                  dataset->row_key, error);
}

static enum result judge_batch(struct ingest *ingest, struct error *error)
{
	batch_digest(&ingest->batch, ingest->current->row_key);
	enum result result = number_rows(ingest, error);
	if (result != RESULT_OK)
		return result;
	/* A snapshot taken now sees the pending run of the batch before (I3). */
	struct state_txn *txn = state_txn_begin_read(ingest->options.state);
	const struct dataset *dataset = ingest->current;
	struct batch_rules rules = {
	    .dataset = dataset->record.id,
	    .is_keyed = dataset->options.spec.key_count > 0,
	    .on_change = dataset->options.on_change,
	};
	enum state_result judged = batch_judge(&ingest->batch, txn, &rules);
	struct state_error failure = {.result = judged, .text = "out of memory"};
	if (judged != STATE_OK)
		state_txn_failure(txn, &failure);
	state_txn_abort(txn);
	return judged == STATE_OK ? origins_reject(&ingest->origins, &ingest->batch, error)
	                          : dataset_state_error(error, &failure, "cannot probe the seen-set");
}

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

struct marks {
	struct state_mark *marks;
	size_t count;
};

/* What a member that is delivered again, and recognised whole, will count: its rows have all been judged. */
static void remember_counts(struct state_mark *mark)
{
	const struct state_counts *counts = &mark->member.counts;
	mark->content.counts = (struct state_counts){
	    .rows = counts->rows,
	    .duplicate = counts->rows - counts->filtered,
	    .filtered = counts->filtered,
	};
}

/* The marks of every member that moved on since the last transaction. */
static enum result collect_marks(struct ingest *ingest, struct marks *out, struct error *error)
{
	*out = (struct marks){0};
	size_t capacity = 0;
	for (struct delivery *delivery = ingest->deliveries; delivery != NULL; delivery = delivery->next) {
		for (size_t i = 0; i < delivery->member_count; i++) {
			struct delivery_member *member = delivery->members[i];
			if (!member->is_dirty)
				continue;
			if (out->count == capacity) {
				capacity = capacity == 0 ? 16 : 2 * capacity;
				struct state_mark *marks = realloc(out->marks, capacity * sizeof *marks);
				if (marks == NULL) {
					free(out->marks);
					return error_set(error, RESULT_NO_MEMORY, "out of memory");
				}
				out->marks = marks;
			}
			if (member->dataset != NULL) {
				member->mark.member.dataset = member->dataset->record.id;
				member->mark.member.cache_epoch = member->dataset->record.cache_epoch;
				member->mark.content.dataset = member->dataset->record.id;
			}
			remember_counts(&member->mark);
			member->mark.rejects_length = delivery->record.rejects_length;
			out->marks[out->count++] = member->mark;
		}
	}
	return RESULT_OK;
}

static void clear_dirty(struct ingest *ingest)
{
	for (struct delivery *delivery = ingest->deliveries; delivery != NULL; delivery = delivery->next) {
		delivery->is_recorded = true;
		for (size_t i = 0; i < delivery->member_count; i++)
			delivery->members[i]->is_dirty = false;
	}
}

static void promote(struct state_txn *txn, struct dataset *dataset)
{
	state_batch_promote(txn, dataset->record.id);
	state_dataset_get(txn, dataset->record.name, &dataset->record);
}

/* A delivery is durable, as open, before anything that belongs to it. */
static void record_deliveries(struct state_txn *txn, const struct ingest *ingest)
{
	for (const struct delivery *delivery = ingest->deliveries; delivery != NULL;
	     delivery = delivery->next) {
		if (delivery->is_recorded)
			continue;
		struct state_delivery record = delivery->record;
		record.status = STATE_STATUS_OPEN;
		record.rejects_length = 0;
		record.reason[0] = '\0';
		state_delivery_put(txn, &record);
	}
}

/* Step 0 too: the rows as the object store will get them. Their object's name is fixed with the batch. */
static enum result keep_rows(const struct ingest *ingest, struct id batch_id, struct state_segment *segment,
                             struct error *error)
{
	const struct spool_options *spool = &ingest->options.spool;
	const struct state_dataset *dataset = &ingest->current->record;
	struct state_outbox batch = {.made_ns = clock_wall_ns()};
	batch.seq = dataset->seq + (ingest->current->promotion_due ? 2 : 1);
	memcpy(batch.subject, batch_id.bytes, sizeof batch.subject);
	CLEANUP_FREE char *path = spool_path(spool->directory, batch.subject, SPOOL_ROWS);
	if (path == NULL || spool_rows_object(segment->object, dataset->name, &batch) != 0)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	segment->made_ns = batch.made_ns;
	enum result result =
	    segment_write(path, ingest->batch.unseen, ingest->batch.unseen_count, &segment->bytes, error);
	return result == RESULT_OK ? file_sync_directory(spool->directory, error) : result;
}

/* Step 1. */
static enum result put_intent(struct ingest *ingest, struct id batch_id, const struct state_segment *segment,
                              struct error *error)
{
	struct dataset *dataset = ingest->current;
	const struct batch *rows = &ingest->batch;
	struct marks marks;
	enum result result = collect_marks(ingest, &marks, error);
	if (result != RESULT_OK)
		return result;
	struct state_txn *txn = state_txn_begin_write(ingest->options.state);
	if (dataset->promotion_due)
		promote(txn, dataset);
	record_deliveries(txn, ingest);
	chunks_sort(&ingest->chunks);
	struct state_batch batch = {
	    .dataset = dataset->record.id,
	    .seq = dataset->record.seq + 1,
	    .schema_version = dataset->schema->version,
	    .chunks = ingest->chunks.added,
	    .chunk_count = ingest->chunks.count,
	    .marks = marks.marks,
	    .mark_count = marks.count,
	    .segment = segment,
	    .watermark = watermark_after(dataset, rows),
	};
	if (dataset->options.spec.key_count == 0) {
		batch.digests = rows->digests;
		batch.digest_count = rows->unseen_count;
	} else {
		batch.entries = rows->entries;
		batch.entry_count = rows->unseen_count;
		batch.new_count = rows->unseen_count - rows->update_count;
	}
	memcpy(batch.batch_id, batch_id.bytes, sizeof batch.batch_id);
	state_batch_put(txn, &batch);
	result = commit_txn(txn, error);
	free(marks.marks);
	if (result == RESULT_OK) {
		dataset->promotion_due = false;
		clear_dirty(ingest);
		chunks_clear(&ingest->chunks);
	}
	return result;
}

/* As much of the merging as so many new entries ask for. */
static enum result merge_runs(struct ingest *ingest, size_t added, struct error *error)
{
	struct state_error failure;
	if (state_merge_step(ingest->options.state, ingest->current->record.id, added, &failure) != STATE_OK)
		return dataset_state_error(error, &failure, "cannot merge runs");
	return RESULT_OK;
}

struct sifting {
	struct ingest *ingest;
	const struct sink_batch *batch;
	enum result result;
};

static void take_refused(void *context, size_t row, const char *message)
{
	struct sifting *sifting = context;
	const struct dataset *dataset = sifting->ingest->current;
	struct row_digest digest = row_digest(sifting->batch->rows[row], dataset->row_key);
	if (sifting->result == RESULT_OK)
		sifting->result = refused_add(&sifting->ingest->refused, dataset->record.id, digest, message);
}

/*
 * The sink refuses some row of the batch. Which ones is found out on the side; then the batch is discarded by
 * the next contact, its deliveries are read again without them, and the rest is another batch (I2).
 */
static enum result sift(struct ingest *ingest, const struct sink_batch *batch, struct error *error)
{
	struct sink *sink = ingest->options.sink;
	struct sifting sifting = {ingest, batch, RESULT_OK};
	struct sink_sifting what = {batch, take_refused, &sifting};
	size_t before = ingest->refused.count;
	struct error failure;
	enum result result = sink->interface->connect(sink, &failure);
	if (result == RESULT_OK)
		result = sink->interface->sift(sink, &what, &failure);
	if (result != RESULT_OK) {
		*error = failure;
		return result;
	}
	if (sifting.result != RESULT_OK)
		return error_set(error, sifting.result, "out of memory");
	if (ingest->refused.count == before)
		return error->result; /* refused together, and none alone: nothing more can be said */
	return error->result = RESULT_AGAIN;
}

/* Step 2. */
static enum result store(struct ingest *ingest, struct id batch_id, struct error *error)
{
	struct dataset *dataset = ingest->current;
	struct sink *sink = ingest->options.sink;
	struct sink_batch batch = {
	    .table = dataset->record.table,
	    .schema = dataset->schema,
	    .head = &dataset->head,
	    .batch_id = batch_id,
	    .expects_rows = dataset->record.rows > 0,
	    .rows = ingest->batch.unseen,
	    .row_count = ingest->batch.unseen_count,
	    .update_count = ingest->batch.update_count,
	};
	enum result result = sink->interface->store(sink, &batch, error);
	if (result == RESULT_OK) {
		dataset->promotion_due = true;
		dataset->head.seq++;
		dataset->head.batch_id = batch_id;
		if (batch.update_count > 0)
			dataset->updated_seq = dataset->head.seq;
		dataset->contacted_ns = clock_monotonic_ns();
		return RESULT_OK;
	}
	dataset->is_judged = false;
	if (result == RESULT_REFUSED)
		return sift(ingest, &batch, error);
	if (result != RESULT_DISAGREES && result != RESULT_CONFIG)
		return result;
	/* Head or table changed under us: judging says whether that is settled now or must stop the dataset.
	 */
	struct error verdict = {0};
	enum result judged = dataset_contact(dataset, ingest->options.state, sink, &verdict);
	if (judged == RESULT_DISAGREES) {
		*error = verdict;
		return judged;
	}
	return result == RESULT_DISAGREES ? error->result = RESULT_UNREACHABLE : result;
}

enum result commit_batch(struct ingest *ingest, struct error *error)
{
	struct batch *batch = &ingest->batch;
	chunks_release(&ingest->chunks);
	if (batch->count == 0)
		return RESULT_OK;
	enum result result = judge_batch(ingest, error);
	if (result != RESULT_OK)
		return result;
	if (batch->unseen_count > 0 && !ingest->options.dry_run) {
		struct id batch_id =
		    id_is_none(ingest->given_batch_id) ? id_random() : ingest->given_batch_id;
		struct state_segment segment;
		bool is_kept = ingest->options.spool.rows;
		int64_t started = clock_monotonic_ns();
		result = sync_rejects(ingest, error);
		if (result == RESULT_OK && is_kept)
			result = keep_rows(ingest, batch_id, &segment, error);
		if (result == RESULT_OK)
			result = put_intent(ingest, batch_id, is_kept ? &segment : NULL, error);
		if (result == RESULT_OK)
			result = store(ingest, batch_id, error);
		if (result == RESULT_OK && ingest->options.stored != NULL)
			ingest->options.stored(ingest->options.context,
			                       (double)(clock_monotonic_ns() - started) / 1e9);
		if (result == RESULT_OK)
			result = merge_runs(ingest, batch->unseen_count, error);
	}
	batch_clear(batch);
	if (result == RESULT_OK && ingest->chunks.count >= CHUNKS_MAX)
		result = commit_settle(ingest, error);
	return result;
}

/* Marks of rows that needed no batch. Members without a dataset of their own have no caches or runs to apply.
 */
static void apply_marks(struct state_txn *txn, const struct marks *marks)
{
	for (size_t i = 0; i < marks->count; i++) {
		if (marks->marks[i].member.dataset == 0)
			state_delivery_put_member(txn, &marks->marks[i].member);
		else
			state_batch_apply_marks(txn, marks->marks[i].member.dataset, &marks->marks[i], 1);
	}
}

/* What no batch has carried: all its rows are live, since what was pending is promoted in this transaction. */
static void put_chunks(struct state_txn *txn, struct ingest *ingest)
{
	struct chunks *chunks = &ingest->chunks;
	if (chunks->count == 0)
		return;
	chunks_sort(chunks);
	state_chunk_put(txn, ingest->current->record.id, chunks->added, chunks->count);
}

/* What an end owes to the store is owed once: a delivery may wait in the list while others go on. */
static enum result end_deliveries(struct state_txn *txn, struct ingest *ingest, struct error *error)
{
	enum result result = RESULT_OK;
	for (struct delivery *delivery = ingest->deliveries; result == RESULT_OK && delivery != NULL;
	     delivery = delivery->next) {
		if (!delivery->is_read || delivery->is_ended)
			continue;
		delivery->record.finished_ns = clock_wall_ns();
		state_delivery_put(txn, &delivery->record);
		result = spool_owe(txn, &ingest->options.spool, delivery, error);
	}
	return result;
}

/* Promise 3: every record that was read has one outcome. A mismatch is a bug; the file stays. */
static enum result check_balance(const struct ingest *ingest, struct error *error)
{
	for (const struct delivery *delivery = ingest->deliveries; delivery != NULL;
	     delivery = delivery->next) {
		for (size_t i = 0; delivery->is_read && i < delivery->member_count; i++) {
			const struct delivery_member *member = delivery->members[i];
			const struct state_counts *counts = &member->mark.member.counts;
			uint64_t sum = counts->new + counts->updated + counts->duplicate + counts->filtered +
			               counts->rejected;
			if (sum != counts->rows || counts->rows != member->records)
				return error_set(error, RESULT_STATE,
				                 "'%s': %llu records were read, but %llu are accounted for",
				                 delivery->record.path, (unsigned long long)member->records,
				                 (unsigned long long)sum);
		}
	}
	return RESULT_OK;
}

static bool has_work(const struct ingest *ingest)
{
	if (ingest->deliveries != NULL)
		return true;
	for (size_t i = 0; i < ingest->dataset_count; i++) {
		if (ingest->datasets[i]->promotion_due)
			return true;
	}
	return false;
}

enum result commit_settle(struct ingest *ingest, struct error *error)
{
	if (ingest->options.dry_run)
		return check_balance(ingest, error);
	if (!has_work(ingest))
		return RESULT_OK;
	struct marks marks;
	enum result result = check_balance(ingest, error);
	if (result == RESULT_OK)
		result = sync_rejects(ingest, error);
	if (result == RESULT_OK)
		result = collect_marks(ingest, &marks, error);
	if (result != RESULT_OK)
		return result;
	struct state_txn *txn = state_txn_begin_write(ingest->options.state);
	for (size_t i = 0; i < ingest->dataset_count; i++) {
		if (ingest->datasets[i]->promotion_due)
			promote(txn, ingest->datasets[i]);
	}
	record_deliveries(txn, ingest);
	apply_marks(txn, &marks);
	put_chunks(txn, ingest);
	result = end_deliveries(txn, ingest, error);
	if (result == RESULT_OK)
		result = commit_txn(txn, error);
	else
		state_txn_abort(txn);
	free(marks.marks);
	if (result != RESULT_OK)
		return result;
	for (size_t i = 0; i < ingest->dataset_count; i++)
		ingest->datasets[i]->promotion_due = false;
	for (struct delivery *delivery = ingest->deliveries; delivery != NULL; delivery = delivery->next)
		delivery->is_ended = delivery->is_read;
	clear_dirty(ingest);
	size_t chunk_count = ingest->chunks.count;
	chunks_clear(&ingest->chunks);
	return chunk_count > 0 ? merge_runs(ingest, chunk_count, error) : RESULT_OK;
}
