// SPDX-License-Identifier: Apache-2.0
#include "state_merge.h"

#include <stdlib.h>

#include "state_dataset.h"
#include "state_reader.h"
#include "state_slice.h"
#include "state_space.h"
#include "state_writer.h"

/*
 * Which runs are merged: the lightest stretch of at least `fewest` of them none of which weighs more than a
 * `ratio`-th of it, so an entry is rewritten about once whenever its run grows by that. What is heavy is
 * merged more at a time: asking a run more costs a batch less than a tenth of writing its entries again, but
 * a small set is better in few runs. Light runs weigh as much as MERGE_LIGHTEST entries.
 */
struct rule {
	size_t fewest;
	uint64_t ratio;
};

static const struct rule light_rule = {8, 6};
static const struct rule heavy_rule = {16, 14};

enum { MERGE_HEAVY = 1 << 24, MERGE_LIGHTEST = 8 * 4095 };

/*
 * What a batch pays for, in entries moved for each of its own: the more runs there are, the more. A seen-set
 * of a hundred batches needs one.
 */
enum { MERGE_FACTOR = 1, MERGE_RUNS = 8, MERGE_LEAST = 1 << 16 };

/* A slice of removing: values, and what it counts for in entries moved. */
enum { SWEEP_VALUES = 256, SWEEP_COST = 1 << 16 };

struct stretch {
	size_t from;
	size_t count;
	uint64_t weight;
};

static uint64_t weight_of(const struct state_manifest *run)
{
	return run->entries < MERGE_LIGHTEST ? MERGE_LIGHTEST : run->entries;
}

static bool is_free(const struct state_manifest *run)
{
	return run->state == STATE_RUN_LIVE && run->into == 0;
}

/* The lightest stretch that should be merged; its count is 0 when there is none. */
static struct stretch lightest(const struct state_manifest *runs, size_t count)
{
	struct stretch best = {0};
	for (size_t from = 0; from < count; from++) {
		uint64_t total = 0;
		uint64_t heaviest = 0;
		for (size_t i = from; i < count && i - from < STATE_SLICE_INPUTS && is_free(&runs[i]); i++) {
			uint64_t weight = weight_of(&runs[i]);
			total += weight;
			heaviest = weight > heaviest ? weight : heaviest;
			struct stretch stretch = {from, i - from + 1, total};
			const struct rule *rule = total > MERGE_HEAVY ? &heavy_rule : &light_rule;
			if (stretch.count >= rule->fewest && total / rule->ratio >= heaviest &&
			    (best.count == 0 || total < best.weight))
				best = stretch;
		}
	}
	return best;
}

static int compare_size(const void *left, const void *right)
{
	const struct state_manifest *a = left;
	const struct state_manifest *b = right;
	return (a->entries < b->entries) - (a->entries > b->entries);
}

/*
 * Moves the runs of a family to the front, in the order in which only neighbours may be merged: those whose
 * newest entry counts by age, with the ones that take part in a merge as barriers; disjoint ones by size.
 */
static size_t line_up(struct state_manifest *runs, size_t count, enum state_run_kind kind)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		struct state_manifest run = runs[i];
		if (run.kind != kind || (kind == STATE_RUN_ROWS && !is_free(&run)))
			continue;
		runs[i] = runs[kept];
		runs[kept++] = run;
	}
	if (kept > 1)
		qsort(runs, kept, sizeof(*runs),
		      kind == STATE_RUN_ROWS ? compare_size : state_manifest_compare_age);
	return kept;
}

/* Creates the output of a merge, and says so in its inputs. */
static enum state_result begin(struct state_txn *txn, struct state_manifest *inputs, size_t count,
                               struct state_manifest *output)
{
	uint64_t entries = 0;
	*output = inputs[0];
	for (size_t i = 0; i < count; i++) {
		entries += inputs[i].entries;
		if (inputs[i].first_seq < output->first_seq)
			output->first_seq = inputs[i].first_seq;
		if (inputs[i].last_seq > output->last_seq)
			output->last_seq = inputs[i].last_seq;
	}
	output->state = STATE_RUN_BUILDING;
	output->entries = 0;
	output->blocks = state_filter_blocks(entries);
	enum state_result result = state_manifest_create(txn, output);
	for (size_t i = 0; i < count; i++)
		inputs[i].into = output->run;
	return result;
}

