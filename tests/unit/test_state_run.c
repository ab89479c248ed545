// SPDX-License-Identifier: Apache-2.0
#include "state_fixture.h"

enum {
	PIECE = 4095,     /* digests in a full piece, as state_run.h says */
	DAMAGED_RUNS = 8, /* enough to be merged */
	DAMAGED = DAMAGED_RUNS * 600,
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

TestSuite(state_run, .init = setup, .fini = teardown);

Test(state_run, an_empty_dataset_has_seen_nothing)
{
	struct state_digest *digests = fixture_digests(1, 100);
	cr_assert_eq(fixture_seen(&f, dataset, digests, 100), 0);
	cr_assert_eq(fixture_seen(&f, dataset, digests, 0), 0);
	cr_assert_eq(fixture_stats(&f, dataset).runs, 0);
	free(digests);
}

Test(state_run, pieces_end_where_they_should)
{
	static const size_t counts[] = {
	    1,     2,         126,           127,       128,           PIECE - 1,
	    PIECE, PIECE + 1, 2 * PIECE - 1, 2 * PIECE, 2 * PIECE + 1, 3 * PIECE + 7};
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		char name[16];
		snprintf(name, sizeof(name), "d%zu", i);
		dataset = fixture_dataset(&f, name);
		struct state_digest *digests = fixture_digests(i + 10, counts[i]);
		fixture_add_live(&f, dataset, digests, counts[i]);
		fixture_expect(&f, dataset, digests, counts[i]);
		cr_assert_eq(fixture_stats(&f, dataset).rows, counts[i]);
		free(digests);
	}
}

Test(state_run, the_places_around_a_fence_belong_to_the_right_piece)
{
	struct state_digest *digests = fixture_digests(3, 3 * PIECE);
	fixture_add_live(&f, dataset, digests, 3 * PIECE);
	for (size_t fence = PIECE; fence < 3 * PIECE; fence += PIECE)
		for (size_t from = fence - 2; from <= fence + 1; from++)
			fixture_expect(&f, dataset, &digests[from], 3);
	free(digests);
}

Test(state_run, equal_high_words_over_several_pieces_are_told_apart)
{
	enum { COUNT = 3 * PIECE + 5 };
	struct state_digest *digests = calloc(COUNT, sizeof(*digests));
	cr_assert_not_null(digests);
	for (size_t i = 0; i < COUNT; i++)
		digests[i] = (struct state_digest){77, 3 * i + 10};
	fixture_add_interleaved(&f, dataset, digests, COUNT, 2);
	fixture_expect(&f, dataset, digests, COUNT);
	fixture_add_live(&f, dataset, &(struct state_digest){77, 0}, 1);
	fixture_add_live(&f, dataset, &(struct state_digest){76, UINT64_MAX}, 1);
	for (uint64_t i = 0; i < 4; i++)
		fixture_add_live(&f, dataset, &(struct state_digest){78, 3 * i + 10}, 1);
	fixture_merge(&f, dataset);
	cr_assert_eq(fixture_stats(&f, dataset).runs, 1);
	fixture_expect(&f, dataset, digests, COUNT);
	free(digests);
}

Test(state_run, the_smallest_and_the_largest_digest_are_ordinary)
{
	struct state_digest ends[] = {{0, 0}, {0, 1}, {UINT64_MAX, UINT64_MAX - 1}, {UINT64_MAX, UINT64_MAX}};
	struct state_digest absent[] = {{0, 2}, {1, 0}, {UINT64_MAX, 0}, {UINT64_MAX, UINT64_MAX - 2}};
	struct state_digest *digests = fixture_digests(4, PIECE);
	digests[0] = ends[0];
	digests[1] = ends[1];
	digests[PIECE - 2] = ends[2];
	digests[PIECE - 1] = ends[3];
	for (size_t run = 0; run < 8; run++)
		fixture_add_live(&f, dataset, run == 0 ? digests : &(struct state_digest){5, run},
		                 run == 0 ? PIECE : 1);
	for (size_t round = 0; round < 2; round++) {
		cr_assert_eq(fixture_seen(&f, dataset, ends, 4), 4);
		cr_assert_eq(fixture_seen(&f, dataset, absent, 4), 0);
		cr_assert_eq(fixture_seen(&f, dataset, digests, PIECE), PIECE);
		fixture_merge(&f, dataset);
	}
	cr_assert_eq(fixture_stats(&f, dataset).runs, 1);
	free(digests);
}

