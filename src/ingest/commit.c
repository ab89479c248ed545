// SPDX-License-Identifier: Apache-2.0
#include "ingest/commit.h"

#include "base/clock.h"

static bool is_bag(const struct ingest *ingest)
{
	return ingest->current->options.spec.keeps_duplicates;
}

/* A bag's rows get the numbers of their occurrences. */
static enum result number_rows(struct ingest *ingest, struct error *error)
{
	if (!is_bag(ingest))
		return RESULT_OK;
	return bag_number(&ingest->bag, ingest->options.state, &ingest->parcel.batch, ingest->open_member,
	                  ingest->current->row_key, error);
}

/* Rows that judging makes rejects of belong into the marks. */
static bool is_judged_first(const struct ingest *ingest)
{
	const struct dataset_options *options = &ingest->current->options;
	return ingest->options.dry_run ||
	       (options->spec.key_count > 0 && options->on_change == BATCH_CHANGE_REJECTED);
}

static enum result judge_first(struct ingest *ingest, struct error *error)
{
	struct parcel *parcel = &ingest->parcel;
	enum result result = parcel_judge(parcel->state, parcel->dataset, &parcel->batch, error);
	if (result == RESULT_OK)
		result = origins_reject(&ingest->origins, &parcel->batch, error);
	batch_fold(&parcel->batch, &ingest->batch);
	return result;
}

/* The parts that have ended, and what is open, are the parcel's: its last border is here. */
static enum result pack_borders(struct ingest *ingest, struct error *error)
{
	struct parcel *parcel = &ingest->parcel;
	borders_move(&parcel->borders, &ingest->borders);
	return borders_add(&parcel->borders, ingest, &parcel->batch, error);
}