/* Begins a merge of some family, or finds the smallest that is under way; its inputs come to the front. */
static enum state_result choose(struct state_txn *txn, struct state_manifest *runs, size_t count,
                                struct state_manifest *output, size_t *input_count)
{
	*input_count = 0;
	for (enum state_run_kind kind = STATE_RUN_ROWS; kind <= STATE_RUN_CHUNKS; kind++) {
		struct stretch stretch = lightest(runs, line_up(runs, count, kind));
		if (stretch.count == 0)
			continue;
		for (size_t i = 0; i < stretch.count; i++)
			runs[i] = runs[stretch.from + i];
		*input_count = stretch.count;
		return begin(txn, runs, stretch.count, output);
	}
	output->run = 0;
	for (size_t i = 0; i < count; i++)
		if (runs[i].state == STATE_RUN_BUILDING &&
		    (output->run == 0 || runs[i].blocks < output->blocks))
			*output = runs[i];
	for (size_t i = 0; i < count && output->run != 0; i++)
		if (runs[i].into == output->run)
			runs[(*input_count)++] = runs[i];
	return STATE_OK;
}

/* Removes what is dead, and chunks of another cache epoch; *removed says that there was some. */
static enum state_result sweep(struct state_txn *txn, const struct state_manifest *runs, size_t count,
                               uint32_t epoch, bool *removed)
{
	size_t budget = SWEEP_VALUES;
	enum state_result result = STATE_OK;
	*removed = false;
	for (size_t i = 0; i < count && budget > 0 && result == STATE_OK; i++) {
		bool is_void = runs[i].kind == STATE_RUN_CHUNKS && runs[i].epoch != epoch &&
		               runs[i].state != STATE_RUN_PENDING;
		if (runs[i].state != STATE_RUN_DEAD && !is_void)
			continue;
		*removed = true;
		result = state_manifest_remove(txn, &runs[i], &budget);
	}
	return result;
}

/* One slice of whatever there is to do. *budget counts down, to 0 when nothing is left. Failures stick. */
static void work(struct state_txn *source, struct state_txn *target, uint32_t dataset, uint64_t *budget)
{
	struct state_dataset record;
	struct state_manifest *runs = NULL;
	struct state_manifest output;
	size_t count;
	size_t inputs = 0;
	bool swept = false;
	enum state_result result = state_dataset_find(source, dataset, &record);
	if (result == STATE_NOT_FOUND) { /* a rebuild, which has no chunks */
		record.cache_epoch = 0;
		result = STATE_OK;
	}
	if (result == STATE_OK)
		result = state_manifest_list(source, dataset, &runs, &count);
	if (result == STATE_OK)
		result = sweep(target, runs, count, record.cache_epoch, &swept);
	uint64_t cost = swept ? SWEEP_COST : *budget;
	bool may_merge = result == STATE_OK && !swept;
	if (may_merge && state_space_check(target, STATE_SLICE_BYTES) == STATE_OK)
		result = choose(target, runs, count, &output, &inputs);
	if (result == STATE_OK && inputs > 0)
		state_slice_move(source, target, &output, runs, inputs, &cost);
	*budget -= cost < *budget ? cost : *budget;
	free(runs);
}

/* What the batch pays for; it stays 0 when there is nothing to merge. */
static enum state_result price(struct state *state, uint32_t dataset, uint64_t entries, uint64_t *budget,
                               struct state_error *error)
{
	struct state_manifest *runs = NULL;
	size_t count = 0;
	struct state_txn *txn = state_txn_begin_read(state);
	if (state_manifest_list(txn, dataset, &runs, &count) == STATE_OK && count > 0) {
		uint64_t factor = MERGE_FACTOR + count / MERGE_RUNS;
		*budget = entries > UINT64_MAX / factor ? UINT64_MAX : entries * factor;
		*budget = *budget < MERGE_LEAST ? MERGE_LEAST : *budget;
	}
	free(runs);
	enum state_result result = state_txn_failure(txn, error);
	state_txn_abort(txn);
	return result;
}

enum state_result state_merge_step(struct state *state, uint32_t dataset, uint64_t entries,
                                   struct state_error *error)
{
	uint64_t budget = 0;
	enum state_result result = price(state, dataset, entries, &budget, error);
	while (budget > 0 && result == STATE_OK) {
		/* reads from a snapshot: what is read in a write transaction may move when that one writes */
		struct state_txn *target = state_txn_begin_write(state);
		struct state_txn *source = state_txn_begin_read(state);
		work(source, target, dataset, &budget);
		result = state_txn_failure(source, error);
		if (result == STATE_OK)
			result = state_txn_commit(target, error);
		else
			state_txn_abort(target);
		state_txn_abort(source);
	}
	return result;
}
