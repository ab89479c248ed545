// SPDX-License-Identifier: Apache-2.0
#include "state_fixture.h"
#include "state_outbox.h"

static struct fixture f;
static uint32_t dataset;
static struct state_digest *digests;
static const struct state_stored stored = {.size = 77, .sha256 = {1, 2, 3}};
enum { DIGESTS = 100 };

static void setup(void)
{
	fixture_make_directory(&f);
	fixture_start(&f);
	dataset = fixture_dataset(&f, "a");
	digests = fixture_digests(1, DIGESTS);
	for (uint8_t number = 1; number <= 2; number++) {
		struct state_delivery delivery = {.status = STATE_STATUS_DONE, .started_ns = number};
		memset(delivery.id, number, sizeof(delivery.id));
		delivery.file.inode = number;
		struct state_txn *txn = state_txn_begin_write(f.state);
		state_delivery_put(txn, &delivery);
		fixture_commit(txn);
	}
}

static void teardown(void)
{
	free(digests);
	fixture_remove(&f);
}

TestSuite(state_outbox, .init = setup, .fini = teardown);

static void put_segment(const struct state_segment *segment)
{
	struct state_mark marks[3] = {0};
	for (size_t i = 0; i < 3; i++) {
		marks[i].member = (struct state_member){.index = (uint32_t)i, .dataset = dataset,
		                                        .status = STATE_STATUS_DONE};
		memset(marks[i].member.delivery, i < 2 ? 1 : 2, STATE_ID_SIZE);
	}
	struct state_batch batch = fixture_batch(&f, dataset, digests, DIGESTS);
	batch.marks = marks;
	batch.mark_count = 3;
	batch.schema_version = 5;
	batch.segment = segment;
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_batch_put(txn, &batch);
	fixture_commit(txn);
}

static uint32_t put_manifest(uint8_t number)
{
	struct state_outbox entry = {.kind = STATE_OUTBOX_MANIFEST, .made_ns = 9};
	memset(entry.subject, number, sizeof(entry.subject));
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_outbox_put(txn, &entry, &entry.subject, 1);
	fixture_commit(txn);
	return entry.id;
}

static enum state_result next(uint32_t after, struct state_outbox *out)
{
	struct state_txn *txn = state_txn_begin_read(f.state);
	enum state_result result = state_outbox_next(txn, after, out);
	state_txn_abort(txn);
	return result;
}

static enum state_result confirm(uint32_t id)
{
	struct state_txn *txn = state_txn_begin_write(f.state);
	enum state_result result = state_outbox_confirm(txn, id, &stored);
	fixture_commit(txn);
	return result;
}

struct objects {
	struct state_object last;
	size_t count;
};

static bool count_object(void *context, const struct state_object *object)
{
	struct objects *objects = context;
	objects->last = *object;
	objects->count++;
	return true;
}

static struct objects objects_of(uint8_t number)
{
	struct objects objects = {0};
	uint8_t id[STATE_ID_SIZE];
	memset(id, number, sizeof(id));
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_outbox_each_object(txn, id, count_object, &objects), STATE_OK);
	cr_assert_eq(state_outbox_owes(txn, id), objects.count > 0 ? STATE_OK : STATE_NOT_FOUND);
	state_txn_abort(txn);
	return objects;
}

static struct state_outbox_summary summary(void)
{
	struct state_outbox_summary out;
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_outbox_summary(txn, &out), STATE_OK);
	state_txn_abort(txn);
	return out;
}

static const struct state_segment segment = {.bytes = 4711, .made_ns = 42, .object = "a/rows/1.csv.gz"};

Test(state_outbox, a_segment_is_owed_when_its_batch_is_promoted_and_not_before)
{
	struct state_outbox entry;
	put_segment(&segment);
	cr_assert_eq(next(0, &entry), STATE_NOT_FOUND);
	fixture_restart(&f);
	fixture_promote(&f, dataset);
	cr_assert_eq(next(0, &entry), STATE_OK);
	cr_assert_eq(entry.kind, STATE_OUTBOX_SEGMENT);
	cr_assert_eq(entry.seq, 1);
	cr_assert_eq(entry.subject[7], 1);
	cr_assert_eq(entry.schema_version, 5);
	cr_assert_eq(entry.bytes, 4711);
	cr_assert_eq(entry.made_ns, 42);
	cr_assert_str_eq(entry.object, segment.object);
	cr_assert_eq(next(entry.id, &entry), STATE_NOT_FOUND);
}

