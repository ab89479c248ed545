// SPDX-License-Identifier: Apache-2.0
#include "state_fixture.h"
#include "state_rebuild.h"

enum { OLD = 20000, NEW = 50000 };

static struct fixture f;
static uint32_t dataset;
static struct state_digest *old;
static struct state_digest *new;

static void setup(void)
{
	fixture_make_directory(&f);
	fixture_start(&f);
	dataset = fixture_dataset(&f, "a");
	old = fixture_digests(1, OLD);
	new = fixture_digests(2, NEW);
	fixture_add_live(&f, dataset, old, OLD);
}

static void teardown(void)
{
	free(old);
	free(new);
	fixture_remove(&f);
}

TestSuite(state_rebuild, .init = setup, .fini = teardown);

static struct state_rebuild *begin(void)
{
	struct state_rebuild *rebuild;
	struct state_error error = {0};
	cr_assert_eq(state_rebuild_begin(&rebuild, f.state, &error), STATE_OK, "%s", error.text);
	return rebuild;
}

static void add(struct state_rebuild *rebuild, const struct state_digest *digests, size_t count)
{
	struct state_error error = {0};
	cr_assert_eq(state_rebuild_add(rebuild, digests, count, &error), STATE_OK, "%s", error.text);
}

static void install(struct state_rebuild *rebuild)
{
	struct state_error error = {0};
	struct state_dataset record = fixture_find(&f, dataset);
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_rebuild_install(rebuild, txn, &record);
	fixture_commit(txn);
	cr_assert_eq(state_rebuild_discard(rebuild, &error), STATE_OK, "%s", error.text);
}

Test(state_rebuild, the_new_set_takes_the_place_of_the_old_one)
{
	struct state_rebuild *rebuild = begin();
	uint32_t epoch = fixture_find(&f, dataset).cache_epoch;
	/* In parts that overlap, so that most digests come more than once. */
	for (size_t from = 0; from + NEW / 2 <= NEW; from += NEW / 10)
		add(rebuild, new + from, NEW / 2);
	cr_assert_eq(state_rebuild_rows(rebuild), NEW);
	cr_assert_eq(fixture_seen(&f, dataset, old, OLD), OLD, "the old set counts until the new one does");
	cr_assert_eq(fixture_seen(&f, dataset, new, NEW), 0);
	install(rebuild);
	cr_assert_eq(fixture_seen(&f, dataset, old, OLD), 0);
	cr_assert_eq(fixture_seen(&f, dataset, new, NEW), NEW);
	cr_assert_eq(fixture_find(&f, dataset).rows, NEW);
	cr_assert_eq(fixture_find(&f, dataset).cache_epoch, epoch + 1);
	cr_assert_eq(fixture_stats(&f, dataset).rows, NEW);
	fixture_restart(&f);
	cr_assert_eq(fixture_seen(&f, dataset, new, NEW), NEW);
	fixture_add_live(&f, dataset, old, OLD);
	fixture_expect(&f, dataset, old, OLD);
}

Test(state_rebuild, equal_neighbours_count_once)
{
	struct state_digest same[] = {new[0], new[0], new[0], new[1]};
	struct state_rebuild *rebuild = begin();
	add(rebuild, same, 4);
	add(rebuild, same, 4);
	add(rebuild, same, 0);
	cr_assert_eq(state_rebuild_rows(rebuild), 2);
	install(rebuild);
	cr_assert_eq(fixture_stats(&f, dataset).rows, 2);
}

Test(state_rebuild, an_empty_table_makes_an_empty_set)
{
	install(begin());
	cr_assert_eq(fixture_seen(&f, dataset, old, OLD), 0);
	cr_assert_eq(fixture_find(&f, dataset).rows, 0);
	cr_assert_eq(fixture_stats(&f, dataset).runs, 0);
}

Test(state_rebuild, a_pending_batch_falls)
{
	struct state_pending pending;
	fixture_put(&f, dataset, new, 100);
	install(begin());
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_batch_pending(txn, dataset, &pending), STATE_NOT_FOUND);
	state_txn_abort(txn);
	cr_assert_eq(fixture_seen(&f, dataset, new, 100), 0);
}

Test(state_rebuild, one_that_is_cut_off_leaves_no_trace)
{
	struct state_error error = {0};
	uint64_t before, after, file;
	fixture_restart(&f);
	struct state_rebuild *rebuild = begin();
	add(rebuild, new, NEW);
	/* As a kill leaves it: not discarded, only freed. */
	free(rebuild);
	fixture_restart(&f);
	cr_assert_eq(fixture_seen(&f, dataset, new, NEW), 0);
	cr_assert_eq(fixture_seen(&f, dataset, old, OLD), OLD);
	cr_assert_eq(state_size(f.state, &before, &file, &error), STATE_OK);
	for (int time = 0; time < 5; time++) {
		rebuild = begin();
		add(rebuild, new, NEW);
		cr_assert_eq(state_rebuild_discard(rebuild, &error), STATE_OK);
	}
	cr_assert_eq(state_size(f.state, &after, &file, &error), STATE_OK);
	cr_assert_eq(fixture_seen(&f, dataset, new, NEW), 0);
	cr_assert_leq(after, before + 4 * NEW * sizeof(*new), "what is discarded is used again");
	cr_assert_eq(state_rebuild_discard(NULL, &error), STATE_OK);
}