/* The rows of the batch, and what goes with them, are the parcel's; the batch is empty. */
static enum result pack(struct ingest *ingest, struct error *error)
{
	struct parcel *parcel = &ingest->parcel;
	parcel->dataset = ingest->current;
	parcel->record = ingest->current->record;
	parcel->head = ingest->current->head;
	parcel->promotion_due = ingest->current->promotion_due;
	parcel->batch_id = id_is_none(ingest->given_batch_id) ? id_random() : ingest->given_batch_id;
	parcel->is_full = batch_is_full(&ingest->batch);
	batch_take(&parcel->batch, &ingest->batch);
	enum result result = number_rows(ingest, error);
	if (result == RESULT_OK && is_judged_first(ingest))
		result = judge_first(ingest, error);
	if (result == RESULT_OK && !ingest->options.dry_run)
		result = pack_borders(ingest, error);
	return result;
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
static enum result sift(struct ingest *ingest, struct error *error)
{
	struct sink *sink = ingest->options.sink;
	struct sink_batch batch = parcel_rows(&ingest->parcel);
	struct sifting sifting = {ingest, &batch, RESULT_OK};
	struct sink_sifting what = {&batch, take_refused, &sifting};
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

/* What the sink did not take. */
static enum result explain_failure(struct ingest *ingest, struct error *error)
{
	struct dataset *dataset = ingest->current;
	enum result result = error->result;
	dataset->is_judged = false;
	if (result == RESULT_REFUSED)
		return sift(ingest, error);
	if (result != RESULT_DISAGREES && result != RESULT_CONFIG)
		return result;
	/* Head or table changed under us: judging says whether that is settled now or must stop the dataset.
	 */
	struct error verdict = {0};
	enum result judged = dataset_contact(dataset, ingest->options.state, ingest->options.sink, &verdict);
	if (judged == RESULT_DISAGREES) {
		*error = verdict;
		return judged;
	}
	return result == RESULT_DISAGREES ? error->result = RESULT_UNREACHABLE : result;
}

static void take_standing(struct ingest *ingest)
{
	const struct parcel *parcel = &ingest->parcel;
	struct dataset *dataset = ingest->current;
	dataset->record = parcel->record;
	dataset->promotion_due = parcel->promotion_due;
	if (parcel->stored_count == 0)
		return;
	dataset->head = parcel->head;
	if (parcel->batch.update_count > 0)
		dataset->updated_seq = dataset->head.seq;
	dataset->contacted_ns = clock_monotonic_ns();
}

/* Twice as many parts, if the rows to store of that many still fit one transaction when they are like these. */
static void choose_parts(struct ingest *ingest)
{
	const struct parcel *parcel = &ingest->parcel;
	const struct batch *batch = &parcel->batch;
	size_t parts = 2 * ingest->parts;
	if (parcel->stored_count > 1)
		ingest->parts = 1;
	else if (parcel->is_full && parts <= BATCH_PARTS_MAX &&
	         batch->unseen_count * parts <= batch->size.rows * batch->part_count &&
	         batch->unseen_bytes * parts <= batch->size.bytes * batch->part_count)
		ingest->parts = parts;
}

/* What became of the parcel is what the engine knows. */
static enum result unpack(struct ingest *ingest, enum result result, struct error *error)
{
	struct parcel *parcel = &ingest->parcel;
	bool is_of_sink = parcel->is_recorded && !parcel->is_stored && parcel->batch.unseen_count > 0;
	if (parcel->is_recorded)
		take_standing(ingest);
	else if (borders_carry(&ingest->borders, &parcel->borders) != RESULT_OK && result == RESULT_OK)
		result = error_set(error, RESULT_NO_MEMORY, "out of memory");
	for (size_t i = 0; ingest->options.stored != NULL && i < parcel->stored_count; i++)
		ingest->options.stored(ingest->options.context, parcel->seconds[i]);
	batch_fold(&parcel->batch, &ingest->batch);
	choose_parts(ingest);
	if (result != RESULT_OK && is_of_sink)
		result = explain_failure(ingest, error);
	parcel_clear(parcel);
	return result;
}

enum result commit_collect(struct ingest *ingest, struct error *error)
{
	enum result result = committer_await(&ingest->committer, error);
	return result == RESULT_END ? RESULT_OK : unpack(ingest, result, error);
}

/* Where the engine would wait for the batch that is away (P7). To count in a bag is to write. */
static enum result judge_meanwhile(struct ingest *ingest, struct error *error)
{
	if (ingest->batch.count == 0 || is_bag(ingest) || !committer_leaves_time(&ingest->committer))
		return RESULT_OK;
	return parcel_judge(ingest->options.state, ingest->current, &ingest->batch, error);
}

/* Packs what is open, once nothing is away. RESULT_END: there are no rows. */
static enum result begin(struct ingest *ingest, struct error *error)
{
	struct error failure;
	enum result judged = judge_meanwhile(ingest, &failure);
	enum result result = commit_collect(ingest, error);
	chunks_release(&ingest->chunks);
	if (result != RESULT_OK)
		return result;
	if (judged != RESULT_OK) {
		*error = failure;
		return judged;
	}
	if (ingest->batch.count == 0)
		return RESULT_END;
	result = pack(ingest, error);
	return result == RESULT_OK ? result : unpack(ingest, result, error);
}

static enum result store_here(struct ingest *ingest, struct error *error)
{
	enum result result = RESULT_OK;
	if (!ingest->options.dry_run)
		result = parcel_store(&ingest->parcel, error);
	return unpack(ingest, result, error);
}

enum result commit_batch(struct ingest *ingest, struct error *error)
{
	enum result result = begin(ingest, error);
	if (result == RESULT_END)
		return RESULT_OK;
	return result == RESULT_OK ? store_here(ingest, error) : result;
}

/* Not where what becomes of the rows decides what is read next, or how. */
static bool may_read_on(const struct ingest *ingest)
{
	return !is_judged_first(ingest) && ingest->refused.count == 0;
}

/* Those that bring digests of their own need more memory, and so does counting in a bag. */
static bool may_have_parts(const struct ingest *ingest)
{
	const struct schema_spec *spec = &ingest->current->options.spec;
	return may_read_on(ingest) && spec->key_count == 0 && !spec->keeps_duplicates &&
	       !ingest->batch.rows[0].has_digests;
}

enum result commit_ahead(struct ingest *ingest, struct error *error)
{
	if (!may_read_on(ingest))
		return commit_batch(ingest, error);
	if (may_have_parts(ingest) && batch_has_room(&ingest->batch, ingest->parts)) {
		chunks_release(&ingest->chunks);
		return borders_add(&ingest->borders, ingest, &ingest->batch, error);
	}
	enum result result = begin(ingest, error);
	if (result != RESULT_OK || committer_give(&ingest->committer, &ingest->parcel))
		return result == RESULT_END ? RESULT_OK : result;
	return store_here(ingest, error);
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

/* Everything that was read becomes live, and what was read to its end, ended. */
static enum result settle(struct ingest *ingest, struct error *error)
{
	struct state_txn *txn = state_txn_begin_write(ingest->options.state);
	for (size_t i = 0; i < ingest->dataset_count; i++) {
		struct dataset *dataset = ingest->datasets[i];
		if (dataset->promotion_due)
			dataset_promote(dataset, txn, &dataset->record);
	}
	parcel_put_border(txn, &ingest->parcel);
	enum result result = end_deliveries(txn, ingest, error);
	if (result != RESULT_OK) {
		state_txn_abort(txn);
		return result;
	}
	struct state_error failure;
	if (state_txn_commit(txn, &failure) != STATE_OK)
		return dataset_state_error(error, &failure, "cannot write the state");
	for (size_t i = 0; i < ingest->dataset_count; i++)
		ingest->datasets[i]->promotion_due = false;
	for (struct delivery *delivery = ingest->deliveries; delivery != NULL; delivery = delivery->next)
		delivery->is_ended = delivery->is_read;
	return RESULT_OK;
}

enum result commit_settle(struct ingest *ingest, struct error *error)
{
	struct parcel *parcel = &ingest->parcel;
	if (ingest->options.dry_run)
		return check_balance(ingest, error);
	if (!has_work(ingest))
		return RESULT_OK;
	parcel->dataset = ingest->current;
	enum result result = check_balance(ingest, error);
	if (result == RESULT_OK)
		result = pack_borders(ingest, error);
	if (result == RESULT_OK)
		result = parcel_join_all(parcel, error);
	if (result == RESULT_OK)
		result = settle(ingest, error);
	if (result == RESULT_OK && parcel->border.chunks.count > 0)
		result = parcel_merge(parcel, parcel->border.chunks.count, error);
	parcel_clear(parcel);
	return result;
}
