// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "ingest/batch.h"
#include "scratch.h"
#include "state_dataset.h"

static const uint8_t KEY[ROW_KEY_SIZE] = {1, 2, 3};

static char *directory;
static struct state *state;
static struct batch batch;
static struct batch_judging judging;
static struct state_counts counts;
static struct batch_rules rules;

static void setup(void)
{
	directory = scratch_make();
	struct state_error failure;
	struct state_options options = {.directory = directory};
	cr_assert_eq(state_open(&state, &options, &failure), STATE_OK, "%s", failure.text);
	counts = (struct state_counts){0};
	rules = (struct batch_rules){.dataset = 1, .row_key = KEY};
}

static void teardown(void)
{
	batch_close(&batch);
	batch_close_judging(&judging);
	state_close(state);
	scratch_remove(directory);
}

TestSuite(batch, .init = setup, .fini = teardown);

static void open_sized(const struct batch_size *size, bool is_dry)
{
	cr_assert_eq(batch_open_judging(&judging, size, is_dry), RESULT_OK);
	cr_assert_eq(batch_open(&batch, size, &judging), RESULT_OK);
}

/* Of one part. */
static void open_batch(size_t rows, size_t bytes, bool is_dry)
{
	struct batch_size size = {rows, bytes, rows, bytes};
	open_sized(&size, is_dry);
}

static void add(const char *row)
{
	size_t offset = batch.bytes.length;
	cr_assert_eq(buffer_append_string(&batch.bytes, row), RESULT_OK);
	struct slice bytes = {batch.bytes.data + offset, batch.bytes.length - offset};
	cr_assert_not_null(
	    batch_add(&batch, offset, &(struct identity_digests){.row = row_digest(bytes, KEY)}, &counts));
}

static void judge(void)
{
	struct state_txn *txn = state_txn_begin_read(state);
	cr_assert_eq(batch_judge(&batch, txn, &rules), STATE_OK);
	state_txn_abort(txn);
	batch_fold(&batch, &(struct batch){0});
}

Test(batch, the_first_of_equal_rows_is_new_and_order_is_kept)
{
	open_batch(16, 1 << 20, false);
	const char *const rows[] = {"delta", "alpha", "delta", "charlie", "alpha", "bravo"};
	for (size_t i = 0; i < 6; i++)
		add(rows[i]);
	judge();
	const char *const expected[] = {"delta", "alpha", "charlie", "bravo"};
	cr_assert_eq(batch.unseen_count, 4);
	for (size_t i = 0; i < 4; i++)
		cr_assert(slice_equal(batch.unseen[i], slice_from_string(expected[i])), "place %zu", i);
	cr_assert_eq(counts.rows, 6);
	cr_assert_eq(counts.new, 4);
	cr_assert_eq(counts.duplicate, 2);
}

Test(batch, rows_without_digests_are_judged_as_those_with)
{
	open_batch(3000, 1 << 20, false);
	for (int i = 0; i < 3000; i++) {
		size_t offset = batch.bytes.length;
		cr_assert_eq(buffer_printf(&batch.bytes, "%d", i % 1000), RESULT_OK);
		struct slice row = {batch.bytes.data + offset, batch.bytes.length - offset};
		struct identity_digests digests = {.row = row_digest(row, KEY)};
		batch_add(&batch, offset, i % 3 == 0 ? &digests : NULL, &counts);
	}
	judge();
	cr_assert_eq(counts.new, 1000);
	cr_assert_eq(counts.duplicate, 2000);
}

Test(batch, the_digests_of_unseen_rows_rise_strictly)
{
	open_batch(1000, 1 << 20, false);
	for (int i = 0; i < 1000; i++) {
		char row[16];
		snprintf(row, sizeof row, "%d", i % 700);
		add(row);
	}
	judge();
	cr_assert_eq(batch.unseen_count, 700);
	for (size_t i = 1; i < batch.unseen_count; i++)
		cr_assert_lt(state_digest_compare(judging.digests[i - 1], judging.digests[i]), 0);
}

Test(batch, it_is_full_by_rows_or_by_bytes)
{
	open_batch(2, 1 << 20, false);
	add("a");
	cr_assert_not(batch_is_full(&batch));
	add("b");
	cr_assert(batch_is_full(&batch));
	batch_close(&batch);
	batch_close_judging(&judging);
	open_batch(100, 8, false);
	add("12345678");
	cr_assert(batch_is_full(&batch));
}

Test(batch, a_dry_run_remembers_what_it_would_have_stored)
{
	open_batch(16, 1 << 20, true);
	add("a");
	add("b");
	judge();
	cr_assert_eq(batch.unseen_count, 2);
	batch_clear(&batch);
	add("c");
	add("a");
	judge();
	cr_assert_eq(batch.unseen_count, 1);
	cr_assert_eq(counts.new, 3);
	cr_assert_eq(counts.duplicate, 1);
}

static void add_as(const char *row, bool is_old, bool is_past)
{
	add(row);
	batch.rows[batch.count - 1].is_old = is_old;
	batch.rows[batch.count - 1].is_past = is_past;
}

