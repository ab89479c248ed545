// SPDX-License-Identifier: Apache-2.0
#include "ingest/origins.h"

#include <stdlib.h>

static enum result reserve(struct origins *origins, size_t place)
{
	if (place < origins->capacity)
		return RESULT_OK;
	size_t capacity = 2 * place + 64;
	struct origin *grown = reallocarray(origins->origins, capacity, sizeof *grown);
	if (grown == NULL)
		return RESULT_NO_MEMORY;
	origins->origins = grown;
	origins->capacity = capacity;
	return RESULT_OK;
}

enum result origins_keep(struct origins *origins, size_t place, const struct origin *origin,
                         struct slice record, struct error *error)
{
	size_t offset = origins->records.length;
	if (reserve(origins, place) != RESULT_OK ||
	    buffer_append(&origins->records, record.data, record.length) != RESULT_OK)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	origins->origins[place] = *origin;
	origins->origins[place].offset = offset;
	origins->origins[place].length = record.length;
	return RESULT_OK;
}

static int compare_places(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left;
	uint32_t b = *(const uint32_t *)right;
	return (a > b) - (a < b);
}

enum result origins_reject(struct origins *origins, struct batch *batch, struct error *error)
{
	enum result result = RESULT_OK;
	qsort(batch->judging->refused, batch->refused_count, sizeof *batch->judging->refused, compare_places);
	for (size_t i = 0; result == RESULT_OK && i < batch->refused_count; i++) {
		const struct origin *origin = &origins->origins[batch->judging->refused[i]];
		struct rejects_row row = {
		    .line = origin->line,
		    .reason = "its key is stored with other values",
		    .record = {origins->records.data + origin->offset, origin->length},
		};
		result = delivery_reject(origin->delivery, origin->member, row, error);
	}
	origins->records.length = 0;
	return result;
}

void origins_free(struct origins *origins)
{
	free(origins->origins);
	buffer_free(&origins->records);
	*origins = (struct origins){0};
}
