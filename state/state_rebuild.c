// SPDX-License-Identifier: Apache-2.0
#include "state_rebuild.h"

#include <stdlib.h>
#include <string.h>

#include "state_batch.h"
#include "state_internal.h"
#include "state_manifest.h"
#include "state_writer.h"

/*
 * The new set grows as an ordinary seen-set of live runs that are disjoint and merged, under a dataset number
 * that no dataset bears: so all that probing and merging can do works on it too.
 */
struct state_rebuild {
	struct state *state;
	uint32_t shadow;
	uint64_t rows;
};

enum state_result state_rebuild_begin(struct state_rebuild **out, struct state *state,
                                      struct state_error *error)
{
	struct state_rebuild *rebuild = calloc(1, sizeof(*rebuild));
	if (rebuild == NULL)
		return state_error_set(error, STATE_NO_MEMORY, "no memory to rebuild a seen-set");
	rebuild->state = state;
	struct state_txn *txn = state_txn_begin_write(state);
	state_txn_take_number(txn, "next_dataset", &rebuild->shadow);
	enum state_result result = state_txn_commit(txn, error);
	if (result != STATE_OK) {
		free(rebuild);
		return result;
	}
	*out = rebuild;
	return STATE_OK;
}

/* Those that no run of the new set has, each once. */
static size_t keep_unseen(struct state_digest *kept, const struct state_digest *sorted, const bool *seen,
                          size_t count)
{
	size_t unseen = 0;
	for (size_t i = 0; i < count; i++) {
		if (seen[i] || (unseen > 0 && state_digest_compare(kept[unseen - 1], sorted[i]) == 0))
			continue;
		kept[unseen++] = sorted[i];
	}
	return unseen;
}

static enum state_result write_run(struct state_txn *txn, uint32_t shadow, const struct state_digest *digests,
                                   size_t count)
{
	struct state_writer writer;
	enum state_result result = state_writer_begin(&writer, txn, shadow, STATE_RUN_LIVE, count);
	if (result == STATE_OK)
		result = state_writer_add(&writer, txn, digests, count);
	if (result == STATE_OK)
		result = state_writer_finish(&writer, txn);
	state_writer_discard(&writer);
	return result;
}

static enum state_result add(struct state_rebuild *rebuild, const struct state_digest *sorted, size_t count,
                             struct state_digest *kept, bool *seen, struct state_error *error)
{
	struct state_txn *txn = state_txn_begin_write(rebuild->state);
	size_t unseen = 0;
	if (state_run_probe(txn, rebuild->shadow, sorted, count, seen) == STATE_OK)
		unseen = keep_unseen(kept, sorted, seen, count);
	if (unseen > 0)
		write_run(txn, rebuild->shadow, kept, unseen);
	enum state_result result = state_txn_commit(txn, error);
	if (result == STATE_OK)
		rebuild->rows += unseen;
	return result == STATE_OK ? state_run_merge(rebuild->state, rebuild->shadow, error) : result;
}

enum state_result state_rebuild_add(struct state_rebuild *rebuild, const struct state_digest *sorted,
                                    size_t count, struct state_error *error)
{
	struct state_digest *kept = malloc((count + 1) * sizeof(*kept));
	bool *seen = malloc((count + 1) * sizeof(*seen));
	enum state_result result;
	if (kept == NULL || seen == NULL)
		result = state_error_set(error, STATE_NO_MEMORY, "no memory to rebuild a seen-set");
	else
		result = add(rebuild, sorted, count, kept, seen, error);
	free(kept);
	free(seen);
	return result;
}

uint64_t state_rebuild_rows(const struct state_rebuild *rebuild)
{
	return rebuild->rows;
}

static enum state_result each_run(struct state_txn *txn, uint32_t dataset,
                                  enum state_result (*act)(struct state_txn *, const struct state_manifest *,
                                                           uint32_t),
                                  uint32_t argument)
{
	struct state_manifest *runs = NULL;
	size_t count = 0;
	enum state_result result = state_manifest_list(txn, dataset, &runs, &count);
	for (size_t i = 0; i < count && result == STATE_OK; i++)
		result = act(txn, &runs[i], argument);
	free(runs);
	return result;
}

static enum state_result kill_run(struct state_txn *txn, const struct state_manifest *run, uint32_t unused)
{
	(void)unused;
	return state_manifest_set_state(txn, run, STATE_RUN_DEAD);
}

static enum state_result give_run(struct state_txn *txn, const struct state_manifest *run, uint32_t dataset)
{
	return run->state == STATE_RUN_LIVE ? state_manifest_give(txn, run, dataset) : STATE_OK;
}

enum state_result state_rebuild_install(struct state_rebuild *rebuild, struct state_txn *txn,
                                        struct state_dataset *dataset)
{
	enum state_result result = STATE_NOT_FOUND;
	if (dataset->id != 0)
		result = state_batch_discard(txn, dataset->id);
	if (result == STATE_NOT_FOUND)
		result = state_txn_check(txn);
	if (result == STATE_OK && dataset->id != 0)
		result = each_run(txn, dataset->id, kill_run, 0);
	if (result != STATE_OK)
		return result;
	dataset->rows = rebuild->rows;
	dataset->cache_epoch++;
	result = state_dataset_put(txn, dataset);
	return result == STATE_OK ? each_run(txn, rebuild->shadow, give_run, dataset->id) : result;
}

enum state_result state_rebuild_discard(struct state_rebuild *rebuild, struct state_error *error)
{
	if (rebuild == NULL)
		return STATE_OK;
	struct state_txn *txn = state_txn_begin_write(rebuild->state);
	each_run(txn, rebuild->shadow, kill_run, 0);
	enum state_result result = state_txn_commit(txn, error);
	if (result == STATE_OK)
		result = state_manifest_sweep(rebuild->state, error);
	free(rebuild);
	return result;
}

enum state_result state_rebuild_kill_orphans(struct state_txn *txn)
{
	struct state_manifest *runs = NULL;
	size_t count = 0;
	enum state_result result = state_manifest_list_all(txn, &runs, &count);
	for (size_t i = 0; i < count && result == STATE_OK; i++) {
		struct state_dataset owner;
		result = state_dataset_find(txn, runs[i].dataset, &owner);
		if (result == STATE_NOT_FOUND)
			result = kill_run(txn, &runs[i], 0);
	}
	free(runs);
	return result;
}
