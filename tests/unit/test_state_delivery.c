// SPDX-License-Identifier: Apache-2.0
#include "state_fixture.h"

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

TestSuite(state_delivery, .init = setup, .fini = teardown);

static struct state_delivery make_delivery(uint8_t number, int64_t started_ns)
{
	struct state_delivery delivery = {
	    .file = {.device = 5, .inode = number, .size = 1000, .mtime_ns = -7, .ctime_ns = 8},
	    .started_ns = started_ns,
	    .finished_ns = 9,
	    .status = STATE_STATUS_DONE,
	    .rejects_length = 77,
	    .reason = "because",
	};
	memset(delivery.id, number, sizeof(delivery.id));
	snprintf(delivery.path, sizeof(delivery.path), "/drop/\xff\n%d.csv", number);
	return delivery;
}

static void put_delivery(const struct state_delivery *delivery)
{
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_delivery_put(txn, delivery);
	fixture_commit(txn);
}

static struct state_member make_member(uint8_t delivery, uint32_t index)
{
	struct state_member member = {
	    .index = index,
	    .dataset = 3,
	    .name = "a/b.csv",
	    .status = STATE_STATUS_OPEN,
	    .bytes = 1,
	    .bytes_skipped = 2,
	    .lines = 3,
	    .counts = {.rows = 15, .new = 1, .updated = 2, .duplicate = 3, .filtered = 4, .rejected = 5},
	    .busy_ns = 6,
	    .reason = "r",
	};
	memset(member.delivery, delivery, sizeof(member.delivery));
	return member;
}

static void put_member(const struct state_member *member)
{
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_delivery_put_member(txn, member);
	fixture_commit(txn);
}

static struct state_content make_content(uint8_t head, uint8_t whole, int64_t seen_ns)
{
	struct state_content content = {
	    .dataset = 3,
	    .bytes = 100,
	    .cache_epoch = 2,
	    .counts = {.rows = 15, .new = 1, .updated = 2, .duplicate = 3, .filtered = 4, .rejected = 5},
	    .lines = 16,
	    .seen_ns = seen_ns,
	};
	memset(content.head, head, sizeof(content.head));
	memset(content.whole, whole, sizeof(content.whole));
	memset(content.fingerprint, 9, sizeof(content.fingerprint));
	return content;
}

static void put_content(const struct state_content *content)
{
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_delivery_put_content(txn, content);
	fixture_commit(txn);
}

static void assert_same_counts(const struct state_counts *a, const struct state_counts *b)
{
	cr_assert_eq(a->rows, b->rows);
	cr_assert_eq(a->new, b->new);
	cr_assert_eq(a->updated, b->updated);
	cr_assert_eq(a->duplicate, b->duplicate);
	cr_assert_eq(a->filtered, b->filtered);
	cr_assert_eq(a->rejected, b->rejected);
}

Test(state_delivery, a_delivery_is_read_back_as_written)
{
	struct state_delivery delivery = make_delivery(1, -5);
	struct state_delivery found;
	put_delivery(&delivery);
	fixture_restart(&f);
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_delivery_get(txn, delivery.id, &found), STATE_OK);
	state_txn_abort(txn);
	cr_assert_arr_eq(found.id, delivery.id, sizeof(found.id));
	cr_assert_arr_eq(&found.file, &delivery.file, sizeof(found.file));
	cr_assert_str_eq(found.path, delivery.path);
	cr_assert_eq(found.started_ns, delivery.started_ns);
	cr_assert_eq(found.finished_ns, delivery.finished_ns);
	cr_assert_eq(found.status, delivery.status);
	cr_assert_eq(found.rejects_length, delivery.rejects_length);
	cr_assert_str_eq(found.reason, delivery.reason);
}

Test(state_delivery, the_longest_texts_fit)
{
	struct state_delivery delivery = make_delivery(1, 1);
	struct state_delivery found;
	memset(delivery.path, 'p', STATE_PATH_MAX);
	memset(delivery.reason, 'r', STATE_TEXT_MAX);
	put_delivery(&delivery);
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_delivery_get(txn, delivery.id, &found), STATE_OK);
	state_txn_abort(txn);
	cr_assert_str_eq(found.path, delivery.path);
	cr_assert_str_eq(found.reason, delivery.reason);
}

Test(state_delivery, what_no_decoder_would_take_is_not_written)
{
	struct state_delivery delivery = make_delivery(1, 1);
	delivery.status = (enum state_status)9;
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_delivery_put(txn, &delivery), STATE_MISUSE);
	state_txn_abort(txn);
	delivery = make_delivery(1, 1);
	memset(delivery.reason, 'r', sizeof(delivery.reason));
	txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_delivery_put(txn, &delivery), STATE_MISUSE);
	state_txn_abort(txn);
}

