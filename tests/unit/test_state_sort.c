// SPDX-License-Identifier: Apache-2.0
#include "state_fixture.h"
#include "state_sort.h"

/* Sorts random digests whose words are cut by masks and shifted up to `base`, some of them repeated, and
 * looks at the outcome. */
static void check_from(uint64_t base, size_t count, uint64_t high_mask, uint64_t low_mask)
{
	uint64_t seed = count + 1;
	struct state_sort_item *items = calloc(count + 1, sizeof(*items));
	struct state_sort_item *scratch = calloc(count + 1, sizeof(*scratch));
	struct state_digest *digests = calloc(count + 1, sizeof(*digests));
	bool *met = calloc(count + 1, sizeof(*met));
	cr_assert(items && scratch && digests && met);
	for (size_t i = 0; i < count; i++) {
		digests[i].hi = base + (fixture_random(&seed) & high_mask);
		digests[i].lo = fixture_random(&seed) & low_mask;
		if (i > 0 && fixture_random(&seed) % 8 == 0)
			digests[i] = digests[fixture_random(&seed) % i];
		items[i] = (struct state_sort_item){digests[i], i};
	}
	state_sort_items(items, scratch, count);
	for (size_t i = 0; i < count; i++) {
		cr_assert_not(met[items[i].tag], "every item once");
		met[items[i].tag] = true;
		cr_assert_eq(state_digest_compare(items[i].digest, digests[items[i].tag]), 0);
		if (i == 0)
			continue;
		int order = state_digest_compare(items[i - 1].digest, items[i].digest);
		cr_assert(order < 0 || (order == 0 && items[i - 1].tag < items[i].tag));
	}
	free(items);
	free(scratch);
	free(digests);
	free(met);
}

static void check(size_t count, uint64_t high_mask, uint64_t low_mask)
{
	check_from(0, count, high_mask, low_mask);
}

Test(state_sort, uniform_digests_of_any_number)
{
	static const size_t counts[] = {0, 1, 2, 3, 63, 64, 65, 2047, 2048, 2049, 4096, 100000};
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		check(counts[i], UINT64_MAX, UINT64_MAX);
}

Test(state_sort, digests_of_a_stretch_wherever_it_lies)
{
	for (unsigned shift = 0; shift < 64; shift += 7)
		check_from(UINT64_MAX / 3 * 2 - 1000, 5000, ((uint64_t)1 << shift) - 1, UINT64_MAX);
	check_from(((uint64_t)1 << 63) - 5000, 5000, 0x3fff, UINT64_MAX);
	check_from(UINT64_MAX - 0xffff, 5000, 0xffff, 1);
}

Test(state_sort, digests_that_are_not_uniform)
{
	check(20000, 0xff, UINT64_MAX);
	check(20000, 0, 0xffff);
	check(20000, 0xffff000000000000, 3);
	check(20000, 0x7fffffff, UINT64_MAX);
	check(20000, 0, 0);
}
