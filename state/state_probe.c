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
	size_t found;   /* of the last stretch */
	bool is_likely; /* it had nearly all that was asked for: the filter would say yes to most */
};

/* Seven of eight: a look-up that finds nothing costs about eight times what the filter does. */
enum { LIKELY_NUMERATOR = 7, LIKELY_DENOMINATOR = 8 };

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
		if (result == STATE_NOT_FOUND) /* of a dry run: it has no runs at all */
			return STATE_OK;
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

static enum state_result open_run(struct state_probe_run *run, struct state_txn *txn,
                                  const struct state_manifest *manifest)
{
	run->manifest = *manifest;
	enum state_result result = state_filter_open(&run->filter, txn, manifest->run, manifest->blocks);
	return result == STATE_OK ? state_reader_open(&run->reader, txn, manifest) : result;
}

static enum state_result open_runs(struct state_probe_set *set, struct state_txn *txn,
                                   const struct state_manifest *manifests, size_t count)
{
	set->runs = calloc(count + 1, sizeof(struct state_probe_run *));
	enum state_result result = set->runs == NULL ? STATE_NO_MEMORY : STATE_OK;
	for (size_t i = 0; i < count && result == STATE_OK; i++) {
		struct state_probe_run *run = calloc(1, sizeof(*run));
		if (run == NULL) {
			result = STATE_NO_MEMORY;
			break;
		}
		set->runs[set->count++] = run;
		result = open_run(run, txn, &manifests[i]);
	}
	return result == STATE_NO_MEMORY
	           ? state_txn_fail(txn, result, "no memory to look into runs of the state")
	           : result;
}

enum state_result state_probe_open(struct state_probe_set *set, struct state_txn *txn, uint32_t dataset,
                                   enum state_run_kind kind)
{
	struct state_manifest *manifests;
	size_t count = 0;
	set->runs = NULL;
	set->count = 0;
	set->any_order = kind == STATE_RUN_ROWS;
	enum state_result result = list_family(txn, dataset, kind, &manifests, &count);
	if (result == STATE_OK)
		result = open_runs(set, txn, manifests, count);
	free(manifests);
	return result;
}

void state_probe_close(struct state_probe_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		state_reader_close(&set->runs[i]->reader);
		state_filter_close(&set->runs[i]->filter);
		free(set->runs[i]);
	}
	free(set->runs);
	set->runs = NULL;
	set->count = 0;
}

static enum state_result check_sorted(struct state_txn *txn, const struct state_digest *sorted, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (state_digest_compare(sorted[i - 1], sorted[i]) > 0)
			return state_txn_fail(txn, STATE_MISUSE, "digests to look up are not sorted");
	return STATE_OK;
}

/* How many of the places hold digests whose high word is below. */
static size_t count_below(const struct state_probe *probe, const struct state_probe_list *list, uint64_t hi)
{
	size_t low = 0;
	for (size_t high = list->count; low < high;) {
		size_t middle = low + (high - low) / 2;
		if (probe->sorted[list->places[middle]].hi < hi)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Forgets the places whose digests were found. */
static void forget_found(const struct state_probe *probe, struct state_probe_list *list)
{
	size_t kept = 0;
	for (size_t i = 0; i < list->count; i++) {
		uint16_t place = list->places[i];
		list->places[kept] = place;
		kept += !probe->seen[place];
	}
	list->count = kept;
}

/* Asks for those that the run answers for: while a merge is under way its output has those below the edge. */
static enum state_result ask(struct state_probe_set *set, struct state_probe_run *run,
                             const struct state_probe *probe)
{
	struct state_probe_list *wanted = &set->wanted;
	struct state_probe_list *chosen = &set->chosen;
	size_t edge = count_below(probe, wanted, run->manifest.edge);
	bool is_output = run->manifest.state == STATE_RUN_BUILDING;
	const uint16_t *places = is_output ? wanted->places : wanted->places + edge;
	size_t count = is_output ? edge : wanted->count - edge;
	enum state_result result = STATE_OK;
	run->found = 0;
	if (run->is_likely) {
		result = state_reader_find(&run->reader, probe, places, count, &run->found);
	} else {
		result = state_filter_choose(&run->filter, probe, places, count, chosen);
		if (result == STATE_OK)
			result = state_reader_find(&run->reader, probe, chosen->places, chosen->count,
			                           &run->found);
	}
	run->is_likely = run->found > count / LIKELY_DENOMINATOR * LIKELY_NUMERATOR;
	if (run->found > 0)
		forget_found(probe, wanted);
	return result;
}

/* Digests that come together were seen together: the runs that had most of a stretch will have most of the
 * next. */
static void order_by_found(struct state_probe_set *set)
{
	for (size_t i = 1; i < set->count; i++) {
		struct state_probe_run *run = set->runs[i];
		size_t place = i;
		for (; place > 0 && set->runs[place - 1]->found < run->found; place--)
			set->runs[place] = set->runs[place - 1];
		set->runs[place] = run;
	}
}

static enum state_result find_stretch(struct state_probe_set *set, const struct state_probe *probe)
{
	enum state_result result = STATE_OK;
	set->wanted.count = probe->count;
	for (size_t i = 0; i < probe->count; i++)
		set->wanted.places[i] = (uint16_t)i;
	for (size_t i = 0; i < set->count && result == STATE_OK; i++)
		result = ask(set, set->runs[i], probe);
	if (set->any_order)
		order_by_found(set);
	return result;
}

enum state_result state_probe_find(struct state_probe_set *set, struct state_txn *txn,
                                   const struct state_probe *probe)
{
	memset(probe->seen, 0, probe->count * sizeof(*probe->seen));
	enum state_result result = check_sorted(txn, probe->sorted, probe->count);
	for (size_t from = 0, count; from < probe->count && result == STATE_OK; from += count) {
		count = probe->count - from;
		count = count < STATE_PROBE_STRETCH ? count : STATE_PROBE_STRETCH;
		struct state_probe stretch = {
		    .sorted = probe->sorted + from,
		    .count = count,
		    .seen = probe->seen + from,
		    .payload = probe->payload == NULL ? NULL : probe->payload + from,
		};
		result = find_stretch(set, &stretch);
	}
	return result;
}
