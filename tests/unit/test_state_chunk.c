// SPDX-License-Identifier: Apache-2.0
#include "state_fixture.h"

enum { COUNT = 500 };

static struct fixture f;
static uint32_t dataset;
static struct state_digest *digests;

static void setup(void)
{
	fixture_make_directory(&f);
	fixture_start(&f);
	dataset = fixture_dataset(&f, "a");
	digests = fixture_digests(1, COUNT);
}

static void teardown(void)
{
	free(digests);
	fixture_remove(&f);
}

TestSuite(state_chunk, .init = setup, .fini = teardown);

static struct state_chunk *chunks_of(size_t from, size_t count, uint32_t rows)
{
	struct state_chunk *chunks = calloc(count + 1, sizeof(*chunks));
	cr_assert_not_null(chunks);
	for (size_t i = 0; i < count; i++)
		chunks[i] =
		    (struct state_chunk){.digest = digests[from + i], .rows = rows, .filtered = (uint32_t)i};
	return chunks;
}

static void put_with_batch(size_t from, size_t count, uint32_t rows)
{
	struct state_batch batch = fixture_batch(&f, dataset, NULL, 0);
	struct state_chunk *chunks = chunks_of(from, count, rows);
	batch.chunks = chunks;
	batch.chunk_count = count;
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_batch_put(txn, &batch);
	fixture_commit(txn);
	free(chunks);
}

static void put_alone(size_t from, size_t count, uint32_t rows)
{
	struct state_chunk *chunks = chunks_of(from, count, rows);
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_chunk_put(txn, dataset, chunks, count), STATE_OK);
	fixture_commit(txn);
	free(chunks);
}

/* Looks all of them up, at once and one by one from the last to the first, and returns how many are known. */
static size_t find(struct state_chunk *found)
{
	struct state_chunk_reader *reader;
	static bool seen[COUNT];
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_chunk_open(&reader, txn, dataset), STATE_OK);
	cr_assert_eq(state_chunk_find(reader, digests, COUNT, seen, found), STATE_OK);
	size_t count = 0;
	for (size_t i = COUNT; i-- > 0;) {
		bool seen_alone;
		struct state_chunk alone;
		cr_assert_eq(state_chunk_find(reader, &digests[i], 1, &seen_alone, &alone), STATE_OK);
		cr_assert_eq(seen_alone, seen[i]);
		if (seen[i])
			cr_assert_eq(memcmp(&alone, &found[i], sizeof(alone)), 0);
		count += seen[i];
	}
	state_chunk_close(reader);
	state_txn_abort(txn);
	return count;
}

static void bump_epoch(void)
{
	struct state_dataset record = fixture_find(&f, dataset);
	record.cache_epoch++;
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_dataset_put(txn, &record);
	fixture_commit(txn);
}

Test(state_chunk, chunks_come_and_go_with_their_batch_and_are_no_rows)
{
	struct state_chunk found[COUNT];
	put_with_batch(0, 100, 7);
	cr_assert_eq(find(found), 100, "what was judged by a pending batch falls with it, so it is visible");
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_discard(txn, dataset), STATE_OK);
	fixture_commit(txn);
	cr_assert_eq(find(found), 0);
	put_with_batch(0, 100, 8);
	fixture_promote(&f, dataset);
	cr_assert_eq(find(found), 100);
	cr_assert_eq(found[9].rows, 8);
	cr_assert_eq(found[9].filtered, 9);
	cr_assert_eq(found[9].seq, 1);
	cr_assert_eq(fixture_find(&f, dataset).rows, 0);
	cr_assert_eq(fixture_stats(&f, dataset).rows, 0);
	cr_assert_eq(fixture_stats(&f, dataset).chunks, 100);
}

Test(state_chunk, a_dataset_that_is_not_there_has_none)
{
	struct state_chunk *found = chunks_of(0, COUNT, 0);
	put_alone(0, COUNT, 1);
	dataset++;
	cr_assert_eq(find(found), 0);
	free(found);
}

Test(state_chunk, a_chunk_that_is_confirmed_again_carries_the_newer_batch)
{
	struct state_chunk found[COUNT];
	put_with_batch(0, 10, 1);
	fixture_promote(&f, dataset);
	put_with_batch(5, 10, 2);
	fixture_promote(&f, dataset);
	put_alone(0, 1, 3);
	cr_assert_eq(find(found), 15);
	cr_assert_eq(found[4].seq, 1);
	cr_assert_eq(found[5].seq, 2);
	cr_assert_eq(found[5].rows, 2);
	cr_assert_eq(found[0].seq, 2);
	cr_assert_eq(found[0].rows, 3);
}

Test(state_chunk, many_small_runs_become_one)
{
	struct state_chunk found[COUNT];
	for (size_t i = 0; i < 20; i++) {
		put_alone(10 * i, 15, (uint32_t)i);
		fixture_merge(&f, dataset);
	}
	cr_assert_eq(find(found), 205);
	fixture_stop(&f);
	cr_assert_leq(raw_count(&f, "manifest"), 8);
	fixture_start(&f);
}

Test(state_chunk, chunks_cannot_be_confirmed_alone_while_a_batch_is_pending)
{
	put_with_batch(0, 1, 1);
	struct state_chunk *chunks = chunks_of(1, 1, 1);
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_chunk_put(txn, dataset, chunks, 1), STATE_MISUSE);
	state_txn_abort(txn);
	free(chunks);
}

Test(state_chunk, another_cache_epoch_voids_all_chunks_and_merging_removes_them)
{
	struct state_chunk found[COUNT];
	put_alone(0, 100, 1);
	put_with_batch(100, 100, 1);
	bump_epoch();
	cr_assert_eq(find(found), 0);
	fixture_promote(&f, dataset);
	cr_assert_eq(find(found), 0, "the pending ones are of the old epoch too");
	put_alone(50, 10, 2);
	cr_assert_eq(find(found), 10);
	fixture_merge(&f, dataset);
	cr_assert_eq(find(found), 10);
	fixture_stop(&f);
	cr_assert_eq(raw_count(&f, "manifest"), 1);
	cr_assert_eq(raw_count(&f, "data"), 1);
	fixture_start(&f);
}

Test(state_chunk, runs_that_were_not_confirmed_for_long_expire)
{
	struct state_chunk found[COUNT];
	for (size_t i = 0; i < 4; i++) {
		put_with_batch(10 * i, 10, 1);
		fixture_promote(&f, dataset);
	}
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_chunk_expire(txn, dataset, 3), STATE_OK);
	fixture_commit(txn);
	cr_assert_eq(find(found), 20);
	cr_assert_eq(found[20].seq, 3);
	fixture_merge(&f, dataset);
	fixture_stop(&f);
	cr_assert_eq(raw_count(&f, "manifest"), 2);
	fixture_start(&f);
}
