// SPDX-License-Identifier: Apache-2.0
#include "ingest/chunks.h"

#include <stdlib.h>

#include "ingest/dataset.h"

static enum result failed(struct chunks *chunks, struct error *error)
{
	struct state_error failure = {.result = STATE_NO_MEMORY, .text = "out of memory"};
	state_txn_failure(chunks->txn, &failure);
	chunks_release(chunks);
	return dataset_state_error(error, &failure, "cannot look up chunks");
}

enum result chunks_find(struct chunks *chunks, struct state *state, uint32_t dataset,
                        const struct state_digest *sorted, size_t count, bool *seen,
                        struct state_chunk *found, struct error *error)
{
	if (chunks->txn == NULL) {
		chunks->txn = state_txn_begin_read(state);
		if (state_chunk_open(&chunks->reader, chunks->txn, dataset) != STATE_OK)
			return failed(chunks, error);
	}
	if (state_chunk_find(chunks->reader, sorted, count, seen, found) != STATE_OK)
		return failed(chunks, error);
	return RESULT_OK;
}

void chunks_add(struct chunks *chunks, const struct state_chunk *chunk)
{
	if (chunks->count == chunks->capacity) {
		size_t capacity = chunks->capacity == 0 ? 256 : 2 * chunks->capacity;
		struct state_chunk *added = reallocarray(chunks->added, capacity, sizeof *added);
		if (added == NULL)
			return;
		chunks->added = added;
		chunks->capacity = capacity;
	}
	chunks->added[chunks->count++] = *chunk;
}

void chunks_move(struct chunks *to, struct chunks *from)
{
	for (size_t i = 0; i < from->count; i++)
		chunks_add(to, &from->added[i]);
	from->count = 0;
}

static int compare(const void *left, const void *right)
{
	const struct state_chunk *a = left;
	const struct state_chunk *b = right;
	return state_digest_compare(a->digest, b->digest);
}

void chunks_sort(struct chunks *chunks)
{
	if (chunks->count == 0)
		return;
	qsort(chunks->added, chunks->count, sizeof *chunks->added, compare);
	size_t kept = 1;
	for (size_t i = 1; i < chunks->count; i++) {
		if (compare(&chunks->added[kept - 1], &chunks->added[i]) != 0)
			chunks->added[kept++] = chunks->added[i];
	}
	chunks->count = kept;
}

void chunks_clear(struct chunks *chunks)
{
	chunks->count = 0;
}

void chunks_release(struct chunks *chunks)
{
	state_chunk_close(chunks->reader);
	state_txn_abort(chunks->txn);
	chunks->reader = NULL;
	chunks->txn = NULL;
}

void chunks_free(struct chunks *chunks)
{
	chunks_release(chunks);
	free(chunks->added);
	*chunks = (struct chunks){0};
}