Test(batch, every_row_counts_once_whatever_stands_before_it)
{
	open_batch(16, 1 << 20, true);
	add("seen");
	judge();
	batch_clear(&batch);
	counts = (struct state_counts){0};
	add_as("seen", true, false);
	add_as("seen", false, false);
	add_as("never", true, false);
	add_as("later", true, false);
	add_as("later", false, false);
	add_as("later", true, false);
	add_as("first", false, false);
	add_as("first", true, false);
	add_as("past", false, true);
	judge();
	cr_assert_eq(counts.rows, 8, "a row that is past was counted before");
	cr_assert_eq(counts.new, 2);
	cr_assert_eq(counts.filtered, 2, "old and unseen: what was stored before it is not");
	cr_assert_eq(counts.duplicate, 4);
	cr_assert_eq(batch.unseen_count, 2);
	cr_assert(slice_equal(batch.unseen[0], slice_from_string("later")));
	cr_assert(slice_equal(batch.unseen[1], slice_from_string("first")));
}

/* Parts of two rows each, of which these are to be stored. */
static void judge_parts(const struct batch_size *size, const char *const *rows, size_t count)
{
	open_sized(size, false);
	for (size_t i = 0; i < count; i++) {
		add(rows[i]);
		if (i % 2 == 1)
			cr_assert_eq(batch_end_part(&batch), RESULT_OK);
	}
	judge();
}

static void expect_selected(const char *const *rows, size_t count)
{
	cr_assert_eq(batch.unseen_count, count);
	for (size_t i = 0; i < count; i++) {
		struct slice row = slice_from_string(rows[i]);
		cr_assert(slice_equal(batch.unseen[i], row), "place %zu", i);
		struct row_digest digest = row_digest(row, KEY);
		size_t place = 0;
		while (place < count &&
		       (judging.digests[place].hi != digest.hi || judging.digests[place].lo != digest.lo))
			place++;
		cr_assert_lt(place, count, "the digest of %s", rows[i]);
		if (i > 0)
			cr_assert_lt(state_digest_compare(judging.digests[i - 1], judging.digests[i]), 0);
	}
}

Test(batch, parts_are_joined_as_far_as_one_transaction_goes)
{
	struct batch_size size = {3, 1 << 20, 100, 1 << 20};
	const char *const rows[] = {"a", "b", "c", "a", "d", "e", "b", "b", "f", "a"};
	judge_parts(&size, rows, 10);
	cr_assert_eq(batch_select(&batch, 0), 2);
	expect_selected((const char *const[]){"a", "b", "c"}, 3);
	cr_assert_eq(batch_select(&batch, 2), 5, "nothing of the part between is to be stored");
	expect_selected((const char *const[]){"d", "e", "f"}, 3);
	cr_assert_eq(counts.new, 6);
	cr_assert_eq(counts.duplicate, 4);
}

Test(batch, the_open_part_may_end_when_it_was_judged)
{
	struct batch_size size = {3, 1 << 20, 100, 1 << 20};
	const char *const rows[] = {"a", "b", "c", "d", "e"};
	judge_parts(&size, rows, 5);
	cr_assert_eq(batch.part_count, 2);
	cr_assert_eq(batch_end_part(&batch), RESULT_OK);
	cr_assert_eq(batch_select(&batch, 0), 1);
	expect_selected((const char *const[]){"a", "b"}, 2);
	cr_assert_eq(batch_select(&batch, 1), 3);
	expect_selected((const char *const[]){"c", "d", "e"}, 3);
}

/* As they do for a batch that is read and judged while another is stored. */
Test(batch, what_was_judged_of_one_is_kept_while_another_is_judged)
{
	open_batch(16, 1 << 20, false);
	add("a");
	add("b");
	judge();
	struct batch stored;
	cr_assert_eq(batch_open(&stored, &batch.size, &judging), RESULT_OK);
	batch_take(&stored, &batch);
	cr_assert_eq(batch.count, 0);
	cr_assert_not(batch.is_judged);
	add("c");
	judge();
	cr_assert_eq(batch.unseen_count, 1);
	cr_assert(slice_equal(batch.unseen[0], slice_from_string("c")));
	cr_assert_eq(stored.unseen_count, 2);
	cr_assert(slice_equal(stored.unseen[0], slice_from_string("a")));
	cr_assert(slice_equal(stored.unseen[1], slice_from_string("b")));
	batch_close(&stored);
}

Test(batch, parts_of_which_nothing_is_to_be_stored_fit_any_transaction)
{
	struct batch_size size = {2, 4, 100, 1 << 20};
	const char *const rows[] = {"a", "longer than that", "a", "a", "b", "c", "b", "b"};
	judge_parts(&size, rows, 8);
	cr_assert_eq(batch_select(&batch, 0), 2);
	expect_selected((const char *const[]){"a", "longer than that"}, 2);
	cr_assert_eq(batch_select(&batch, 2), 4);
	expect_selected((const char *const[]){"b", "c"}, 2);
}

Test(batch, the_last_part_ends_where_there_is_no_room_for_more)
{
	struct batch_size size = {2, 1 << 20, 5, 100};
	open_sized(&size, false);
	add("a");
	add("b");
	cr_assert(batch_is_full(&batch));
	cr_assert_not(batch_has_room(&batch, 1), "it was to be the only one");
	cr_assert(batch_has_room(&batch, 2));
	cr_assert_eq(batch_end_part(&batch), RESULT_OK);
	cr_assert_not(batch_is_full(&batch));
	add("c");
	add("d");
	cr_assert_eq(batch_end_part(&batch), RESULT_OK);
	add("e");
	cr_assert(batch_is_full(&batch));
	cr_assert_not(batch_has_room(&batch, BATCH_PARTS_MAX), "by rows");
	batch_close(&batch);
	batch_close_judging(&judging);
	size.all_rows = 100;
	open_sized(&size, false);
	for (int i = 0; i < 10; i++)
		add("0123456789");
	cr_assert_not(batch_has_room(&batch, BATCH_PARTS_MAX), "by bytes");
}
