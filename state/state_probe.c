// SPDX-License-Identifier: Apache-2.0
#include "state_probe.h"

#include <stdlib.h>
#include <string.h>

#include "state_dataset.h"
#include "state_filter.h"
#include "state_reader.h"

struct state_probe_run {
	struct state_manifest manifest;
	struct state_filter filter;
	struct state_reader reader;
};

/* The big runs first: they settle most digests for the rest. */
static int compare_size(const void *left, const void *right)
{
	const struct state_manifest *a = left;
	const struct state_manifest *b = right;
	return (a->entries < b->entries) - (a->entries > b->entries);
}

/* Keeps the runs that answer: of the family, with an entry, and of chunks only those of this cache epoch. */
static size_t keep_family(struct state_manifest *runs, size_t count, enum state_run_kind kind, uint32_t epoch)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		const struct state_manifest *run = &runs[i];
		bool answers = run->state == STATE_RUN_BUILDING || run->state == STATE_RUN_PENDING ||
		               run->state == STATE_RUN_LIVE;
		if (!answers || run->kind != kind || run->entries == 0)
			continue;
		if (kind != STATE_RUN_CHUNKS || run->epoch == epoch)
			runs[kept++] = *run;
	}
	return kept;
}

static enum state_result list_family(struct state_txn *txn, uint32_t dataset, enum state_run_kind kind,
                                     struct state_manifest **out, size_t *count)
{
	struct state_dataset record = {0};
	*out = NULL;
	if (kind == STATE_RUN_CHUNKS) {
		enum state_result result = state_dataset_find(txn, dataset, &record);
		if (result != STATE_OK)
			return result;
	}
	enum state_result result = state_manifest_list(txn, dataset, out, count);
	if (result != STATE_OK)
		return result;
	*count = keep_family(*out, *count, kind, record.cache_epoch);
	if (*count > 1)
		qsort(*out, *count, sizeof(**out),
		      kind == STATE_RUN_ROWS ? compare_size : state_manifest_compare_age);
	return STATE_OK;
}

static enum state_result open_runs(struct state_probe_set *set, struct state_txn *txn,
                                   const struct state_manifest *manifests, size_t count)
{
	set->runs = calloc(count + 1, sizeof(*set->runs));
	if (set->runs == NULL)
		return state_txn_fail(txn, STATE_NO_MEMORY, "no memory to look into runs of the state");
	enum state_result result = STATE_OK;
	for (size_t i = 0; i < count && result == STATE_OK; i++) {
		struct state_probe_run *run = &set->runs[set->count++];
		run->manifest = manifests[i];
		result = state_filter_open(&run->filter, txn, manifests[i].run, manifests[i].blocks);
		if (result == STATE_OK)
			result = state_reader_open(&run->reader, txn, &manifests[i]);
	}
	return result;
}

enum state_result state_probe_open(struct state_probe_set *set, struct state_txn *txn, uint32_t dataset,
                                   enum state_run_kind kind)
{
	struct state_manifest *manifests;
	size_t count = 0;
	*set = (struct state_probe_set){0};
	enum state_result result = list_family(txn, dataset, kind, &manifests, &count);
	if (result == STATE_OK)
		result = open_runs(set, txn, manifests, count);
	free(manifests);
	return result;
}

void state_probe_close(struct state_probe_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		state_reader_close(&set->runs[i].reader);
		state_filter_close(&set->runs[i].filter);
	}
	free(set->runs);
	*set = (struct state_probe_set){0};
}

static enum state_result check_sorted(struct state_txn *txn, const struct state_digest *sorted, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (state_digest_compare(sorted[i - 1], sorted[i]) > 0)
			return state_txn_fail(txn, STATE_MISUSE, "digests to look up are not sorted");
	return STATE_OK;
}

/* The first digest whose high word is not below. */
static size_t lower_bound(const struct state_digest *sorted, size_t count, uint64_t hi)
{
	size_t low = 0;
	for (size_t high = count; low < high;) {
		size_t middle = low + (high - low) / 2;
		if (sorted[middle].hi < hi)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The digests that a run answers for: while a merge is under way its output has those below the edge. */
static void bound(struct state_probe *probe, const struct state_manifest *run)
{
	size_t edge = lower_bound(probe->sorted, probe->count, run->edge);
	bool is_output = run->state == STATE_RUN_BUILDING;
	probe->next = is_output ? 0 : edge;
	probe->end = is_output ? edge : probe->count;
}

static enum state_result probe_run(struct state_probe_run *run, struct state_probe *probe)
{
	bound(probe, &run->manifest);
	state_reader_rewind(&run->reader);
	while (probe->next < probe->end) {
		struct state_probe_group group;
		enum state_result result = state_filter_choose(&run->filter, probe, &group);
		if (result == STATE_OK)
			result = state_reader_find(&run->reader, probe, &group);
		if (result != STATE_OK)
			return result;
	}
	return STATE_OK;
}

enum state_result state_probe_find(struct state_probe_set *set, struct state_txn *txn,
                                   struct state_probe *probe)
{
	memset(probe->seen, 0, probe->count * sizeof(*probe->seen));
	enum state_result result = check_sorted(txn, probe->sorted, probe->count);
	for (size_t i = 0; i < set->count && result == STATE_OK; i++)
		result = probe_run(&set->runs[i], probe);
	return result;
}
