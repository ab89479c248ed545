// SPDX-License-Identifier: Apache-2.0
#include "state_tally.h"

#include <stdlib.h>

#include "state_internal.h"
#include "state_manifest.h"
#include "state_merge.h"
#include "state_writer.h"

/* Keyed runs under a dataset number that no dataset bears: the count stands in the place of the row digest,
 * and of equal digests the newest entry counts. */
struct state_tally {
	struct state *state;
	uint32_t shadow;
	uint64_t seq;
};

enum state_result state_tally_begin(struct state_tally **out, struct state *state, struct state_error *error)
{
	struct state_tally *tally = calloc(1, sizeof(*tally));
	if (tally == NULL)
		return state_error_set(error, STATE_NO_MEMORY, "no memory to count rows");
	tally->state = state;
	struct state_txn *txn = state_txn_begin_write(state);
	state_txn_take_number(txn, "next_dataset", &tally->shadow);
	enum state_result result = state_txn_commit(txn, error);
	if (result != STATE_OK) {
		free(tally);
		return result;
	}
	*out = tally;
	return STATE_OK;
}

enum state_result state_tally_get(struct state_tally *tally, const struct state_digest *sorted, size_t count,
                                  uint64_t *counts, struct state_error *error)
{
	bool *seen = calloc(count + 1, sizeof(*seen));
	struct state_digest *found = calloc(count + 1, sizeof(*found));
	enum state_result result = STATE_NO_MEMORY;
	if (seen == NULL || found == NULL) {
		state_error_set(error, STATE_NO_MEMORY, "no memory to count rows");
	} else {
		struct state_txn *txn = state_txn_begin_read(tally->state);
		result = state_run_probe_keys(txn, tally->shadow, sorted, count, seen, found);
		if (result != STATE_OK)
			state_txn_failure(txn, error);
		state_txn_abort(txn);
	}
	for (size_t i = 0; result == STATE_OK && i < count; i++)
		counts[i] = seen[i] ? found[i].lo : 0;
	free(seen);
	free(found);
	return result;
}

enum state_result state_tally_put(struct state_tally *tally, const struct state_digest *sorted, size_t count,
                                  const uint64_t *counts, struct state_error *error)
{
	if (count == 0)
		return STATE_OK;
	struct state_entry *entries = calloc(count, sizeof(*entries));
	if (entries == NULL)
		return state_error_set(error, STATE_NO_MEMORY, "no memory to count rows");
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct state_entry){sorted[i], {.lo = counts[i]}};
	tally->seq++;
	struct state_manifest run = {
	    .dataset = tally->shadow,
	    .kind = STATE_RUN_KEYS,
	    .state = STATE_RUN_LIVE,
	    .entries = count,
	    .first_seq = tally->seq,
	    .last_seq = tally->seq,
	};
	struct state_txn *txn = state_txn_begin_write(tally->state);
	state_writer_write(txn, &run, entries);
	enum state_result result = state_txn_commit(txn, error);
	free(entries);
	return result == STATE_OK ? state_merge_step(tally->state, tally->shadow, count, error) : result;
}

static enum state_result kill_runs(struct state_txn *txn, uint32_t shadow)
{
	struct state_manifest *runs = NULL;
	size_t count = 0;
	enum state_result result = state_manifest_list(txn, shadow, &runs, &count);
	for (size_t i = 0; i < count && result == STATE_OK; i++)
		result = state_manifest_set_state(txn, &runs[i], STATE_RUN_DEAD);
	free(runs);
	return result;
}

enum state_result state_tally_discard(struct state_tally *tally, struct state_error *error)
{
	if (tally == NULL)
		return STATE_OK;
	struct state_txn *txn = state_txn_begin_write(tally->state);
	kill_runs(txn, tally->shadow);
	enum state_result result = state_txn_commit(txn, error);
	if (result == STATE_OK)
		result = state_manifest_sweep(tally->state, error);
	free(tally);
	return result;
}
