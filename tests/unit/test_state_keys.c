// SPDX-License-Identifier: Apache-2.0
#include "state_fixture.h"
#include "state_rebuild.h"

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

TestSuite(state_keys, .init = setup, .fini = teardown);

static struct state_digest row_of(uint64_t number)
{
	return (struct state_digest){number, ~number};
}

/* Entries for every `step`-th key, all with the row of that number. free() them. */
static struct state_entry *entries_for(const struct state_digest *keys, size_t count, size_t step,
                                       uint64_t row)
{
	struct state_entry *entries = calloc(count / step + 1, sizeof(*entries));
	cr_assert_not_null(entries);
	for (size_t i = 0; i < count / step; i++)
		entries[i] = (struct state_entry){keys[i * step], row_of(row)};
	return entries;
}

static void put(const struct state_entry *entries, size_t count, size_t new_count)
{
	struct state_batch batch = fixture_batch(&f, dataset, NULL, 0);
	batch.entries = entries;
	batch.entry_count = count;
	batch.new_count = new_count;
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_batch_put(txn, &batch);
	fixture_commit(txn);
}

static void add_live(const struct state_entry *entries, size_t count, size_t new_count)
{
	put(entries, count, new_count);
	fixture_promote(&f, dataset);
}

static void discard(void)
{
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_discard(txn, dataset), STATE_OK);
	fixture_commit(txn);
}

/* The number of the row that the key has; 0 when it was never seen. */
static uint64_t row_number(struct state_digest key)
{
	bool seen;
	struct state_digest row;
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_run_probe_keys(txn, dataset, &key, 1, &seen, &row), STATE_OK);
	state_txn_abort(txn);
	if (seen)
		cr_assert_eq(row.lo, ~row.hi);
	return seen ? row.hi : 0;
}

Test(state_keys, a_pending_entry_is_newer_than_every_live_one_and_falls_with_its_batch)
{
	struct state_digest *keys = fixture_digests(1, 100);
	struct state_entry *first = entries_for(keys, 100, 1, 1);
	struct state_entry *second = entries_for(keys, 100, 2, 2);
	add_live(first, 100, 100);
	put(second, 50, 0);
	cr_assert_eq(row_number(keys[10]), 2);
	cr_assert_eq(row_number(keys[11]), 1);
	discard();
	cr_assert_eq(row_number(keys[10]), 1);
	cr_assert_eq(fixture_find(&f, dataset).rows, 100);
	free(keys);
	free(first);
	free(second);
}

Test(state_keys, rows_counts_keys_and_not_entries)
{
	struct state_digest *keys = fixture_digests(2, 100);
	struct state_entry *first = entries_for(keys, 50, 1, 1);
	struct state_entry *second = entries_for(keys, 100, 1, 2);
	add_live(first, 50, 50);
	add_live(second, 100, 50);
	cr_assert_eq(fixture_find(&f, dataset).rows, 100);
	free(keys);
	free(first);
	free(second);
}

Test(state_keys, the_newest_entry_survives_every_merge)
{
	enum { KEYS = 3000, BATCHES = 70 };
	static uint64_t newest[KEYS];
	struct state_digest *keys = fixture_digests(3, KEYS);
	for (uint64_t batch = 1; batch <= BATCHES; batch++) {
		size_t step = batch == 1 ? 1 : batch % 7 + 1;
		struct state_entry *entries = entries_for(keys, KEYS, step, batch);
		add_live(entries, KEYS / step, batch == 1 ? KEYS : 0);
		free(entries);
		for (size_t i = 0; i < KEYS / step; i++)
			newest[i * step] = batch;
		fixture_merge(&f, dataset);
		for (size_t i = 0; i < KEYS; i += 97)
			cr_assert_eq(row_number(keys[i]), newest[i]);
	}
	cr_assert_lt(fixture_stats(&f, dataset).runs, 8);
	cr_assert_lt(fixture_stats(&f, dataset).rows, 8 * KEYS, "old entries are merged away");
	free(keys);
}

