// SPDX-License-Identifier: Apache-2.0
/* Rows that are judged together are stored by transactions of the size that was asked for, and each is one to go on
 * behind. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_fixture.h"
#include "fake_sink.h"
#include "ingest/engine.h"
#include "scratch.h"
#include "state_txn.h"

enum {
	ROWS = 100, /* of a transaction */
	PARTS = 8,  /* judged together */
	SEEN = 16 * ROWS,
	NEW = 2 * PARTS * ROWS,
};

static char *root;
static char *rejected;
static char *state_path;
static struct state *state;
static struct sink *sink;
static struct ingest *ingest;
static atomic_bool stop;
static struct state_counts last; /* of a member that was done */

/* How the sink stores, and what it was given. */
static struct sink_interface interface;
static enum result (*plain_store)(struct sink *sink, const struct sink_batch *batch, struct error *error);
static bool is_failing;
static unsigned good_stores; /* before it fails */
static unsigned stores;
static size_t most_rows; /* of one transaction */
static struct id last_id;
static bool has_same_id; /* two transactions in a row bear one */

static enum result watched_store(struct sink *self, const struct sink_batch *batch, struct error *error)
{
	if (is_failing && good_stores-- == 0)
		return error_set(error, RESULT_UNREACHABLE, "not now");
	stores++;
	most_rows = batch->row_count > most_rows ? batch->row_count : most_rows;
	has_same_id |= id_equal(batch->batch_id, last_id);
	last_id = batch->batch_id;
	return plain_store(self, batch, error);
}

static void on_report(void *context, const struct ingest_report *report)
{
	(void)context;
	cr_assert_eq(report->status, INGEST_DONE, "%s", report->reason);
	last = report->counts;
}

static void open_engine(size_t bytes)
{
	struct ingest_options options = {
	    .sink = sink,
	    .batch = {.rows = ROWS, .bytes = bytes, .all_rows = PARTS * ROWS, .all_bytes = 1 << 22},
	    .max_field = 1 << 20,
	    .stop = &stop,
	    .report = on_report,
	};
	engine_fixture_open(&ingest, &state, state_path, rejected, &options);
}

static void setup(void)
{
	root = scratch_make();
	rejected = scratch_path(root, "rejected");
	state_path = scratch_path(root, "state");
	cr_assert_eq(mkdir(rejected, 0755), 0);
	sink = fake_sink_open((struct fake_sink_odds){0}, 1);
	interface = *sink->interface;
	plain_store = interface.store;
	interface.store = watched_store;
	sink->interface = &interface;
	is_failing = has_same_id = false;
	stores = 0;
	most_rows = 0;
	open_engine(1 << 20);
}

static void teardown(void)
{
	ingest_close(ingest);
	state_close(state);
	sink->interface->close(sink);
	free(rejected);
	free(state_path);
	scratch_remove(root);
}

TestSuite(parts, .init = setup, .fini = teardown, .timeout = 60);

/* Rows that were seen, in the other order, then new ones; a line that is none behind every tenth. *ends[i] is where rows
 * of i transactions that are new end. */
static char *write_seen_and_new(const char *name, unsigned seen, unsigned new, uint64_t *ends)
{
	char *path = scratch_path(root, name);
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs("text\n", file);
	for (unsigned i = 0; i < seen + new; i++) {
		fprintf(file, "row %u\n", i < seen ? seen - 1 - i : i);
		if (ends != NULL && (i + 1 - seen) % ROWS == 0 && i >= seen)
			ends[(i + 1 - seen) / ROWS] = (uint64_t)ftell(file);
		if (i % 10 == 1)
			fputs("ragged,line\n", file);
	}
	fclose(file);
	return path;
}

static enum result read_file(const char *path, struct error *error)
{
	struct ingest_file given = {.path = path, .fd = open(path, O_RDONLY), .dataset = "t"};
	enum result result = ingest_one(ingest, &given, error);
	close(given.fd);
	return result;
}

