// SPDX-License-Identifier: Apache-2.0
#include "ingest/refused.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
	const struct refused_row *a = left;
	const struct refused_row *b = right;
	if (a->dataset != b->dataset)
		return a->dataset < b->dataset ? -1 : 1;
	if (a->digest.hi != b->digest.hi)
		return a->digest.hi < b->digest.hi ? -1 : 1;
	return (a->digest.lo > b->digest.lo) - (a->digest.lo < b->digest.lo);
}

/* They come in the order of delivery, and are few: sorting by insertion keeps them ready. */
enum result refused_add(struct refused *refused, uint32_t dataset, struct row_digest digest,
                        const char *message)
{
	struct refused_row *rows = reallocarray(refused->rows, refused->count + 1, sizeof *rows);
	if (rows == NULL)
		return RESULT_NO_MEMORY;
	refused->rows = rows;
	struct refused_row row = {digest, dataset, strdup(message)};
	if (row.message == NULL)
		return RESULT_NO_MEMORY;
	size_t low = 0;
	size_t high = refused->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(&rows[middle], &row) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	memmove(rows + low + 1, rows + low, (refused->count - low) * sizeof *rows);
	rows[low] = row;
	refused->count++;
	return RESULT_OK;
}

const char *refused_meet(struct refused *refused, uint32_t dataset, struct row_digest digest)
{
	struct refused_row wanted = {.digest = digest, .dataset = dataset};
	const struct refused_row *found =
	    refused->count == 0
		? NULL
		: bsearch(&wanted, refused->rows, refused->count, sizeof *refused->rows, compare);
	if (found == NULL)
		return NULL;
	refused->met++;
	return found->message;
}

void refused_clear(struct refused *refused)
{
	for (size_t i = 0; i < refused->count; i++)
		free(refused->rows[i].message);
	free(refused->rows);
	*refused = (struct refused){0};
}
