// SPDX-License-Identifier: Apache-2.0
#include "state_fixture.h"

static struct fixture f;
static uint32_t dataset;
static struct state_digest *digests;
enum { DIGESTS = 10000 };

static void setup(void)
{
	fixture_make_directory(&f);
	fixture_start(&f);
	dataset = fixture_dataset(&f, "a");
	digests = fixture_digests(1, DIGESTS);
}

static void teardown(void)
{
	free(digests);
	fixture_remove(&f);
}

TestSuite(state_batch, .init = setup, .fini = teardown);

static enum state_result pending(struct state_pending *out)
{
	struct state_txn *txn = state_txn_begin_read(f.state);
	enum state_result result = state_batch_pending(txn, dataset, out);
	state_txn_abort(txn);
	return result;
}

static void put_delivery(uint8_t number)
{
	struct state_delivery delivery = {.status = STATE_STATUS_OPEN, .started_ns = number};
	memset(delivery.id, number, sizeof(delivery.id));
	delivery.file.inode = number;
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_delivery_put(txn, &delivery);
	fixture_commit(txn);
}

static struct state_mark make_mark(uint8_t delivery, uint32_t index)
{
	struct state_mark mark = {
	    .member = {.index = index,
	               .dataset = dataset,
	               .name = "m.csv",
	               .status = STATE_STATUS_OPEN,
	               .bytes = 100 + index,
	               .counts = {.rows = 10, .new = 10}},
	    .rejects_length = 1000 + index,
	};
	memset(mark.member.delivery, delivery, sizeof(mark.member.delivery));
	return mark;
}

static uint64_t rejects_length(uint8_t number)
{
	struct state_delivery delivery;
	uint8_t id[STATE_ID_SIZE];
	memset(id, number, sizeof(id));
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_delivery_get(txn, id, &delivery), STATE_OK);
	state_txn_abort(txn);
	return delivery.rejects_length;
}

static bool has_member(uint8_t number, uint32_t index, struct state_member *out)
{
	uint8_t id[STATE_ID_SIZE];
	memset(id, number, sizeof(id));
	struct state_txn *txn = state_txn_begin_read(f.state);
	enum state_result result = state_delivery_get_member(txn, id, index, out);
	state_txn_abort(txn);
	return result == STATE_OK;
}

static void put_with_marks(const struct state_mark *marks, size_t count)
{
	struct state_batch batch = fixture_batch(&f, dataset, digests, DIGESTS);
	batch.marks = marks;
	batch.mark_count = count;
	batch.schema_version = 4;
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_batch_put(txn, &batch);
	fixture_commit(txn);
}

static enum state_result try_put(const struct state_batch *batch)
{
	struct state_error error;
	struct state_txn *txn = state_txn_begin_write(f.state);
	enum state_result result = state_batch_put(txn, batch);
	cr_assert_eq(state_txn_commit(txn, &error), result);
	return result;
}

Test(state_batch, a_pending_batch_is_seen_but_not_live)
{
	struct state_pending found;
	cr_assert_eq(pending(&found), STATE_NOT_FOUND);
	put_with_marks(NULL, 0);
	fixture_restart(&f);
	cr_assert_eq(pending(&found), STATE_OK);
	cr_assert_eq(found.seq, 1);
	cr_assert_eq(found.batch_id[15], 1);
	cr_assert_eq(found.schema_version, 4);
	cr_assert_eq(found.entry_count, DIGESTS);
	cr_assert_eq(fixture_seen(&f, dataset, digests, DIGESTS), DIGESTS);
	cr_assert_eq(fixture_stats(&f, dataset).rows, 0);
	cr_assert_eq(fixture_find(&f, dataset).seq, 0);
}

Test(state_batch, promotion_after_a_restart_needs_nothing_but_the_record)
{
	struct state_mark marks[] = {make_mark(1, 0), make_mark(1, 3)};
	struct state_member member;
	struct state_content content = {0};
	put_delivery(1);
	marks[1].member.status = STATE_STATUS_DONE;
	marks[1].has_content = true;
	marks[1].content = (struct state_content){.dataset = dataset, .bytes = 9, .seen_ns = 8};
	put_with_marks(marks, 2);
	cr_assert_not(has_member(1, 0, &member), "progress never passes the last live batch");
	cr_assert_eq(rejects_length(1), 0);
	fixture_restart(&f);
	fixture_promote(&f, dataset);
	fixture_restart(&f);
	cr_assert_eq(pending(&(struct state_pending){0}), STATE_NOT_FOUND);
	struct state_dataset after = fixture_find(&f, dataset);
	cr_assert_eq(after.seq, 1);
	cr_assert_eq(after.batch_id[0], 1);
	cr_assert_eq(after.rows, DIGESTS);
	cr_assert_eq(fixture_stats(&f, dataset).rows, DIGESTS);
	cr_assert_eq(fixture_seen(&f, dataset, digests, DIGESTS), DIGESTS);
	cr_assert(has_member(1, 0, &member));
	cr_assert_eq(member.bytes, 100);
	cr_assert(has_member(1, 3, &member));
	cr_assert_eq(member.bytes, 103);
	cr_assert_eq(member.status, STATE_STATUS_DONE);
	cr_assert_eq(rejects_length(1), 1003);
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(
	    state_delivery_get_content(txn, dataset, marks[1].content.head, marks[1].content.whole, &content),
	    STATE_OK);
	cr_assert_eq(content.bytes, 9);
	state_txn_abort(txn);
}

