// SPDX-License-Identifier: Apache-2.0
#include "ingest/batch_memory.h"

#include <stdlib.h>
#include <string.h>

struct batch_memory {
	struct batch_memory *older;
	size_t count;
	bool has_rows;
	struct state_digest digests[]; /* rising; has_rows: as many row digests behind them */
};

static struct batch_memory *prepend(struct batch_memory **memory, size_t count, bool has_rows)
{
	struct batch_memory *newest =
	    malloc(sizeof *newest + (has_rows ? 2 : 1) * count * sizeof newest->digests[0]);
	if (newest == NULL)
		return NULL;
	newest->older = *memory;
	newest->count = count;
	newest->has_rows = has_rows;
	*memory = newest;
	return newest;
}

enum state_result batch_memory_add(struct batch_memory **memory, const struct state_digest *digests,
                                   size_t count)
{
	struct batch_memory *newest = prepend(memory, count, false);
	if (newest == NULL)
		return STATE_NO_MEMORY;
	memcpy(newest->digests, digests, count * sizeof *digests);
	return STATE_OK;
}

enum state_result batch_memory_add_entries(struct batch_memory **memory, const struct state_entry *entries,
                                           size_t count)
{
	struct batch_memory *newest = prepend(memory, count, true);
	if (newest == NULL)
		return STATE_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		newest->digests[i] = entries[i].key;
		newest->digests[count + i] = entries[i].row;
	}
	return STATE_OK;
}

/* From the oldest to the newest, so that the newest row of a key is the one that stays. */
void batch_memory_probe(const struct batch_memory *memory, const struct state_digest *sorted, size_t count,
                        bool *seen, struct state_digest *known)
{
	if (memory == NULL)
		return;
	batch_memory_probe(memory->older, sorted, count, seen, known);
	size_t place = 0;
	for (size_t i = 0; i < count; i++) {
		while (place < memory->count && state_digest_compare(memory->digests[place], sorted[i]) < 0)
			place++;
		if (place == memory->count)
			return;
		if (state_digest_compare(memory->digests[place], sorted[i]) != 0)
			continue;
		seen[i] = true;
		if (known != NULL && memory->has_rows)
			known[i] = memory->digests[memory->count + place];
	}
}

void batch_memory_free(struct batch_memory *memory)
{
	while (memory != NULL) {
		struct batch_memory *older = memory->older;
		free(memory);
		memory = older;
	}
}
