// SPDX-License-Identifier: Apache-2.0
#include "state_run.h"

#include <stdlib.h>
#include <string.h>

#include "state_filter.h"
#include "state_manifest.h"
#include "state_merge.h"
#include "state_reader.h"

static enum state_result check_sorted(struct state_txn *txn, const struct state_digest *sorted, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (state_digest_compare(sorted[i - 1], sorted[i]) > 0)
			return state_txn_fail(txn, STATE_MISUSE, "digests to look up are not sorted");
	return STATE_OK;
}

static enum state_result probe_open_run(struct state_filter *filter, struct state_reader *reader,
                                        struct state_probe *probe)
{
	for (;;) {
		struct state_probe_group group;
		enum state_result result = state_filter_choose(filter, probe, &group);
		if (result != STATE_OK || group.count == 0)
			return result;
		result = state_reader_find(reader, probe, &group);
		if (result != STATE_OK)
			return result;
	}
}

static enum state_result probe_run(struct state_txn *txn, const struct state_manifest *run,
                                   struct state_probe *probe)
{
	struct state_filter filter;
	struct state_reader reader = {0};
	enum state_result result = state_filter_open(&filter, txn, run->run, run->blocks);
	if (result == STATE_OK)
		result = state_reader_open(&reader, txn, run->run);
	probe->next = 0;
	if (result == STATE_OK)
		result = probe_open_run(&filter, &reader, probe);
	state_reader_close(&reader);
	state_filter_close(&filter);
	return result;
}

static int compare_rows_falling(const void *left, const void *right)
{
	const struct state_manifest *a = left;
	const struct state_manifest *b = right;
	return (a->rows < b->rows) - (a->rows > b->rows);
}

enum state_result state_run_probe(struct state_txn *txn, uint32_t dataset, const struct state_digest *sorted,
                                  size_t count, bool *seen)
{
	memset(seen, 0, count * sizeof(*seen));
	enum state_result result = state_txn_check(txn);
	if (result != STATE_OK || count == 0)
		return result;
	struct state_probe probe = {.sorted = sorted, .count = count, .seen = seen};
	struct state_manifest *runs = NULL;
	size_t run_count = 0;
	result = check_sorted(txn, sorted, count);
	if (result == STATE_OK)
		result = state_manifest_list(txn, dataset, &runs, &run_count);
	if (result == STATE_OK && run_count > 1) /* the big ones settle most digests for the rest */
		qsort(runs, run_count, sizeof(*runs), compare_rows_falling);
	for (size_t i = 0; i < run_count && result == STATE_OK; i++)
		if (runs[i].state == STATE_RUN_LIVE || runs[i].state == STATE_RUN_PENDING)
			result = probe_run(txn, &runs[i], &probe);
	free(runs);
	return result;
}

/* Class 0 is less than STATE_RUN_FANOUT pieces; eight runs of one class always make one of a higher class,
 * but for the lowest. */
static unsigned size_class(uint64_t rows)
{
	unsigned class = 0;
	for (uint64_t units = rows / STATE_PIECE_DIGESTS; units >= STATE_RUN_FANOUT;
	     units /= STATE_RUN_FANOUT)
		class ++;
	return class;
}

/* Moves the oldest STATE_RUN_FANOUT live runs of one class to the front; false when no class has so many. */
static bool choose_inputs(struct state_manifest *runs, size_t count)
{
	enum { CLASSES = 22 }; /* 8^22 is more than 64 bits can count */
	size_t members[CLASSES] = {0};
	for (size_t i = 0; i < count; i++) {
		if (runs[i].state != STATE_RUN_LIVE)
			continue;
		unsigned class = size_class(runs[i].rows);
		if (++members[class] < STATE_RUN_FANOUT)
			continue;
		size_t chosen = 0;
		for (size_t j = 0; j <= i; j++)
			if (runs[j].state == STATE_RUN_LIVE && size_class(runs[j].rows) == class)
				runs[chosen++] = runs[j];
		return true;
	}
	return false;
}

enum state_result state_run_merge(struct state *state, uint32_t dataset, struct state_error *error)
{
	for (;;) {
		struct state_manifest *runs = NULL;
		size_t count = 0;
		struct state_txn *txn = state_txn_begin_read(state);
		enum state_result result = state_manifest_list(txn, dataset, &runs, &count);
		state_txn_failure(txn, error);
		state_txn_abort(txn);
		bool merge = result == STATE_OK && choose_inputs(runs, count);
		if (merge)
			result = state_merge_runs(state, runs, STATE_RUN_FANOUT, error);
		free(runs);
		if (!merge || result != STATE_OK)
			return result;
	}
}

enum state_result state_run_stats(struct state_txn *txn, uint32_t dataset, struct state_run_stats *out)
{
	struct state_manifest *runs = NULL;
	size_t count = 0;
	*out = (struct state_run_stats){0};
	enum state_result result = state_manifest_list(txn, dataset, &runs, &count);
	for (size_t i = 0; i < count && result == STATE_OK; i++) {
		if (runs[i].state != STATE_RUN_LIVE)
			continue;
		out->rows += runs[i].rows;
		out->runs++;
		out->bytes += runs[i].rows * STATE_DIGEST_SIZE + state_filter_bytes(runs[i].blocks);
	}
	free(runs);
	return result;
}
