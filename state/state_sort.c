// SPDX-License-Identifier: Apache-2.0
#include "state_sort.h"

#include <stdlib.h>
#include <string.h>

/* Three passes over the top 33 bits leave few digests, of a million, that still have to be told apart. */
enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, PASSES = 3, FEWEST = 512 };

static unsigned shift_of(unsigned pass)
{
	return 64 - (PASSES - pass) * DIGIT_BITS;
}

static size_t digit_of(struct state_digest digest, unsigned pass)
{
	return (size_t)(digest.hi >> shift_of(pass)) & (DIGITS - 1);
}

static int compare(const void *left, const void *right)
{
	const struct state_sort_item *a = left;
	const struct state_sort_item *b = right;
	int order = state_digest_compare(a->digest, b->digest);
	if (order != 0)
		return order;
	return (a->tag > b->tag) - (a->tag < b->tag);
}

/* For each digit of each pass the place of its first item. */
static void count_digits(const struct state_sort_item *items, size_t count, size_t places[PASSES][DIGITS])
{
	for (size_t i = 0; i < count; i++)
		for (unsigned pass = 0; pass < PASSES; pass++)
			places[pass][digit_of(items[i].digest, pass)]++;
	for (unsigned pass = 0; pass < PASSES; pass++) {
		size_t sum = 0;
		for (size_t digit = 0; digit < DIGITS; digit++) {
			size_t members = places[pass][digit];
			places[pass][digit] = sum;
			sum += members;
		}
	}
}

/* Sorts each stretch of items that agree in the bits that the passes looked at. */
static void sort_stretches(struct state_sort_item *items, size_t count)
{
	for (size_t from = 0, to; from < count; from = to) {
		uint64_t top = items[from].digest.hi >> shift_of(0);
		for (to = from + 1; to < count && items[to].digest.hi >> shift_of(0) == top; to++)
			;
		if (to - from > 1)
			qsort(items + from, to - from, sizeof(*items), compare);
	}
}

void state_sort_items(struct state_sort_item *items, struct state_sort_item *scratch, size_t count)
{
	if (count < FEWEST) {
		if (count > 1)
			qsort(items, count, sizeof(*items), compare);
		return;
	}
	size_t places[PASSES][DIGITS] = {0};
	count_digits(items, count, places);
	struct state_sort_item *from = items;
	struct state_sort_item *to = scratch;
	for (unsigned pass = 0; pass < PASSES; pass++) {
		for (size_t i = 0; i < count; i++)
			to[places[pass][digit_of(from[i].digest, pass)]++] = from[i];
		struct state_sort_item *swap = from;
		from = to;
		to = swap;
	}
	memcpy(items, scratch, count * sizeof(*items));
	sort_stretches(items, count);
}