/* With rows that are there already. */
static void store_seen(void)
{
	struct error error;
	char *path = write_seen_and_new("seen.csv", 0, SEEN, NULL);
	cr_assert_eq(read_file(path, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(ingest->parts, 1, "all were new");
	free(path);
}

Test(parts, what_was_seen_is_judged_in_several_parts_and_what_is_new_stored_in_one_each)
{
	struct error error;
	store_seen();
	char *path = write_seen_and_new("more.csv", SEEN, NEW, NULL);
	unsigned before = stores;
	cr_assert_eq(read_file(path, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(last.new, NEW);
	cr_assert_eq(last.duplicate, SEEN);
	cr_assert_eq(last.rejected, (SEEN + NEW) / 10);
	cr_assert_eq(fake_sink_row_count(sink), SEEN + NEW);
	cr_assert_not(has_same_id);
	cr_assert_eq(most_rows, ROWS, "never more, whatever was judged together");
	cr_assert_eq(stores - before, NEW / ROWS);
	cr_assert_eq(ingest->parts, 1);
	free(path);
	path = write_seen_and_new("again.csv", SEEN, 0, NULL);
	cr_assert_eq(read_file(path, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(last.duplicate, SEEN);
	cr_assert_geq(ingest->parts, PARTS);
	free(path);
}

Test(parts, one_transaction_takes_what_is_new_of_several_parts)
{
	struct error error;
	store_seen();
	char *path = scratch_path(root, "few.csv");
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs("text\n", file);
	for (int i = SEEN - 1; i >= 0; i--)
		fprintf(file, i % ROWS == 0 ? "new %d\n" : "row %d\n", i);
	fclose(file);
	unsigned before = stores;
	cr_assert_eq(read_file(path, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(last.new, SEEN / ROWS);
	cr_assert_eq(last.duplicate, SEEN - SEEN / ROWS);
	cr_assert_eq(stores - before, 5, "of 1, 1, 2, 4 and 8 parts");
	free(path);
}

static struct state_member member_of(const char *path, uint64_t *rejects_length)
{
	struct stat status;
	struct state_delivery delivery;
	struct state_member member;
	cr_assert_eq(stat(path, &status), 0);
	struct state_txn *txn = state_txn_begin_read(state);
	cr_assert_eq(state_delivery_of_file(txn, status.st_dev, status.st_ino, &delivery), STATE_OK);
	cr_assert_eq(state_delivery_get_member(txn, delivery.id, 0, &member), STATE_OK);
	state_txn_abort(txn);
	*rejects_length = delivery.rejects_length;
	return member;
}

/* Which is the one that fails of those that store rows which were judged together? */
static void fail_behind(unsigned stored, const char *name, unsigned seen)
{
	struct error error;
	uint64_t ends[NEW / ROWS + 1], rejects, all_rejects;
	char *path = write_seen_and_new(name, seen, NEW, ends);
	size_t before = fake_sink_row_count(sink);
	is_failing = true;
	good_stores = stored;
	cr_assert_eq(read_file(path, &error), RESULT_UNREACHABLE);
	is_failing = false;
	cr_assert_eq(ingest_recover(ingest, false, &error), RESULT_OK, "%s", error.message);
	struct state_member member = member_of(path, &rejects);
	cr_assert_eq(member.bytes, ends[stored]);
	cr_assert_eq(member.counts.new, stored * ROWS);
	cr_assert_eq(member.counts.duplicate, seen);
	cr_assert_eq(member.counts.rejected, seen / 10 + stored * ROWS / 10);
	cr_assert_eq(fake_sink_row_count(sink), before + stored * ROWS);

	cr_assert_eq(read_file(path, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(last.new, NEW);
	cr_assert_eq(last.duplicate, seen);
	cr_assert_eq(last.rejected, (seen + NEW) / 10);
	cr_assert_eq(fake_sink_row_count(sink), before + NEW);
	member_of(path, &all_rejects);
	cr_assert_gt(all_rejects, rejects);
	free(path);
}

Test(parts, a_failure_leaves_the_marks_of_the_transactions_before_it)
{
	store_seen();
	fail_behind(1, "1.csv", SEEN);
	fail_behind(3, "2.csv", SEEN + NEW);
	fail_behind(PARTS - 1, "3.csv", SEEN + 2 * NEW);
}

/* What goes with the parts in front of it, of which nothing is to be stored, is not passed over. */
Test(parts, a_row_as_long_as_a_transaction_takes_the_seen_ones_before_it_along)
{
	enum { LONG = 2000 };
	struct error error;
	uint64_t ignored;
	ingest_close(ingest);
	state_close(state);
	open_engine(LONG);
	store_seen();
	char *again = write_seen_and_new("again.csv", SEEN, 0, NULL);
	cr_assert_eq(read_file(again, &error), RESULT_OK, "%s", error.message);
	cr_assert_gt(ingest->parts, 1);
	char *path = write_seen_and_new("long.csv", SEEN - ROWS, 0, NULL);
	FILE *file = fopen(path, "a");
	cr_assert_not_null(file);
	fprintf(file, "%0*d\n", LONG, 7);
	fclose(file);
	cr_assert_eq(read_file(path, &error), RESULT_OK, "%s", error.message);
	struct state_member member = member_of(path, &ignored);
	cr_assert_eq(member.counts.new, 1);
	cr_assert_eq(member.counts.duplicate, SEEN - ROWS);
	free(again);
	free(path);
}