Test(state_run, each_answer_belongs_to_its_digest_and_equal_neighbours_get_the_same)
{
	struct state_digest *digests = fixture_digests(5, 2000);
	struct state_digest *odd = calloc(1000, sizeof(*odd));
	struct state_digest *twice = calloc(4000, sizeof(*twice));
	bool *seen = calloc(4000, sizeof(*seen));
	cr_assert(odd && twice && seen);
	for (size_t i = 0; i < 1000; i++)
		odd[i] = digests[2 * i + 1];
	fixture_add_live(&f, dataset, odd, 1000);
	for (size_t i = 0; i < 4000; i++)
		twice[i] = digests[i / 2];
	memset(seen, 1, 4000);
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_run_probe(txn, dataset, twice, 4000, seen), STATE_OK);
	state_txn_abort(txn);
	for (size_t i = 0; i < 4000; i++)
		cr_assert_eq(seen[i], i / 2 % 2 == 1);
	free(digests);
	free(odd);
	free(twice);
	free(seen);
}

/* Which run of the next test holds the digest at a place; none for NOWHERE. */
enum { FIRST, SECOND, THIRD, NOWHERE, PLACES = 60000 };

static int holder(size_t place)
{
	if (place < PLACES / 3)
		return FIRST;
	if (place < PLACES / 2)
		return place % 16 == 0 ? THIRD : SECOND;
	return place % 4 == 0 ? NOWHERE : place % 2 == 0 ? FIRST : THIRD;
}

/* What one run had of the digests before must not decide what is said of the next ones. */
Test(state_run, answers_are_right_where_the_run_that_holds_most_changes)
{
	static bool seen[PLACES];
	struct state_digest *digests = fixture_digests(21, PLACES);
	struct state_digest *part = calloc(PLACES, sizeof(*part));
	cr_assert_not_null(part);
	for (int run = FIRST; run < NOWHERE; run++) {
		size_t count = 0;
		for (size_t i = 0; i < PLACES; i++)
			if (holder(i) == run)
				part[count++] = digests[i];
		fixture_add_live(&f, dataset, part, count);
	}
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_run_probe(txn, dataset, digests, PLACES, seen), STATE_OK);
	state_txn_abort(txn);
	for (size_t i = 0; i < PLACES; i++)
		cr_assert_eq(seen[i], holder(i) != NOWHERE);
	free(digests);
	free(part);
}

Test(state_run, unsorted_digests_are_misuse)
{
	struct state_digest digests[] = {{2, 0}, {1, 0}};
	bool seen[2];
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_run_probe(txn, dataset, digests, 2, seen), STATE_MISUSE);
	state_txn_abort(txn);
}

Test(state_run, datasets_do_not_see_each_others_digests)
{
	struct state_digest *digests = fixture_digests(6, 1000);
	fixture_add_live(&f, dataset, digests, 1000);
	uint32_t other = fixture_dataset(&f, "b");
	cr_assert_eq(fixture_seen(&f, other, digests, 1000), 0);
	cr_assert_eq(fixture_stats(&f, other).rows, 0);
	free(digests);
}

/* What the state should hold, kept the simple way: for each digest of a universe whether it is absent,
 * pending or live. */
enum place { ABSENT, PENDING, LIVE };

struct model {
	struct state_digest *universe;
	enum place *places;
	size_t count;
	bool pending;
	uint64_t seed;
};

static void move_all(struct model *model, enum place from, enum place to)
{
	for (size_t i = 0; i < model->count; i++)
		if (model->places[i] == from)
			model->places[i] = to;
	model->pending = false;
}