Test(state_batch, a_discarded_batch_leaves_nothing_behind)
{
	struct state_mark mark = make_mark(1, 0);
	struct state_member member;
	put_delivery(1);
	put_with_marks(&mark, 1);
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_discard(txn, dataset), STATE_OK);
	fixture_commit(txn);
	cr_assert_eq(fixture_seen(&f, dataset, digests, DIGESTS), 0);
	cr_assert_eq(fixture_stats(&f, dataset).bytes, 0);
	cr_assert_eq(fixture_find(&f, dataset).seq, 0);
	cr_assert_not(has_member(1, 0, &member));
	fixture_stop(&f);
	cr_assert_eq(raw_count(&f, "data"), 0);
	cr_assert_eq(raw_count(&f, "filter"), 0);
	cr_assert_eq(raw_count(&f, "manifest"), 0);
	cr_assert_eq(raw_count(&f, "pending"), 0);
}

Test(state_batch, a_discarded_seq_is_given_again)
{
	put_with_marks(NULL, 0);
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_batch_discard(txn, dataset);
	fixture_commit(txn);
	fixture_put(&f, dataset, digests, 5);
	fixture_promote(&f, dataset);
	cr_assert_eq(fixture_find(&f, dataset).seq, 1);
	cr_assert_eq(fixture_find(&f, dataset).rows, 5);
	cr_assert_eq(fixture_seen(&f, dataset, digests, DIGESTS), 5);
}

Test(state_batch, without_a_record_there_is_nothing_to_promote_or_discard)
{
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_promote(txn, dataset), STATE_NOT_FOUND);
	cr_assert_eq(state_batch_discard(txn, dataset), STATE_NOT_FOUND);
	fixture_commit(txn);
}

Test(state_batch, one_transaction_promotes_a_batch_and_puts_the_next)
{
	fixture_put(&f, dataset, digests, 100);
	struct state_batch next = fixture_batch(&f, dataset, digests + 100, 100);
	next.seq = 2;
	cr_assert_eq(try_put(&next), STATE_MISUSE, "one is pending");
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_promote(txn, dataset), STATE_OK);
	cr_assert_eq(state_batch_put(txn, &next), STATE_OK);
	fixture_commit(txn);
	cr_assert_eq(fixture_find(&f, dataset).seq, 1);
	cr_assert_eq(fixture_stats(&f, dataset).rows, 100);
	cr_assert_eq(fixture_seen(&f, dataset, digests, DIGESTS), 200);
}

Test(state_batch, put_and_promote_work_in_one_transaction)
{
	struct state_mark mark = make_mark(1, 0);
	put_delivery(1);
	struct state_batch batch = fixture_batch(&f, dataset, digests, DIGESTS);
	batch.marks = &mark;
	batch.mark_count = 1;
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_put(txn, &batch), STATE_OK);
	cr_assert_eq(state_batch_promote(txn, dataset), STATE_OK);
	fixture_commit(txn);
	cr_assert_eq(fixture_stats(&f, dataset).rows, DIGESTS);
	cr_assert_eq(rejects_length(1), 1000);
}

Test(state_batch, a_batch_must_follow_the_live_seq)
{
	struct state_batch batch = fixture_batch(&f, dataset, digests, 10);
	batch.seq = 2;
	cr_assert_eq(try_put(&batch), STATE_MISUSE);
	batch.seq = 0;
	cr_assert_eq(try_put(&batch), STATE_MISUSE);
	batch.seq = 1;
	batch.dataset = 99;
	cr_assert_eq(try_put(&batch), STATE_MISUSE, "no such dataset");
}

