// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "state_fixture.h"

enum {
	PIECE = 4095, /* digests in a full piece, as state_run.h says */
	FEWEST = 8,   /* small runs of a size that are merged */
};

static struct fixture f;
static uint32_t dataset;

static void setup(void)
{
	fixture_make_directory(&f);
	fixture_start(&f);
	dataset = fixture_dataset(&f, "a");
}

static void teardown(void)
{
	fixture_remove(&f);
}

TestSuite(state_merge, .init = setup, .fini = teardown);

/* LMDB's call: kills a child in a chosen commit, between its data pages and its meta page. */
static int syncs_left = -1;

int fdatasync(int fd)
{
	if (syncs_left > 0 && --syncs_left == 0)
		kill(getpid(), SIGKILL);
	return (int)syscall(SYS_fdatasync, fd);
}

Test(state_merge, a_merge_waits_for_enough_runs_of_a_class)
{
	enum { COUNT = FEWEST * 500, MOST = COUNT - 500 };
	struct state_digest *digests = fixture_digests(7, COUNT);
	fixture_add_interleaved(&f, dataset, digests, MOST, FEWEST - 1);
	fixture_merge(&f, dataset);
	cr_assert_eq(fixture_stats(&f, dataset).runs, FEWEST - 1);
	fixture_add_live(&f, dataset, digests + MOST, COUNT - MOST);
	fixture_merge(&f, dataset);
	struct state_run_stats stats = fixture_stats(&f, dataset);
	cr_assert_eq(stats.runs, 1);
	cr_assert_eq(stats.rows, COUNT);
	fixture_expect(&f, dataset, digests, COUNT);
	fixture_stop(&f);
	cr_assert_eq(raw_count(&f, "manifest"), 1, "inputs are gone");
	cr_assert_eq(raw_count(&f, "data"), 1);
	cr_assert_eq(raw_count(&f, "filter"), 1);
	free(digests);
}

Test(state_merge, a_merge_leaves_large_runs_alone_until_they_are_many)
{
	enum { LARGE = 17 * PIECE, SMALL = 100 };
	struct state_digest *digests = fixture_digests(8, LARGE + FEWEST * SMALL);
	fixture_add_live(&f, dataset, digests, LARGE);
	fixture_add_interleaved(&f, dataset, digests + LARGE, FEWEST * SMALL, FEWEST);
	fixture_merge(&f, dataset);
	struct state_run_stats stats = fixture_stats(&f, dataset);
	cr_assert_eq(stats.runs, 2);
	cr_assert_eq(stats.rows, LARGE + FEWEST * SMALL);
	fixture_expect(&f, dataset, digests, LARGE + FEWEST * SMALL);
	free(digests);
}

Test(state_merge, a_pending_run_outlives_a_merge)
{
	enum { COUNT = FEWEST * 100, PENDING = 100 };
	struct state_digest *digests = fixture_digests(9, COUNT + PENDING);
	fixture_add_interleaved(&f, dataset, digests, COUNT, FEWEST);
	fixture_put(&f, dataset, digests + COUNT, PENDING);
	fixture_merge(&f, dataset);
	fixture_expect(&f, dataset, digests, COUNT + PENDING);
	cr_assert_eq(fixture_stats(&f, dataset).rows, COUNT);
	fixture_promote(&f, dataset);
	fixture_expect(&f, dataset, digests, COUNT + PENDING);
	cr_assert_eq(fixture_stats(&f, dataset).runs, 2);
	free(digests);
}

Test(state_merge, a_snapshot_from_before_a_merge_still_sees_everything)
{
	enum { COUNT = FEWEST * 5000 };
	static bool seen[COUNT];
	struct state_digest *digests = fixture_digests(10, COUNT);
	fixture_add_interleaved(&f, dataset, digests, COUNT, FEWEST);
	struct state_txn *txn = state_txn_begin_read(f.state);
	fixture_merge(&f, dataset);
	fixture_put(&f, dataset, &(struct state_digest){1, 1}, 1);
	cr_assert_eq(state_run_probe(txn, dataset, digests, COUNT, seen), STATE_OK);
	for (size_t i = 0; i < COUNT; i++)
		cr_assert(seen[i]);
	cr_assert_eq(state_run_probe(txn, dataset, &(struct state_digest){1, 1}, 1, seen), STATE_OK);
	cr_assert_not(seen[0]);
	state_txn_abort(txn);
	free(digests);
}

/* Merges in a child that is killed at its n-th commit, or at a random time; true when the child came to its
 * end. */
static bool merge_in_child(int kill_at_sync, useconds_t kill_after)
{
	pid_t child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		struct state_options options = {.directory = f.directory};
		struct state *state;
		if (state_open(&state, &options, NULL) != STATE_OK)
			_exit(1);
		syncs_left = kill_at_sync;
		_exit(state_merge_step(state, dataset, UINT64_MAX, NULL) == STATE_OK ? 0 : 1);
	}
	if (kill_after > 0) {
		usleep(kill_after);
		kill(child, SIGKILL);
	}
	int status;
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	return WIFEXITED(status);
}