static void model_put(struct model *model)
{
	struct state_digest *part = calloc(model->count, sizeof(*part));
	cr_assert_not_null(part);
	size_t filled = 0;
	uint64_t share = 2 + fixture_random(&model->seed) % 40;
	for (size_t i = 0; i < model->count; i++) {
		if (model->places[i] != ABSENT || fixture_random(&model->seed) % share != 0)
			continue;
		model->places[i] = PENDING;
		part[filled++] = model->universe[i];
	}
	fixture_put(&f, dataset, part, filled);
	model->pending = true;
	free(part);
}

static void model_discard(struct model *model)
{
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_discard(txn, dataset), STATE_OK);
	fixture_commit(txn);
	move_all(model, PENDING, ABSENT);
}

static void model_check(const struct model *model)
{
	bool *seen = calloc(model->count, sizeof(*seen));
	cr_assert_not_null(seen);
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_run_probe(txn, dataset, model->universe, model->count, seen), STATE_OK);
	state_txn_abort(txn);
	size_t live = 0;
	for (size_t i = 0; i < model->count; i++) {
		cr_assert_eq(seen[i], model->places[i] != ABSENT);
		live += model->places[i] == LIVE;
	}
	cr_assert_eq(fixture_stats(&f, dataset).rows, live);
	cr_assert_eq(fixture_find(&f, dataset).rows, live);
	free(seen);
}

static void model_step(struct model *model)
{
	switch (fixture_random(&model->seed) % 6) {
	case 0:
		fixture_restart(&f);
		break;
	case 1:
		fixture_merge(&f, dataset);
		break;
	case 2:
		if (model->pending)
			model_discard(model);
		break;
	default:
		if (model->pending) {
			fixture_promote(&f, dataset);
			move_all(model, PENDING, LIVE);
		} else {
			model_put(model);
		}
	}
}

static void run_model(uint64_t seed, size_t count, uint64_t high_mask)
{
	struct model model = {.universe = fixture_digests(seed, count), .count = count, .seed = seed};
	model.places = calloc(count, sizeof(*model.places));
	cr_assert_not_null(model.places);
	for (size_t i = 0; i < count; i++)
		model.universe[i].hi &= high_mask;
	fixture_sort(model.universe, count);
	for (size_t step = 0; step < 250; step++) {
		model_step(&model);
		model_check(&model);
	}
	free(model.universe);
	free(model.places);
}

Test(state_run, random_operations_agree_with_a_plain_set)
{
	run_model(11, 20000, UINT64_MAX);
}

Test(state_run, random_operations_agree_when_high_words_cluster)
{
	run_model(12, 12000, 0xff);
}

static enum state_result probe_result(struct fixture *fixture)
{
	struct state_digest *digests = fixture_digests(15, 3 * PIECE);
	bool *seen = calloc(3 * PIECE, sizeof(*seen));
	cr_assert_not_null(seen);
	struct state_txn *txn = state_txn_begin_read(fixture->state);
	enum state_result result = state_run_probe(txn, dataset, digests, 3 * PIECE, seen);
	cr_assert_eq(state_txn_failure(txn, NULL), result, "corruption sticks");
	state_txn_abort(txn);
	free(digests);
	free(seen);
	return result;
}

static void add_three_pieces(void)
{
	struct state_digest *digests = fixture_digests(15, 3 * PIECE);
	fixture_add_live(&f, dataset, digests, 3 * PIECE);
	free(digests);
}

Test(state_run, a_damaged_manifest_is_corrupt)
{
	struct state_run_stats stats;
	add_three_pieces();
	fixture_stop(&f);
	struct raw_entry entry = raw_first(&f, "manifest");
	for (size_t size = 0; size <= entry.size + 1; size++) {
		uint8_t damaged[64] = {0};
		memcpy(damaged, entry.value, entry.size);
		damaged[0] = (uint8_t)(damaged[0] + (size == entry.size));
		raw_put(&f, "manifest", entry.key, entry.key_size, damaged, size);
		struct state_options options = {.directory = f.directory};
		cr_assert_eq(state_open(&f.state, &options, NULL), STATE_CORRUPT, "cut at %zu", size);
	}
	raw_put(&f, "manifest", entry.key, entry.key_size, entry.value, entry.size);
	free(entry.value);
	fixture_start(&f);
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_run_stats(txn, dataset, &stats), STATE_OK);
	state_txn_abort(txn);
}

