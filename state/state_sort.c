// SPDX-License-Identifier: Apache-2.0
#include "state_sort.h"

#include <stdlib.h>
#include <string.h>

/*
 * Two passes, from the top bits down: the first deals the items out to buckets that fit into the processor's
 * caches, the second sorts each bucket there, by as many bits as it takes to leave about one item to a
 * digit. The few that still agree are told apart by comparison.
 */
enum {
	DIGITS_MAX = 1 << 12,
	BUCKET = 1024, /* items, about */
	FEWEST = 512,
	NEIGHBOURS =
	    24, /* that agree in all the bits looked at: more of them come from digests that are not uniform */
};

struct digit {
	unsigned shift;
	size_t count; /* of its values, a power of two */
};

static size_t digit_of(struct state_digest digest, struct digit digit)
{
	return (size_t)(digest.hi >> digit.shift) & (digit.count - 1);
}

/* The digit below the top `above` bits that leaves about `rest` of `count` items to each value. */
static struct digit choose_digit(unsigned above, size_t count, size_t rest)
{
	struct digit digit = {.shift = 64 - above, .count = 1};
	while (digit.count < DIGITS_MAX && digit.count * rest < count && digit.shift > 0) {
		digit.count *= 2;
		digit.shift--;
	}
	return digit;
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

/* Copies the items in the order of a digit, which is otherwise theirs; ends[] gets the end of each value's. */
static void deal(const struct state_sort_item *from, struct state_sort_item *to, size_t count,
                 struct digit digit, size_t *ends)
{
	memset(ends, 0, digit.count * sizeof(*ends));
	for (size_t i = 0; i < count; i++)
		ends[digit_of(from[i].digest, digit)]++;
	size_t sum = 0;
	for (size_t value = 0; value < digit.count; value++) {
		size_t members = ends[value];
		ends[value] = sum;
		sum += members;
	}
	for (size_t i = 0; i < count; i++)
		to[ends[digit_of(from[i].digest, digit)]++] = from[i];
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

/* Sorts a bucket into `to`. `above` bits are the same in all of it. */
static void sort_bucket(const struct state_sort_item *from, struct state_sort_item *to, size_t count,
                        unsigned above)
{
	size_t ends[DIGITS_MAX];
	deal(from, to, count, choose_digit(above, count, 1), ends);
	settle(to, count);
}

void state_sort_items(struct state_sort_item *items, struct state_sort_item *scratch, size_t count)
{
	if (count < FEWEST) {
		if (count > 1)
			qsort(items, count, sizeof(*items), compare);
		return;
	}
	size_t ends[DIGITS_MAX];
	struct digit top = choose_digit(0, count, BUCKET);
	deal(items, scratch, count, top, ends);
	size_t from = 0;
	for (size_t value = 0; value < top.count; from = ends[value++])
		if (ends[value] > from)
			sort_bucket(scratch + from, items + from, ends[value] - from, 64 - top.shift);
}