enum { KILL_ROWS = FEWEST * 150000 }; /* more than one slice */

static void check_after_kill(const struct state_digest *digests)
{
	fixture_start(&f);
	cr_assert_eq(fixture_stats(&f, dataset).rows, KILL_ROWS);
	cr_assert_eq(fixture_seen(&f, dataset, digests, KILL_ROWS), KILL_ROWS);
	struct state_digest *absent = fixture_neighbours(digests, KILL_ROWS);
	cr_assert_eq(fixture_seen(&f, dataset, absent, 2 * KILL_ROWS), 0);
	free(absent);
	size_t runs = fixture_stats(&f, dataset).runs;
	cr_assert(runs == FEWEST + 1 || runs == FEWEST || runs == 1, "%zu runs", runs);
	fixture_stop(&f);
	cr_assert_eq(raw_count(&f, "manifest"), runs, "nothing that is dead is left");
}

Test(state_merge, a_merge_killed_at_any_commit_loses_nothing_and_doubles_nothing)
{
	struct state_digest *digests = fixture_digests(13, KILL_ROWS);
	fixture_add_interleaved(&f, dataset, digests, KILL_ROWS, FEWEST);
	fixture_stop(&f);
	int syncs = 1;
	for (; !merge_in_child(syncs, 0); syncs++)
		check_after_kill(digests);
	check_after_kill(digests);
	cr_assert_geq(syncs, 3, "a merge of this size takes several slices");
	fixture_start(&f);
	cr_assert_eq(fixture_stats(&f, dataset).runs, 1);
	free(digests);
}

Test(state_merge, a_merge_killed_at_any_time_loses_nothing_and_doubles_nothing)
{
	uint64_t seed = (uint64_t)getpid();
	struct state_digest *digests = fixture_digests(14, KILL_ROWS);
	fixture_add_interleaved(&f, dataset, digests, KILL_ROWS, FEWEST);
	fixture_stop(&f);
	for (size_t round = 0; round < 10; round++) {
		bool ended = merge_in_child(-1, (useconds_t)(1 + fixture_random(&seed) % 60000));
		check_after_kill(digests);
		if (ended)
			break;
	}
	cr_assert(merge_in_child(-1, 0));
	check_after_kill(digests);
	free(digests);
}

static struct state_digest row_of(uint64_t number)
{
	return (struct state_digest){number, ~number};
}

/* Each run gives half of the keys another row. */
static void add_keyed_runs(const struct state_digest *keys, uint64_t *newest, size_t count)
{
	uint64_t seed = 23;
	struct state_entry *entries = calloc(count, sizeof(*entries));
	cr_assert_not_null(entries);
	for (uint64_t run = 1; run <= FEWEST; run++) {
		struct state_batch batch = fixture_batch(&f, dataset, NULL, 0);
		for (size_t i = 0; i < count; i++) {
			if (fixture_random(&seed) % 2 == 0)
				continue;
			batch.new_count += newest[i] == 0;
			newest[i] = run;
			entries[batch.entry_count++] = (struct state_entry){keys[i], row_of(run)};
		}
		batch.entries = entries;
		struct state_txn *txn = state_txn_begin_write(f.state);
		state_batch_put(txn, &batch);
		state_batch_promote(txn, dataset);
		fixture_commit(txn);
	}
	free(entries);
}

static void check_newest(const struct state_digest *keys, const uint64_t *newest, size_t count)
{
	bool *seen = calloc(count, sizeof(*seen));
	struct state_digest *rows = calloc(count, sizeof(*rows));
	cr_assert(seen && rows);
	fixture_start(&f);
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_run_probe_keys(txn, dataset, keys, count, seen, rows), STATE_OK);
	state_txn_abort(txn);
	size_t distinct = 0;
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(seen[i], newest[i] != 0);
		cr_assert(!seen[i] || state_digest_compare(rows[i], row_of(newest[i])) == 0);
		distinct += seen[i];
	}
	cr_assert_eq(fixture_find(&f, dataset).rows, distinct);
	fixture_stop(&f);
	free(seen);
	free(rows);
}

Test(state_merge, a_merge_of_keys_killed_at_any_commit_keeps_the_newest_entries)
{
	enum { KEYS = 400000 };
	struct state_digest *keys = fixture_digests(18, KEYS);
	uint64_t *newest = calloc(KEYS, sizeof(*newest));
	cr_assert_not_null(newest);
	add_keyed_runs(keys, newest, KEYS);
	fixture_stop(&f);
	int syncs = 1;
	for (; !merge_in_child(syncs, 0); syncs++)
		check_newest(keys, newest, KEYS);
	check_newest(keys, newest, KEYS);
	cr_assert_geq(syncs, 3, "a merge of this size takes several slices");
	fixture_start(&f);
	cr_assert_eq(fixture_stats(&f, dataset).runs, 1);
	cr_assert_eq(fixture_stats(&f, dataset).rows, fixture_find(&f, dataset).rows);
	free(keys);
	free(newest);
}