struct order {
	char text[64];
	size_t stop_after;
};

static bool note_delivery(void *context, const struct state_delivery *delivery)
{
	struct order *order = context;
	size_t length = strlen(order->text);
	snprintf(order->text + length, sizeof(order->text) - length, "%d ", delivery->id[0]);
	return --order->stop_after > 0;
}

static struct order list_deliveries(size_t stop_after)
{
	struct order order = {.stop_after = stop_after};
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_delivery_each(txn, note_delivery, &order), STATE_OK);
	state_txn_abort(txn);
	return order;
}

Test(state_delivery, deliveries_come_newest_first_until_told_to_stop)
{
	static const int64_t times[] = {0, -100, INT64_MAX, 5, INT64_MIN};
	for (uint8_t i = 0; i < 5; i++) {
		struct state_delivery delivery = make_delivery(i, times[i]);
		put_delivery(&delivery);
	}
	cr_assert_str_eq(list_deliveries(100).text, "2 3 0 1 4 ");
	cr_assert_str_eq(list_deliveries(2).text, "2 3 ");
}

Test(state_delivery, writing_it_again_leaves_one_entry_in_each_index)
{
	struct state_delivery delivery = make_delivery(1, 10);
	put_delivery(&delivery);
	delivery.started_ns = 20;
	delivery.file.inode = 99;
	delivery.status = STATE_STATUS_REJECTED;
	put_delivery(&delivery);
	cr_assert_str_eq(list_deliveries(100).text, "1 ");
	struct state_delivery found;
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_delivery_of_file(txn, 5, 1, &found), STATE_NOT_FOUND);
	cr_assert_eq(state_delivery_of_file(txn, 5, 99, &found), STATE_OK);
	cr_assert_eq(found.status, STATE_STATUS_REJECTED);
	state_txn_abort(txn);
}

static uint8_t number_of_file(uint64_t inode)
{
	struct state_delivery found;
	struct state_txn *txn = state_txn_begin_read(f.state);
	enum state_result result = state_delivery_of_file(txn, 5, inode, &found);
	state_txn_abort(txn);
	return result == STATE_OK ? found.id[0] : 0;
}

Test(state_delivery, a_file_leads_to_its_newest_delivery)
{
	struct state_delivery old = make_delivery(1, 10);
	struct state_delivery young = make_delivery(2, 20);
	young.file.inode = old.file.inode;
	put_delivery(&old);
	cr_assert_eq(number_of_file(1), 1);
	put_delivery(&young);
	cr_assert_eq(number_of_file(1), 2);
	old.status = STATE_STATUS_FAILED;
	put_delivery(&old);
	cr_assert_eq(number_of_file(1), 2, "an older one that is written again does not come forward");
	cr_assert_eq(number_of_file(2), 0);
}

Test(state_delivery, a_member_is_read_back_as_written)
{
	struct state_member member = make_member(1, 300);
	struct state_member found;
	put_member(&member);
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_delivery_get_member(txn, member.delivery, 299, &found), STATE_NOT_FOUND);
	cr_assert_eq(state_delivery_get_member(txn, member.delivery, 300, &found), STATE_OK);
	state_txn_abort(txn);
	cr_assert_arr_eq(found.delivery, member.delivery, sizeof(found.delivery));
	cr_assert_eq(found.index, member.index);
	cr_assert_eq(found.dataset, member.dataset);
	cr_assert_str_eq(found.name, member.name);
	cr_assert_eq(found.status, member.status);
	cr_assert_eq(found.bytes, member.bytes);
	cr_assert_eq(found.bytes_skipped, member.bytes_skipped);
	cr_assert_eq(found.lines, member.lines);
	assert_same_counts(&found.counts, &member.counts);
	cr_assert_eq(found.busy_ns, member.busy_ns);
	cr_assert_str_eq(found.reason, member.reason);
}

static bool note_member(void *context, const struct state_member *member)
{
	struct order *order = context;
	size_t length = strlen(order->text);
	snprintf(order->text + length, sizeof(order->text) - length, "%d:%u ", member->delivery[0],
	         member->index);
	return --order->stop_after > 0;
}