Test(state_keys, a_rebuilt_map_is_older_than_every_batch_after_it)
{
	enum { PARTS = 20, PART = 20000 }; /* so many that a merge is under way when it is installed */
	struct state_rebuild *rebuild;
	struct state_digest *keys = fixture_digests(4, PARTS * PART);
	struct state_entry *old = entries_for(keys, 100, 1, 1);
	struct state_entry *new = entries_for(keys, 100, 1, 3);
	add_live(old, 100, 100);
	cr_assert_eq(state_rebuild_begin(&rebuild, f.state, NULL), STATE_OK);
	for (size_t part = 0; part < PARTS; part++) {
		struct state_entry *entries = entries_for(keys + part, PARTS * PART - part, PARTS, 2);
		for (size_t twice = 0; twice < 2; twice++)
			cr_assert_eq(state_rebuild_add_entries(rebuild, entries, PART - 1, NULL), STATE_OK);
		free(entries);
	}
	struct state_dataset record = fixture_find(&f, dataset);
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_rebuild_install(rebuild, txn, &record), STATE_OK);
	fixture_commit(txn);
	cr_assert_eq(state_rebuild_discard(rebuild, NULL), STATE_OK);
	cr_assert_eq(fixture_find(&f, dataset).rows, PARTS * (PART - 1));
	cr_assert_eq(row_number(keys[50]), 2);
	add_live(new, 100, 0);
	fixture_restart(&f);
	for (size_t round = 0; round < 2; round++) {
		cr_assert_eq(row_number(keys[50]), 3);
		cr_assert_eq(row_number(keys[PARTS * (PART - 1) - 1]), 2);
		fixture_merge(&f, dataset);
	}
	free(keys);
	free(old);
	free(new);
}

Test(state_keys, digests_and_entries_in_one_batch_are_misuse)
{
	struct state_digest digest = {1, 1};
	struct state_entry entry = {{2, 2}, {3, 3}};
	struct state_batch batch = fixture_batch(&f, dataset, &digest, 1);
	batch.entries = &entry;
	batch.entry_count = 1;
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_put(txn, &batch), STATE_MISUSE);
	state_txn_abort(txn);
}

Test(state_keys, keys_that_do_not_rise_are_misuse)
{
	struct state_entry entries[] = {{{2, 2}, {3, 3}}, {{2, 2}, {4, 4}}};
	struct state_batch batch = fixture_batch(&f, dataset, NULL, 0);
	batch.entries = entries;
	batch.entry_count = 2;
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_put(txn, &batch), STATE_MISUSE);
	state_txn_abort(txn);
}

/* What the state should hold: for each key the number of its row, live and with the pending batch; or 0. */
struct model {
	struct state_digest *keys;
	uint64_t *live;
	uint64_t *pending;
	size_t count;
	bool has_pending;
	uint64_t next_row;
	uint64_t seed;
};

static void model_put(struct model *model)
{
	struct state_entry *entries = calloc(model->count, sizeof(*entries));
	cr_assert_not_null(entries);
	size_t filled = 0;
	size_t new_count = 0;
	uint64_t share = 2 + fixture_random(&model->seed) % 40;
	for (size_t i = 0; i < model->count; i++) {
		if (fixture_random(&model->seed) % share != 0)
			continue;
		new_count += model->live[i] == 0;
		model->pending[i] = model->next_row++;
		entries[filled++] = (struct state_entry){model->keys[i], row_of(model->pending[i])};
	}
	put(entries, filled, new_count);
	model->has_pending = true;
	free(entries);
}

static void model_end(struct model *model, uint64_t *from, uint64_t *to)
{
	memcpy(to, from, model->count * sizeof(*to));
	model->has_pending = false;
}

static void model_check(const struct model *model)
{
	bool *seen = calloc(model->count, sizeof(*seen));
	struct state_digest *rows = calloc(model->count, sizeof(*rows));
	cr_assert(seen && rows);
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_run_probe_keys(txn, dataset, model->keys, model->count, seen, rows), STATE_OK);
	state_txn_abort(txn);
	size_t live = 0;
	for (size_t i = 0; i < model->count; i++) {
		cr_assert_eq(seen[i], model->pending[i] != 0);
		if (seen[i])
			cr_assert_eq(rows[i].hi, model->pending[i]);
		live += model->live[i] != 0;
	}
	cr_assert_eq(fixture_find(&f, dataset).rows, live);
	free(seen);
	free(rows);
}

static void model_step(struct model *model)
{
	struct state_error error = {0};
	switch (fixture_random(&model->seed) % 6) {
	case 0:
		fixture_restart(&f);
		break;
	case 1:
		cr_assert_eq(state_merge_step(f.state, dataset, 0, &error), STATE_OK, "%s", error.text);
		break;
	case 2:
		if (model->has_pending) {
			discard();
			model_end(model, model->live, model->pending);
		}
		break;
	default:
		if (model->has_pending) {
			fixture_promote(&f, dataset);
			model_end(model, model->pending, model->live);
		} else {
			model_put(model);
		}
	}
}

Test(state_keys, random_operations_agree_with_a_plain_map)
{
	enum { KEYS = 200000, STEPS = 200 };
	struct model model = {.keys = fixture_digests(21, KEYS), .count = KEYS, .next_row = 1, .seed = 22};
	model.live = calloc(KEYS, sizeof(*model.live));
	model.pending = calloc(KEYS, sizeof(*model.pending));
	cr_assert(model.live && model.pending);
	for (size_t step = 0; step < STEPS; step++) {
		model_step(&model);
		model_check(&model);
	}
	free(model.keys);
	free(model.live);
	free(model.pending);
}