Test(state_batch, digests_must_rise)
{
	struct state_digest falling[] = {{2, 1}, {1, 2}};
	struct state_digest equal[] = {{1, 2}, {1, 2}};
	struct state_digest low_falling[] = {{1, 2}, {1, 1}};
	struct state_digest rising[] = {{0, 0}, {0, 1}, {1, 0}, {UINT64_MAX, UINT64_MAX}};
	struct state_batch batch = fixture_batch(&f, dataset, falling, 2);
	cr_assert_eq(try_put(&batch), STATE_MISUSE);
	batch.digests = equal;
	cr_assert_eq(try_put(&batch), STATE_MISUSE);
	batch.digests = low_falling;
	cr_assert_eq(try_put(&batch), STATE_MISUSE);
	batch.digests = rising;
	batch.digest_count = 4;
	cr_assert_eq(try_put(&batch), STATE_OK);
	cr_assert_eq(fixture_seen(&f, dataset, rising, 4), 4);
}

Test(state_batch, marks_must_name_known_deliveries_and_their_own_dataset)
{
	struct state_mark mark = make_mark(1, 0);
	struct state_batch batch = fixture_batch(&f, dataset, digests, 10);
	batch.marks = &mark;
	batch.mark_count = 1;
	cr_assert_eq(try_put(&batch), STATE_MISUSE);
	put_delivery(1);
	mark.has_content = true;
	mark.content.dataset = dataset + 1;
	cr_assert_eq(try_put(&batch), STATE_MISUSE);
	mark.content.dataset = dataset;
	cr_assert_eq(try_put(&batch), STATE_OK);
}

Test(state_batch, a_batch_without_digests_moves_seq_and_marks_only)
{
	struct state_mark mark = make_mark(1, 0);
	struct state_member member;
	put_delivery(1);
	struct state_batch batch = fixture_batch(&f, dataset, NULL, 0);
	batch.marks = &mark;
	batch.mark_count = 1;
	cr_assert_eq(try_put(&batch), STATE_OK);
	fixture_promote(&f, dataset);
	cr_assert_eq(fixture_find(&f, dataset).seq, 1);
	cr_assert_eq(fixture_find(&f, dataset).rows, 0);
	cr_assert_eq(fixture_stats(&f, dataset).runs, 0);
	cr_assert(has_member(1, 0, &member));
}

Test(state_batch, many_marks_are_applied_in_order)
{
	enum { MARKS = 500 };
	static struct state_mark marks[MARKS];
	struct state_member member;
	put_delivery(1);
	put_delivery(2);
	for (uint32_t i = 0; i < MARKS; i++)
		marks[i] = make_mark(1 + i % 2, i / 4);
	put_with_marks(marks, MARKS);
	fixture_promote(&f, dataset);
	for (uint32_t i = 0; i < MARKS; i++) {
		cr_assert(has_member(1 + i % 2, i / 4, &member));
		cr_assert_eq(member.bytes, 100 + i / 4);
	}
	cr_assert_eq(rejects_length(2), 1000 + (MARKS - 1) / 4);
}

Test(state_batch, marks_alone_are_applied_at_once_unless_a_batch_is_pending)
{
	struct state_mark mark = make_mark(1, 0);
	struct state_member member;
	put_delivery(1);
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_apply_marks(txn, dataset, &mark, 1), STATE_OK);
	fixture_commit(txn);
	cr_assert(has_member(1, 0, &member));
	cr_assert_eq(rejects_length(1), 1000);
	cr_assert_eq(fixture_find(&f, dataset).seq, 0);
	put_with_marks(NULL, 0);
	txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_apply_marks(txn, dataset, &mark, 1), STATE_MISUSE);
	state_txn_abort(txn);
}

Test(state_batch, rejects_never_fall_behind_another_datasets_batch)
{
	struct state_mark mark = make_mark(1, 7);
	put_delivery(1);
	put_with_marks(&mark, 1);
	uint32_t other = fixture_dataset(&f, "b");
	mark.rejects_length = 5000;
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_apply_marks(txn, other, &mark, 1), STATE_OK);
	fixture_commit(txn);
	fixture_promote(&f, dataset);
	cr_assert_eq(rejects_length(1), 5000);
}

Test(state_batch, datasets_have_pending_batches_of_their_own)
{
	uint32_t other = fixture_dataset(&f, "b");
	fixture_put(&f, dataset, digests, 10);
	fixture_put(&f, other, digests, 20);
	cr_assert_eq(fixture_seen(&f, dataset, digests, DIGESTS), 10);
	cr_assert_eq(fixture_seen(&f, other, digests, DIGESTS), 20);
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_discard(txn, dataset), STATE_OK);
	cr_assert_eq(state_batch_promote(txn, other), STATE_OK);
	fixture_commit(txn);
	cr_assert_eq(fixture_seen(&f, dataset, digests, DIGESTS), 0);
	cr_assert_eq(fixture_seen(&f, other, digests, DIGESTS), 20);
}

