// SPDX-License-Identifier: Apache-2.0
#include "state_sort.h"

#include <stdlib.h>
#include <string.h>

/*
 * Two passes, from the top down: the first deals the items out to buckets that fit into the processor's
 * caches, the second sorts each bucket there, to one item or two for each value of its digit. The few that
 * still stand wrong are told apart by comparison.
 */
enum {
	VALUES_MAX = 1 << 12,
	BUCKET = 1024, /* items, about */
	FEWEST = 64,
	NEIGHBOURS = 24, /* that may stand wrong: more of them come from digests that are not uniform */
};

/* What is looked at of high words that lie from `base` to base + span. */
struct digit {
	uint64_t base;
	unsigned shift;
	size_t count; /* of values */
};

/* With at most so many values. */
static struct digit choose_digit(uint64_t base, uint64_t span, size_t most)
{
	most = most < 2 ? 2 : most > VALUES_MAX ? VALUES_MAX : most;
	struct digit digit = {.base = base};
	while (span >> digit.shift >= most)
		digit.shift++;
	digit.count = (size_t)(span >> digit.shift) + 1;
	return digit;
}

static size_t value_of(struct state_digest digest, struct digit digit)
{
	return (size_t)((digest.hi - digit.base) >> digit.shift);
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

/* Copies the items in the order of a digit, and as they were within one; ends[] gets where each value ends. */
static void deal(const struct state_sort_item *from, struct state_sort_item *to, size_t count,
                 struct digit digit, size_t *ends)
{
	memset(ends, 0, digit.count * sizeof(*ends));
	for (size_t i = 0; i < count; i++)
		ends[value_of(from[i].digest, digit)]++;
	size_t sum = 0;
	for (size_t value = 0; value < digit.count; value++) {
		size_t members = ends[value];
		ends[value] = sum;
		sum += members;
	}
	for (size_t i = 0; i < count; i++)
		to[ends[value_of(from[i].digest, digit)]++] = from[i];
}

/* Ends a sort that is right but for a few neighbours. */
static void settle(struct state_sort_item *items, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct state_sort_item item = items[i];
		size_t place = i;
		for (; place > 0 && compare(&item, &items[place - 1]) < 0; place--) {
			if (i - place == NEIGHBOURS) {
				items[place] = item;
				qsort(items, count, sizeof(*items), compare);
				return;
			}
			items[place] = items[place - 1];
		}
		items[place] = item;
	}
}

static void sort_bucket(const struct state_sort_item *from, struct state_sort_item *to, size_t count,
                        struct digit digit)
{
	size_t ends[VALUES_MAX];
	deal(from, to, count, digit, ends);
	settle(to, count);
}

static struct digit choose_top(const struct state_sort_item *items, size_t count)
{
	uint64_t low = items[0].digest.hi;
	uint64_t high = low;
	for (size_t i = 1; i < count; i++) {
		uint64_t hi = items[i].digest.hi;
		low = hi < low ? hi : low;
		high = hi > high ? hi : high;
	}
	return choose_digit(low, high - low, count / BUCKET);
}

void state_sort_items(struct state_sort_item *items, struct state_sort_item *scratch, size_t count)
{
	if (count < FEWEST) {
		settle(items, count);
		return;
	}
	size_t ends[VALUES_MAX];
	struct digit top = choose_top(items, count);
	deal(items, scratch, count, top, ends);
	uint64_t span = (UINT64_C(1) << top.shift) - 1;
	for (size_t value = 0, from = 0; value < top.count; from = ends[value++]) {
		size_t members = ends[value] - from;
		uint64_t base = top.base + ((uint64_t)value << top.shift);
		if (members > 0)
			sort_bucket(scratch + from, items + from, members,
			            choose_digit(base, span, 2 * members));
	}
}