Test(state_delivery, members_of_one_delivery_come_in_order)
{
	static const uint32_t indexes[] = {256, 0, 70000, 1};
	for (size_t i = 0; i < 4; i++) {
		struct state_member member = make_member(2, indexes[i]);
		put_member(&member);
	}
	struct state_member before = make_member(1, 7);
	struct state_member behind = make_member(3, 0);
	put_member(&before);
	put_member(&behind);
	struct order order = {.stop_after = 100};
	struct state_member two = make_member(2, 0);
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_delivery_each_member(txn, two.delivery, note_member, &order), STATE_OK);
	cr_assert_str_eq(order.text, "2:0 2:1 2:256 2:70000 ");
	order = (struct order){.stop_after = 2};
	cr_assert_eq(state_delivery_each_member(txn, two.delivery, note_member, &order), STATE_OK);
	cr_assert_str_eq(order.text, "2:0 2:1 ");
	state_txn_abort(txn);
}

static size_t expire(int64_t before_ns, size_t limit)
{
	size_t expired;
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_delivery_expire(txn, before_ns, limit, &expired), STATE_OK);
	fixture_commit(txn);
	return expired;
}

Test(state_delivery, expiry_takes_the_oldest_ended_ones_up_to_its_limit)
{
	for (uint8_t i = 1; i <= 6; i++) {
		struct state_delivery delivery = make_delivery(i, i * 10);
		if (i == 2)
			delivery.status = STATE_STATUS_OPEN;
		put_delivery(&delivery);
	}
	cr_assert_eq(expire(50, 2), 2);
	cr_assert_str_eq(list_deliveries(100).text, "6 5 4 2 ");
	cr_assert_eq(expire(50, 100), 1);
	cr_assert_str_eq(list_deliveries(100).text, "6 5 2 ");
	cr_assert_eq(expire(INT64_MAX, 100), 2);
	cr_assert_str_eq(list_deliveries(100).text, "2 ");
}

Test(state_delivery, expiry_leaves_nothing_of_a_delivery_behind)
{
	for (uint8_t i = 1; i <= 3; i++) {
		struct state_delivery delivery = make_delivery(i, i);
		put_delivery(&delivery);
		for (uint32_t index = 0; index < 40; index++) {
			struct state_member member = make_member(i, index);
			put_member(&member);
		}
	}
	cr_assert_eq(expire(3, 100), 2);
	cr_assert_eq(number_of_file(3), 3);
	fixture_stop(&f);
	cr_assert_eq(raw_count(&f, "delivery"), 1);
	cr_assert_eq(raw_count(&f, "member"), 40);
	cr_assert_eq(raw_count(&f, "history"), 1);
	cr_assert_eq(raw_count(&f, "file"), 1);
}

Test(state_delivery, expiry_keeps_the_file_entry_of_a_newer_delivery)
{
	struct state_delivery old = make_delivery(1, 10);
	struct state_delivery young = make_delivery(2, 20);
	young.file.inode = old.file.inode;
	put_delivery(&old);
	put_delivery(&young);
	cr_assert_eq(expire(20, 100), 1);
	cr_assert_eq(number_of_file(1), 2);
}

Test(state_delivery, content_is_found_only_by_all_of_its_key)
{
	struct state_content content = make_content(1, 2, 3);
	struct state_content found;
	uint8_t ones[16];
	uint8_t twos[16];
	memset(ones, 1, sizeof(ones));
	memset(twos, 2, sizeof(twos));
	put_content(&content);
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_delivery_get_content(txn, 4, ones, twos, &found), STATE_NOT_FOUND);
	cr_assert_eq(state_delivery_get_content(txn, 3, twos, twos, &found), STATE_NOT_FOUND);
	cr_assert_eq(state_delivery_get_content(txn, 3, ones, ones, &found), STATE_NOT_FOUND);
	cr_assert_eq(state_delivery_get_content(txn, 3, ones, twos, &found), STATE_OK);
	cr_assert_eq(state_delivery_has_head(txn, 3, ones), STATE_OK);
	cr_assert_eq(state_delivery_has_head(txn, 3, twos), STATE_NOT_FOUND);
	cr_assert_eq(state_delivery_has_head(txn, 2, ones), STATE_NOT_FOUND);
	state_txn_abort(txn);
	cr_assert_eq(found.dataset, content.dataset);
	cr_assert_arr_eq(found.head, content.head, 16);
	cr_assert_arr_eq(found.whole, content.whole, 16);
	cr_assert_eq(found.bytes, content.bytes);
	cr_assert_eq(found.cache_epoch, content.cache_epoch);
	cr_assert_arr_eq(found.fingerprint, content.fingerprint, 16);
	assert_same_counts(&found.counts, &content.counts);
	cr_assert_eq(found.lines, content.lines);
	cr_assert_eq(found.seen_ns, content.seen_ns);
}