Test(state_run, a_piece_of_the_wrong_size_is_corrupt)
{
	static const size_t sizes[] = {0, 8, 16, 65504, 65519};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		add_three_pieces();
		raw_damage_first(&f, "data", 20, sizes[i]);
		cr_assert_eq(probe_result(&f), STATE_CORRUPT, "%zu bytes", sizes[i]);
		fixture_remove(&f);
		setup();
	}
}

Test(state_run, a_piece_under_a_damaged_key_is_corrupt)
{
	add_three_pieces();
	raw_damage_first(&f, "data", 19, 65520);
	cr_assert_eq(probe_result(&f), STATE_CORRUPT);
}

Test(state_run, a_run_without_pieces_is_corrupt)
{
	add_three_pieces();
	for (size_t i = 0; i < 3; i++)
		raw_damage_first(&f, "data", 0, 0);
	cr_assert_eq(probe_result(&f), STATE_CORRUPT);
}

Test(state_run, a_damaged_filter_is_corrupt)
{
	add_three_pieces();
	raw_damage_first(&f, "filter", 8, 48);
	cr_assert_eq(probe_result(&f), STATE_CORRUPT);
	raw_damage_first(&f, "filter", 0, 0);
	cr_assert_eq(probe_result(&f), STATE_CORRUPT);
}

/* Flips bytes in, or cuts, a random entry of a random table. */
static void damage_at_random(uint64_t *seed)
{
	static const char *const tables[] = {"dataset", "manifest", "data", "filter", "pending", "meta"};
	struct raw raw = raw_open(&f, tables[fixture_random(seed) % 6]);
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	cr_assert_eq(mdb_cursor_open(raw.txn, raw.table, &cursor), 0);
	int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	for (uint64_t skip = fixture_random(seed) % 9; code == 0 && skip > 0; skip--)
		if (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) != 0)
			break;
	if (code == 0) {
		uint8_t *copy = malloc(value.mv_size + 1);
		cr_assert_not_null(copy);
		memcpy(copy, value.mv_data, value.mv_size);
		for (size_t i = 0; i < 1 + value.mv_size / 100; i++)
			copy[fixture_random(seed) % (value.mv_size + 1)] = (uint8_t)fixture_random(seed);
		size_t size =
		    fixture_random(seed) % 2 ? value.mv_size : fixture_random(seed) % (value.mv_size + 1);
		MDB_val damaged = {.mv_size = size, .mv_data = copy};
		cr_assert_eq(mdb_cursor_put(cursor, &key, &damaged, MDB_CURRENT), 0);
		free(copy);
	}
	mdb_cursor_close(cursor);
	raw_close(&raw);
}

static void use_everything(void)
{
	struct state_options options = {.directory = f.directory};
	if (state_open(&f.state, &options, NULL) != STATE_OK)
		return;
	struct state_digest *digests = fixture_digests(18, DAMAGED + 600);
	static bool seen[DAMAGED + 600];
	struct state_txn *txn = state_txn_begin_read(f.state);
	state_run_probe(txn, dataset, digests, DAMAGED + 600, seen);
	state_txn_abort(txn);
	state_merge_step(f.state, dataset, UINT64_MAX, NULL);
	txn = state_txn_begin_write(f.state);
	state_batch_discard(txn, dataset);
	state_txn_abort(txn);
	txn = state_txn_begin_write(f.state);
	state_batch_promote(txn, dataset);
	state_txn_commit(txn, NULL);
	fixture_stop(&f);
	free(digests);
}

Test(state_run, damage_of_any_kind_is_survived)
{
	uint64_t seed = 19;
	struct state_digest *digests = fixture_digests(18, DAMAGED + 600);
	for (size_t round = 0; round < 60; round++) {
		fixture_add_interleaved(&f, dataset, digests, DAMAGED, DAMAGED_RUNS);
		fixture_put(&f, dataset, digests + DAMAGED, 600);
		fixture_stop(&f);
		damage_at_random(&seed);
		use_everything();
		fixture_remove(&f);
		setup();
	}
	free(digests);
}
