// SPDX-License-Identifier: Apache-2.0
#include "state_run.h"

#include <stdlib.h>

#include "state_filter.h"
#include "state_manifest.h"
#include "state_probe.h"

static enum state_result probe_family(struct state_txn *txn, uint32_t dataset, enum state_run_kind kind,
                                      struct state_probe *probe)
{
	struct state_probe_set set;
	enum state_result result = state_probe_open(&set, txn, dataset, kind);
	if (result == STATE_OK)
		result = state_probe_find(&set, txn, probe);
	state_probe_close(&set);
	return result;
}

enum state_result state_run_probe(struct state_txn *txn, uint32_t dataset, const struct state_digest *sorted,
                                  size_t count, bool *seen)
{
	struct state_probe probe = {.sorted = sorted, .count = count, .seen = seen};
	return probe_family(txn, dataset, STATE_RUN_ROWS, &probe);
}

enum state_result state_run_probe_keys(struct state_txn *txn, uint32_t dataset,
                                       const struct state_digest *sorted, size_t count, bool *seen,
                                       struct state_digest *rows)
{
	struct state_probe probe = {.sorted = sorted, .count = count, .seen = seen, .payload = rows};
	return probe_family(txn, dataset, STATE_RUN_KEYS, &probe);
}

enum state_result state_run_stats(struct state_txn *txn, uint32_t dataset, struct state_run_stats *out)
{
	struct state_manifest *runs = NULL;
	size_t count = 0;
	*out = (struct state_run_stats){0};
	enum state_result result = state_manifest_list(txn, dataset, &runs, &count);
	for (size_t i = 0; i < count && result == STATE_OK; i++) {
		const struct state_manifest *run = &runs[i];
		if (run->state != STATE_RUN_LIVE && run->state != STATE_RUN_BUILDING)
			continue;
		uint64_t bytes = run->entries * state_manifest_entry_size(run->kind);
		if (run->into == 0)
			bytes += state_filter_bytes(run->blocks);
		if (run->kind == STATE_RUN_CHUNKS) {
			out->chunks += run->entries;
			out->chunk_bytes += bytes;
			continue;
		}
		out->rows += run->entries;
		out->runs++;
		out->bytes += bytes;
	}
	free(runs);
	return result;
}
