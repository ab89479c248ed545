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
static struct refused_row *find(const struct refused *refused, uint32_t dataset, struct row_digest digest)
{
	struct refused_row wanted = {.digest = digest, .dataset = dataset};
	return refused->count == 0
		   ? NULL
		   : bsearch(&wanted, refused->rows, refused->count, sizeof *refused->rows, compare);
}

enum result refused_add(struct refused *refused, uint32_t dataset, struct row_digest digest,
                        const char *message)
{
	if (find(refused, dataset, digest) != NULL)
		return RESULT_OK; /* equal rows of a bag */
	struct refused_row *rows = reallocarray(refused->rows, refused->count + 1, sizeof *rows);
	if (rows == NULL)
		return RESULT_NO_MEMORY;
	refused->rows = rows;
	struct refused_row row = {digest, dataset, REFUSED_AWAITED, strdup(message)};
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
	refused->awaited++;
	return RESULT_OK;
}

const char *refused_meet(struct refused *refused, uint32_t dataset, struct row_digest digest)
{
	struct refused_row *found = find(refused, dataset, digest);
	if (found == NULL)
		return NULL;
	if (found->standing == REFUSED_AWAITED) {
		found->standing = REFUSED_MET;
		refused->awaited--;
		refused->met++;
	}
	return found->message;
}

bool refused_are_due(const struct refused *refused)
{
	return refused->met > 0 && refused->awaited == 0;
}

static void replace_met(struct refused *refused, enum refused_standing standing)
{
	for (size_t i = 0; i < refused->count; i++) {
		if (refused->rows[i].standing == REFUSED_MET)
			refused->rows[i].standing = standing;
	}
	refused->met = 0;
}

void refused_settle(struct refused *refused)
{
	replace_met(refused, REFUSED_SETTLED);
}

void refused_await(struct refused *refused)
{
	refused->awaited += refused->met;
	replace_met(refused, REFUSED_AWAITED);
}

void refused_drop_settled(struct refused *refused)
{
	size_t kept = 0;
	for (size_t i = 0; i < refused->count; i++) {
		if (refused->rows[i].standing == REFUSED_SETTLED)
			free(refused->rows[i].message);
		else
			refused->rows[kept++] = refused->rows[i];
	}
	refused->count = kept;
}

void refused_clear(struct refused *refused)
{
	for (size_t i = 0; i < refused->count; i++)
		free(refused->rows[i].message);
	free(refused->rows);
	*refused = (struct refused){0};
}
