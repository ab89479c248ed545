// SPDX-License-Identifier: Apache-2.0
#include "state_rebuild.h"

#include <stdlib.h>
#include <string.h>

#include "state_batch.h"
#include "state_internal.h"
#include "state_merge.h"
#include "state_probe.h"
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

/* What one call adds: digests, or entries that begin with one. */
struct addition {
	enum state_run_kind kind;
	const uint8_t *entries;
	size_t size; /* of an entry */
	size_t count;
	struct state_digest *digests; /* of the entries */
	bool *seen;
	uint8_t *kept;
	size_t kept_count;
};

static enum state_result probe(struct state_txn *txn, uint32_t shadow, struct addition *addition)
{
	for (size_t i = 0; i < addition->count; i++)
		memcpy(&addition->digests[i], addition->entries + i * addition->size,
		       sizeof(*addition->digests));
	struct state_probe_set set;
	struct state_probe probe = {
	    .sorted = addition->digests, .count = addition->count, .seen = addition->seen};
	enum state_result result = state_probe_open(&set, txn, shadow, addition->kind);
	if (result == STATE_OK)
		result = state_probe_find(&set, txn, &probe);
	state_probe_close(&set);
	return result;
}

/* Those that no run of the new set has, the first of equal ones. */
static void keep_unseen(struct addition *addition)
{
	addition->kept_count = 0;
	for (size_t i = 0; i < addition->count; i++) {
		bool repeats =
		    i > 0 && state_digest_compare(addition->digests[i - 1], addition->digests[i]) == 0;
		if (addition->seen[i] || repeats)
			continue;
		memcpy(addition->kept + addition->kept_count++ * addition->size,
		       addition->entries + i * addition->size, addition->size);
	}
}

/* Older than every batch; among each other these runs are disjoint. */
static enum state_result write_run(struct state_txn *txn, uint32_t shadow, const struct addition *addition)
{
	struct state_manifest run = {
	    .dataset = shadow,
	    .kind = addition->kind,
	    .state = STATE_RUN_LIVE,
	    .entries = addition->kept_count,
	};
	return run.entries == 0 ? STATE_OK : state_writer_write(txn, &run, addition->kept);
}

static enum state_result add(struct state_rebuild *rebuild, struct addition *addition,
                             struct state_error *error)
{
	struct state_txn *txn = state_txn_begin_write(rebuild->state);
	if (probe(txn, rebuild->shadow, addition) == STATE_OK) {
		keep_unseen(addition);
		write_run(txn, rebuild->shadow, addition);
	}
	enum state_result result = state_txn_commit(txn, error);
	if (result != STATE_OK)
		return result;
	rebuild->rows += addition->kept_count;
	return state_merge_step(rebuild->state, rebuild->shadow, addition->kept_count, error);
}

static enum state_result add_all(struct state_rebuild *rebuild, enum state_run_kind kind, const void *sorted,
                                 size_t count, struct state_error *error)
{
	size_t size = state_manifest_entry_size(kind);
	struct addition addition = {
	    .kind = kind,
	    .entries = sorted,
	    .size = size,
	    .count = count,
	    .digests = calloc(count + 1, sizeof(*addition.digests)),
	    .seen = calloc(count + 1, sizeof(*addition.seen)),
	    .kept = calloc(count + 1, size),
	};
	enum state_result result;
	if (addition.digests == NULL || addition.seen == NULL || addition.kept == NULL)
		result = state_error_set(error, STATE_NO_MEMORY, "no memory to rebuild a seen-set");
	else
		result = add(rebuild, &addition, error);
	free(addition.digests);
	free(addition.seen);
	free(addition.kept);
	return result;
}

enum state_result state_rebuild_add(struct state_rebuild *rebuild, const struct state_digest *sorted,
                                    size_t count, struct state_error *error)
{
	return add_all(rebuild, STATE_RUN_ROWS, sorted, count, error);
}

enum state_result state_rebuild_add_entries(struct state_rebuild *rebuild, const struct state_entry *sorted,
                                            size_t count, struct state_error *error)
{
	return add_all(rebuild, STATE_RUN_KEYS, sorted, count, error);
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
	return state_manifest_give(txn, run, dataset);
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