Test(state_outbox, a_discarded_batch_owes_nothing)
{
	struct state_outbox entry;
	put_segment(&segment);
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_batch_discard(txn, dataset), STATE_OK);
	fixture_commit(txn);
	cr_assert_eq(next(0, &entry), STATE_NOT_FOUND);
	cr_assert_eq(objects_of(1).count, 0);
}

Test(state_outbox, every_delivery_of_a_batch_remembers_what_was_confirmed)
{
	struct state_outbox entry;
	put_segment(&segment);
	fixture_promote(&f, dataset);
	cr_assert_eq(next(0, &entry), STATE_OK);
	cr_assert_not(objects_of(2).last.is_confirmed);
	cr_assert_eq(confirm(entry.id), STATE_OK);
	cr_assert_eq(confirm(entry.id), STATE_NOT_FOUND);
	fixture_restart(&f);
	for (uint8_t number = 1; number <= 2; number++) {
		struct objects found = objects_of(number);
		cr_assert_eq(found.count, 1);
		cr_assert(found.last.is_confirmed);
		cr_assert_eq(found.last.stored.size, stored.size);
		cr_assert_arr_eq(found.last.stored.sha256, stored.sha256, sizeof(stored.sha256));
		cr_assert_str_eq(found.last.object, segment.object);
	}
}

Test(state_outbox, a_confirmed_manifest_forgets_its_deliverys_objects_only)
{
	struct state_outbox entry;
	put_segment(&segment);
	fixture_promote(&f, dataset);
	cr_assert_eq(next(0, &entry), STATE_OK);
	cr_assert_eq(confirm(entry.id), STATE_OK);
	uint32_t manifest = put_manifest(1);
	cr_assert_eq(summary().entries, 1);
	cr_assert_eq(summary().oldest_ns, 9);
	cr_assert_eq(objects_of(1).count, 2);
	cr_assert_eq(confirm(manifest), STATE_OK);
	cr_assert_eq(objects_of(1).count, 0);
	cr_assert_eq(objects_of(2).count, 1);
	cr_assert_eq(summary().entries, 0);
}

Test(state_outbox, a_delivery_with_an_owed_manifest_is_not_forgotten)
{
	size_t expired;
	put_manifest(1);
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_delivery_expire(txn, INT64_MAX, 10, &expired), STATE_OK);
	fixture_commit(txn);
	cr_assert_eq(expired, 1);
	uint8_t id[STATE_ID_SIZE] = {[0 ... STATE_ID_SIZE - 1] = 1};
	struct state_delivery delivery;
	txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_delivery_get(txn, id, &delivery), STATE_OK);
	state_txn_abort(txn);
}

Test(state_outbox, ids_rise_across_restarts)
{
	uint32_t last = put_manifest(1);
	cr_assert_eq(confirm(last), STATE_OK);
	fixture_restart(&f);
	cr_assert_gt(put_manifest(2), last);
}

static enum state_result read_entry(struct fixture *fixture)
{
	(void)fixture;
	struct state_outbox entry;
	return next(0, &entry);
}

static enum state_result read_objects(struct fixture *fixture)
{
	struct objects objects = {0};
	uint8_t id[STATE_ID_SIZE] = {[0 ... STATE_ID_SIZE - 1] = 1};
	struct state_txn *txn = state_txn_begin_read(fixture->state);
	enum state_result result = state_outbox_each_object(txn, id, count_object, &objects);
	state_txn_abort(txn);
	return result;
}

Test(state_outbox, damage_is_noticed)
{
	put_manifest(1);
	raw_expect_corrupt(&f, "outbox", read_entry);
	raw_expect_corrupt(&f, "object", read_objects);
}
