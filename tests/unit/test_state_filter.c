// SPDX-License-Identifier: Apache-2.0
#include "state_filter.h"
#include "state_fixture.h"

enum { COUNT = 120000, ABSENT = 2 * COUNT }; /* three pieces of filter */

static struct fixture f;

static void setup(void)
{
	fixture_make_directory(&f);
	fixture_start(&f);
}

static void teardown(void)
{
	fixture_remove(&f);
}

TestSuite(state_filter, .init = setup, .fini = teardown);

typedef enum state_result chooser(struct state_filter *, const struct state_probe *, const uint16_t *, size_t,
                                  struct state_probe_list *);

/* Marks the digests that the filter of the only run lets pass, asking for every `step`-th: one stretch after
 * the other, or before it where some are left out. */
static size_t pass(chooser *choose, uint32_t dataset, const struct state_digest *sorted, size_t count,
                   size_t step, bool *passed)
{
	struct state_manifest *runs;
	size_t run_count;
	struct state_filter filter;
	static struct state_probe_list wanted;
	static struct state_probe_list chosen;
	memset(passed, 0, count * sizeof(*passed));
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_manifest_list(txn, dataset, &runs, &run_count), STATE_OK);
	cr_assert_eq(run_count, 1);
	cr_assert_eq(state_filter_open(&filter, txn, runs[0].run, runs[0].blocks), STATE_OK);
	size_t total = 0;
	size_t stretches = (count + STATE_PROBE_STRETCH - 1) / STATE_PROBE_STRETCH;
	for (size_t turn = 0; turn < stretches; turn++) {
		size_t from = (step == 1 ? turn : stretches - 1 - turn) * STATE_PROBE_STRETCH;
		struct state_probe stretch = {.sorted = sorted + from};
		wanted.count = 0;
		for (size_t i = 0; i < STATE_PROBE_STRETCH && from + i < count; i += step)
			wanted.places[wanted.count++] = (uint16_t)i;
		cr_assert_eq(choose(&filter, &stretch, wanted.places, wanted.count, &chosen), STATE_OK);
		for (size_t i = 0; i < chosen.count; i++)
			passed[from + chosen.places[i]] = true;
		total += chosen.count;
	}
	state_filter_close(&filter);
	state_txn_abort(txn);
	free(runs);
	return total;
}

Test(state_filter, with_and_without_vector_instructions_the_same_digests_pass)
{
	static bool with[ABSENT];
	static bool without[ABSENT];
	uint32_t dataset = fixture_dataset(&f, "a");
	struct state_digest *digests = fixture_digests(1, COUNT);
	struct state_digest *absent = fixture_digests(2, ABSENT);
	fixture_add_live(&f, dataset, digests, COUNT);
	cr_assert_eq(pass(state_filter_choose, dataset, digests, COUNT, 1, with), COUNT);
	cr_assert_eq(pass(state_filter_choose_plain, dataset, digests, COUNT, 1, without), COUNT);
	size_t wrong = pass(state_filter_choose, dataset, absent, ABSENT, 1, with);
	cr_assert_eq(pass(state_filter_choose_plain, dataset, absent, ABSENT, 1, without), wrong);
	cr_assert_eq(memcmp(with, without, sizeof(with)), 0);
	cr_assert_lt(wrong, ABSENT / 200, "fourteen bits an entry let less than one in 200 pass");
	cr_assert_gt(wrong, 0);
	free(digests);
	free(absent);
}

Test(state_filter, with_and_without_vector_instructions_a_filter_gets_the_same_bits)
{
	enum { ENTRIES = 1000 };
	struct state_entry entries[ENTRIES];
	struct state_digest *digests = fixture_digests(5, 2 * ENTRIES);
	for (size_t i = 0; i < ENTRIES; i++)
		entries[i] = (struct state_entry){digests[2 * i], digests[2 * i + 1]};
	uint64_t blocks = state_filter_blocks(ENTRIES);
	struct state_filter_builder with;
	struct state_filter_builder without;
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_filter_begin(&with, txn, 1, blocks, 0), STATE_OK);
	cr_assert_eq(state_filter_begin(&without, txn, 2, blocks, 0), STATE_OK);
	cr_assert_eq(state_filter_add(&with, txn, (uint8_t *)entries, sizeof(*entries), ENTRIES), STATE_OK);
	cr_assert_eq(state_filter_add_plain(&without, txn, (uint8_t *)entries, sizeof(*entries), ENTRIES),
	             STATE_OK);
	cr_assert_eq(memcmp(with.bytes, without.bytes, state_filter_bytes(blocks)), 0);
	state_filter_discard(&with);
	state_filter_discard(&without);
	state_txn_abort(txn);
	free(digests);
}

/* As a damaged run may give them, beside the merge that goes on in a later piece. */
Test(state_filter, entries_of_an_earlier_piece_are_corruption)
{
	uint64_t blocks = state_filter_blocks(COUNT);
	struct state_filter_builder builder;
	struct state_digest first = {0};
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_filter_begin(&builder, txn, 1, blocks, 1), STATE_OK);
	cr_assert_eq(state_filter_add(&builder, txn, (uint8_t *)&first, sizeof first, 1), STATE_CORRUPT);
	state_filter_discard(&builder);
	state_txn_abort(txn);
}

Test(state_filter, a_digest_passes_whatever_is_asked_for_beside_it)
{
	static bool all[ABSENT];
	static bool some[ABSENT];
	enum { STEP = 7 };
	uint32_t dataset = fixture_dataset(&f, "a");
	struct state_digest *digests = fixture_digests(3, COUNT);
	struct state_digest *absent = fixture_digests(4, ABSENT);
	fixture_add_live(&f, dataset, digests, COUNT);
	pass(state_filter_choose, dataset, absent, ABSENT, 1, all);
	pass(state_filter_choose, dataset, absent, ABSENT, STEP, some);
	for (size_t from = 0; from < ABSENT; from += STATE_PROBE_STRETCH)
		for (size_t i = 0; i < STATE_PROBE_STRETCH && from + i < ABSENT; i++)
			cr_assert_eq(some[from + i], i % STEP == 0 && all[from + i]);
	free(digests);
	free(absent);
}

Test(state_filter, pieces_and_edges_agree)
{
	static const uint64_t blocks[] = {1, 2, 2046, 2047, 4092, 4093, 1000003, UINT32_MAX};
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		uint64_t pieces = state_filter_pieces(blocks[i]);
		cr_assert_eq(state_filter_piece(blocks[i], 0), 0);
		cr_assert_eq(state_filter_piece(blocks[i], UINT64_MAX), pieces - 1);
		for (uint64_t piece = 1; piece < pieces; piece += 1 + pieces / 50) {
			uint64_t edge = state_filter_edge(blocks[i], piece);
			cr_assert_eq(state_filter_piece(blocks[i], edge), piece);
			cr_assert_eq(state_filter_piece(blocks[i], edge - 1), piece - 1);
		}
	}
}
