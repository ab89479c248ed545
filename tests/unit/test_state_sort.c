// SPDX-License-Identifier: Apache-2.0
#include "state_fixture.h"
#include "state_sort.h"

/* Sorts random digests whose words are cut by masks, some of them repeated, and looks at the outcome. */
static void check(size_t count, uint64_t high_mask, uint64_t low_mask)
{
	uint64_t seed = count + 1;
	struct state_sort_item *items = calloc(count + 1, sizeof(*items));
	struct state_sort_item *scratch = calloc(count + 1, sizeof(*scratch));
	struct state_digest *digests = calloc(count + 1, sizeof(*digests));
	bool *met = calloc(count + 1, sizeof(*met));
	cr_assert(items && scratch && digests && met);
	for (size_t i = 0; i < count; i++) {
		digests[i].hi = fixture_random(&seed) & high_mask;
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

Test(state_sort, uniform_digests_of_any_number)
{
	static const size_t counts[] = {0, 1, 2, 3, 511, 512, 513, 4096, 100000};
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		check(counts[i], UINT64_MAX, UINT64_MAX);
}

Test(state_sort, digests_that_are_not_uniform)
{
	check(20000, 0xff, UINT64_MAX);
	check(20000, 0, 0xffff);
	check(20000, 0xffff000000000000, 3);
	check(20000, 0x7fffffff, UINT64_MAX);
	check(20000, 0, 0);
}