Test(state_delivery, content_expires_by_when_it_was_last_seen)
{
	size_t expired;
	for (uint8_t i = 0; i < 100; i++) {
		struct state_content content = make_content(i, i, i % 10);
		put_content(&content);
	}
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_delivery_expire_content(txn, 5, 30, &expired), STATE_OK);
	cr_assert_eq(expired, 30);
	cr_assert_eq(state_delivery_expire_content(txn, 5, 30, &expired), STATE_OK);
	cr_assert_eq(expired, 20);
	for (uint8_t i = 0; i < 100; i++) {
		struct state_content content = make_content(i, i, 0);
		enum state_result result = state_delivery_has_head(txn, 3, content.head);
		cr_assert_eq(result, i % 10 < 5 ? STATE_NOT_FOUND : STATE_OK);
	}
	fixture_commit(txn);
}

static enum state_result ended(struct state_txn *txn, enum state_result result)
{
	cr_assert_eq(state_txn_failure(txn, NULL), result, "corruption sticks");
	state_txn_abort(txn);
	return result;
}

static enum state_result read_delivery(struct fixture *fixture)
{
	struct state_delivery found = make_delivery(1, 1);
	struct state_txn *txn = state_txn_begin_read(fixture->state);
	return ended(txn, state_delivery_get(txn, found.id, &found));
}

static enum state_result read_member(struct fixture *fixture)
{
	struct state_member found = make_member(1, 0);
	struct state_txn *txn = state_txn_begin_read(fixture->state);
	return ended(txn, state_delivery_get_member(txn, found.delivery, 0, &found));
}

static enum state_result read_content(struct fixture *fixture)
{
	struct state_content found = make_content(1, 1, 1);
	struct state_txn *txn = state_txn_begin_read(fixture->state);
	return ended(txn, state_delivery_get_content(txn, 3, found.head, found.whole, &found));
}

static enum state_result read_file_entry(struct fixture *fixture)
{
	struct state_delivery found;
	struct state_txn *txn = state_txn_begin_read(fixture->state);
	return ended(txn, state_delivery_of_file(txn, 5, 1, &found));
}

Test(state_delivery, damaged_records_are_corrupt)
{
	struct state_delivery delivery = make_delivery(1, 1);
	struct state_member member = make_member(1, 0);
	struct state_content content = make_content(1, 1, 1);
	put_delivery(&delivery);
	put_member(&member);
	put_content(&content);
	raw_expect_corrupt(&f, "delivery", read_delivery);
	raw_expect_corrupt(&f, "member", read_member);
	raw_expect_corrupt(&f, "content", read_content);
	raw_expect_corrupt(&f, "file", read_file_entry);
}

/* Writes the first entry of a table back with one byte set. */
static void set_byte(const char *table, size_t at, uint8_t byte)
{
	fixture_stop(&f);
	struct raw_entry entry = raw_first(&f, table);
	cr_assert_lt(at, entry.size);
	entry.value[at] = byte;
	raw_put(&f, table, entry.key, entry.key_size, entry.value, entry.size);
	free(entry.value);
	fixture_start(&f);
}

Test(state_delivery, values_outside_their_range_are_corrupt)
{
	struct state_member member = make_member(1, 0);
	size_t name = 1 + 4 + 4 + 2; /* version, dataset, cache epoch, length of the name */
	put_member(&member);
	set_byte("member", name + strlen(member.name), 0);
	cr_assert_eq(read_member(&f), STATE_CORRUPT, "status below the first");
	set_byte("member", name + strlen(member.name), 5);
	cr_assert_eq(read_member(&f), STATE_CORRUPT, "status above the last");
	set_byte("member", name + strlen(member.name), STATE_STATUS_DONE);
	cr_assert_eq(read_member(&f), STATE_OK);
	set_byte("member", name + 1, '\0');
	cr_assert_eq(read_member(&f), STATE_CORRUPT, "a NUL inside a text");
	set_byte("member", name - 1, 0xff);
	cr_assert_eq(read_member(&f), STATE_CORRUPT, "a text longer than its field");
}

Test(state_delivery, an_index_that_leads_nowhere_is_corrupt)
{
	struct state_delivery delivery = make_delivery(1, 1);
	put_delivery(&delivery);
	fixture_stop(&f);
	struct raw raw = raw_open(&f, "delivery");
	cr_assert_eq(mdb_drop(raw.txn, raw.table, 0), 0);
	raw_close(&raw);
	fixture_start(&f);
	cr_assert_eq(read_file_entry(&f), STATE_CORRUPT);
	struct order order = {.stop_after = 9};
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(ended(txn, state_delivery_each(txn, note_delivery, &order)), STATE_CORRUPT);
	size_t expired;
	txn = state_txn_begin_write(f.state);
	cr_assert_eq(ended(txn, state_delivery_expire(txn, INT64_MAX, 9, &expired)), STATE_CORRUPT);
}