static enum state_result promote_and_abort(struct fixture *fixture)
{
	struct state_txn *txn = state_txn_begin_write(fixture->state);
	enum state_result result = state_batch_promote(txn, dataset);
	cr_assert_eq(state_txn_failure(txn, NULL), result);
	state_txn_abort(txn);
	return result;
}

Test(state_batch, a_damaged_record_is_corrupt_and_promotes_nothing)
{
	struct state_mark mark = make_mark(1, 0);
	put_delivery(1);
	mark.has_content = true;
	mark.content.dataset = dataset;
	put_with_marks(&mark, 1);
	raw_expect_corrupt(&f, "pending", promote_and_abort);
}

Test(state_batch, a_record_whose_run_is_gone_is_corrupt)
{
	put_with_marks(NULL, 0);
	fixture_stop(&f);
	struct raw raw = raw_open(&f, "manifest");
	cr_assert_eq(mdb_drop(raw.txn, raw.table, 0), 0);
	raw_close(&raw);
	fixture_start(&f);
	cr_assert_eq(promote_and_abort(&f), STATE_CORRUPT);
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_discard(txn, dataset), STATE_CORRUPT);
	state_txn_abort(txn);
}

Test(state_batch, an_uncommitted_put_did_not_happen)
{
	struct state_batch batch = fixture_batch(&f, dataset, digests, DIGESTS);
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_put(txn, &batch), STATE_OK);
	state_txn_abort(txn);
	cr_assert_eq(pending(&(struct state_pending){0}), STATE_NOT_FOUND);
	cr_assert_eq(fixture_seen(&f, dataset, digests, DIGESTS), 0);
}

/* Puts and promotes batches of so many rows until there is no room for another; returns how many rows went
 * in. */
static uint64_t fill(uint32_t id, size_t rows)
{
	for (uint64_t total = 0;; total += rows) {
		struct state_error error = {0};
		struct state_digest *more = fixture_digests(fixture_find(&f, id).seq, rows);
		struct state_batch batch = fixture_batch(&f, id, more, rows);
		struct state_txn *txn = state_txn_begin_write(f.state);
		state_batch_put(txn, &batch);
		enum state_result result = state_txn_commit(txn, &error);
		free(more);
		if (result != STATE_OK) {
			cr_assert_eq(result, STATE_NO_SPACE, "%s", error.text);
			return total;
		}
		fixture_promote(&f, id);
		fixture_merge(&f, id);
	}
}

Test(state_batch, what_could_be_put_can_be_promoted_however_full_the_map_is)
{
	enum { MAP = 4 << 20 };
	fixture_stop(&f);
	struct state_options options = {.directory = f.directory, .max_size = MAP};
	struct state_error error = {0};
	cr_assert_eq(state_open(&f.state, &options, &error), STATE_OK, "%s", error.text);
	uint32_t id = fixture_dataset(&f, "full");
	uint64_t rows = fill(id, 4000) + fill(id, 300) + fill(id, 1);
	cr_assert_geq(rows * sizeof(struct state_digest), MAP / 2, "most of the map is used");
	cr_assert_eq(fixture_find(&f, id).rows, rows);
	struct state_pending pending;
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_batch_pending(txn, id, &pending), STATE_NOT_FOUND);
	state_txn_abort(txn);
}

Test(state_batch, pending_batches_are_found_in_the_order_of_their_datasets)
{
	uint32_t ids[] = {dataset, fixture_dataset(&f, "second"), fixture_dataset(&f, "third")};
	struct state_pending found;
	uint32_t at = 0;
	for (size_t i = 0; i < 3; i += 2)
		fixture_put(&f, ids[i], digests, 10);
	struct state_txn *txn = state_txn_begin_read(f.state);
	for (size_t i = 0; i < 3; i += 2) {
		struct state_pending expected;
		cr_assert_eq(state_batch_next_pending(txn, at, &at, &found), STATE_OK);
		cr_assert_eq(at, ids[i]);
		cr_assert_eq(state_batch_pending(txn, at, &expected), STATE_OK);
		cr_assert_eq(memcmp(found.batch_id, expected.batch_id, STATE_ID_SIZE), 0);
	}
	cr_assert_eq(state_batch_next_pending(txn, at, &at, &found), STATE_NOT_FOUND);
	state_txn_abort(txn);
}