Test(state_merge, no_step_of_a_merge_writes_more_than_its_batch_pays_for)
{
	enum { COUNT = FEWEST * 300000, LEAST = 65536 };
	struct state_digest *digests = fixture_digests(19, COUNT);
	fixture_add_interleaved(&f, dataset, digests, COUNT, FEWEST);
	size_t steps = 0;
	struct state_error error = {0};
	for (; fixture_stats(&f, dataset).runs > 1; steps++) {
		cr_assert_eq(state_merge_step(f.state, dataset, 1, &error), STATE_OK, "%s", error.text);
		cr_assert_eq(fixture_stats(&f, dataset).rows, COUNT);
		fixture_expect(&f, dataset, &digests[COUNT / 2], 3);
	}
	cr_assert_geq(steps, COUNT / (2 * LEAST));
	fixture_expect(&f, dataset, digests, COUNT);
	free(digests);
}

Test(state_merge, a_merge_takes_no_more_room_than_a_few_slices)
{
	enum { COUNT = FEWEST * 500000, SLICES = 4 };
	uint64_t before;
	uint64_t after;
	uint64_t used;
	struct state_digest *digests = fixture_digests(20, COUNT);
	fixture_add_interleaved(&f, dataset, digests, COUNT, FEWEST);
	cr_assert_eq(state_size(f.state, &used, &before, NULL), STATE_OK);
	fixture_merge(&f, dataset);
	cr_assert_eq(state_size(f.state, &used, &after, NULL), STATE_OK);
	cr_assert_eq(fixture_stats(&f, dataset).runs, 1);
	cr_assert_leq(after, before + SLICES * (16 << 20));
	free(digests);
}

Test(state_merge, a_merge_of_runs_that_are_not_disjoint_is_corrupt_and_changes_nothing)
{
	struct state_digest *digests = fixture_digests(16, 1000);
	struct state_error error;
	for (size_t i = 0; i < FEWEST; i++)
		fixture_add_live(&f, dataset, digests, 1000);
	cr_assert_eq(state_merge_step(f.state, dataset, UINT64_MAX, &error), STATE_CORRUPT);
	fixture_restart(&f);
	cr_assert_eq(fixture_stats(&f, dataset).runs, FEWEST);
	cr_assert_eq(fixture_seen(&f, dataset, digests, 1000), 1000);
	free(digests);
}

Test(state_merge, a_merge_that_misses_a_piece_is_corrupt_and_changes_nothing)
{
	struct state_digest *digests = fixture_digests(17, 16 * PIECE);
	fixture_add_interleaved(&f, dataset, digests, 16 * PIECE, FEWEST);
	raw_damage_first(&f, "data", 0, 0);
	cr_assert_eq(state_merge_step(f.state, dataset, UINT64_MAX, NULL), STATE_CORRUPT);
	fixture_restart(&f);
	cr_assert_eq(fixture_stats(&f, dataset).runs, FEWEST);
	free(digests);
}

/* Turns the entries of the first piece around. */
static void turn_first_piece(void)
{
	fixture_stop(&f);
	struct raw_entry piece = raw_first(&f, "data");
	struct state_digest *digests = (struct state_digest *)piece.value;
	size_t count = piece.size / sizeof(*digests);
	for (size_t i = 0; i < count / 2; i++) {
		struct state_digest digest = digests[i];
		digests[i] = digests[count - 1 - i];
		digests[count - 1 - i] = digest;
	}
	raw_put(&f, "data", piece.key, piece.key_size, piece.value, piece.size);
	free(piece.value);
	fixture_start(&f);
}

Test(state_merge, a_merge_of_a_run_that_does_not_rise_is_corrupt_and_changes_nothing)
{
	struct state_digest *digests = fixture_digests(21, 32 * PIECE);
	fixture_add_interleaved(&f, dataset, digests, 32 * PIECE, FEWEST);
	turn_first_piece();
	cr_assert_eq(state_merge_step(f.state, dataset, UINT64_MAX, NULL), STATE_CORRUPT);
	fixture_restart(&f);
	cr_assert_eq(fixture_stats(&f, dataset).runs, FEWEST);
	free(digests);
}

Test(state_merge, runs_that_are_not_uniform_or_not_even_are_merged_too)
{
	enum { COUNT = 200000 };
	struct state_digest *digests = fixture_digests(22, COUNT);
	struct state_digest *part = calloc(COUNT, sizeof(*part));
	cr_assert_not_null(part);
	for (size_t i = 0; i < COUNT; i++)
		digests[i].hi = i < COUNT / 2 ? 5 : digests[i].hi % 1000;
	fixture_sort(digests, COUNT);
	for (size_t run = 0; run < FEWEST; run++) {
		size_t count = 0;
		for (size_t i = 0; i < COUNT; i++)
			if (i * i % 1009 % FEWEST == run)
				part[count++] = digests[i];
		fixture_add_live(&f, dataset, part, count);
	}
	fixture_merge(&f, dataset);
	cr_assert_eq(fixture_stats(&f, dataset).runs, 1);
	cr_assert_eq(fixture_stats(&f, dataset).rows, COUNT);
	fixture_expect(&f, dataset, digests, COUNT);
	free(digests);
	free(part);
}
