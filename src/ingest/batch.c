// SPDX-License-Identifier: Apache-2.0
#include "ingest/batch.h"

#include <stdlib.h>
#include <string.h>

/* The unseen digests of one judged batch, rising. */
struct batch_memory {
	struct batch_memory *next;
	size_t count;
	struct state_digest digests[];
};

enum result batch_open(struct batch *batch, size_t rows, size_t bytes, bool is_dry)
{
	*batch = (struct batch){
	    .rows = calloc(rows, sizeof *batch->rows),
	    .digests = calloc(rows, sizeof *batch->digests),
	    .unseen = calloc(rows, sizeof *batch->unseen),
	    .seen = calloc(rows, sizeof *batch->seen),
	    .capacity = rows,
	    .limit = bytes,
	    .is_dry = is_dry,
	};
	if (batch->rows == NULL || batch->digests == NULL || batch->unseen == NULL || batch->seen == NULL) {
		batch_close(batch);
		return RESULT_NO_MEMORY;
	}
	return RESULT_OK;
}

void batch_close(struct batch *batch)
{
	while (batch->memory != NULL) {
		struct batch_memory *memory = batch->memory;
		batch->memory = memory->next;
		free(memory);
	}
	buffer_free(&batch->bytes);
	free(batch->rows);
	free(batch->digests);
	free(batch->unseen);
	free(batch->seen);
	*batch = (struct batch){0};
}

bool batch_is_full(const struct batch *batch)
{
	return batch->count == batch->capacity || batch->bytes.length >= batch->limit;
}

void batch_clear(struct batch *batch)
{
	batch->bytes.length = 0;
	batch->count = 0;
	batch->unseen_count = 0;
}

void batch_add(struct batch *batch, size_t offset, const struct identity_digests *digests,
               struct state_counts *counts)
{
	batch->rows[batch->count] = (struct batch_row){
	    .digest = {digests->row.hi, digests->row.lo},
	    .offset = offset,
	    .length = (uint32_t)(batch->bytes.length - offset),
	    .order = (uint32_t)batch->count,
	    .counts = counts,
	};
	batch->count++;
}

static int compare_digests(const void *left, const void *right)
{
	const struct batch_row *a = left;
	const struct batch_row *b = right;
	int order = state_digest_compare(a->digest, b->digest);
	if (order != 0)
		return order;
	return a->order < b->order ? -1 : 1;
}

static int compare_orders(const void *left, const void *right)
{
	const struct batch_row *a = left;
	const struct batch_row *b = right;
	return a->order < b->order ? -1 : 1;
}

/* The rows are sorted by digest and seen[] answers for each; moves the unseen ones to the front. */
static size_t keep_unseen(struct batch *batch)
{
	size_t kept = 0;
	for (size_t i = 0; i < batch->count; i++) {
		struct batch_row row = batch->rows[i];
		bool is_repeated =
		    kept > 0 && state_digest_compare(batch->digests[kept - 1], row.digest) == 0;
		row.counts->rows++;
		if (batch->seen[i] || is_repeated) {
			row.counts->duplicate++;
			continue;
		}
		row.counts->new ++;
		batch->digests[kept] = row.digest;
		batch->rows[kept++] = row;
	}
	return kept;
}

static void probe_memory(struct batch *batch)
{
	for (const struct batch_memory *memory = batch->memory; memory != NULL; memory = memory->next) {
		size_t place = 0;
		for (size_t i = 0; i < batch->count && place < memory->count; i++) {
			while (place < memory->count &&
			       state_digest_compare(memory->digests[place], batch->digests[i]) < 0)
				place++;
			if (place < memory->count &&
			    state_digest_compare(memory->digests[place], batch->digests[i]) == 0)
				batch->seen[i] = true;
		}
	}
}

static enum state_result remember(struct batch *batch)
{
	struct batch_memory *memory =
	    malloc(sizeof *memory + batch->unseen_count * sizeof memory->digests[0]);
	if (memory == NULL)
		return STATE_NO_MEMORY;
	memory->next = batch->memory;
	memory->count = batch->unseen_count;
	memcpy(memory->digests, batch->digests, batch->unseen_count * sizeof memory->digests[0]);
	batch->memory = memory;
	return STATE_OK;
}

enum state_result batch_judge(struct batch *batch, struct state_txn *txn, uint32_t dataset)
{
	qsort(batch->rows, batch->count, sizeof *batch->rows, compare_digests);
	for (size_t i = 0; i < batch->count; i++)
		batch->digests[i] = batch->rows[i].digest;
	enum state_result result = state_run_probe(txn, dataset, batch->digests, batch->count, batch->seen);
	if (result != STATE_OK)
		return result;
	if (batch->is_dry)
		probe_memory(batch);

	batch->unseen_count = keep_unseen(batch);
	qsort(batch->rows, batch->unseen_count, sizeof *batch->rows, compare_orders);
	for (size_t i = 0; i < batch->unseen_count; i++)
		batch->unseen[i] =
		    (struct slice){batch->bytes.data + batch->rows[i].offset, batch->rows[i].length};
	return batch->is_dry ? remember(batch) : STATE_OK;
}
