// SPDX-License-Identifier: Apache-2.0
/* The hand-over of batches: what the engine may do while one is stored, and what it hears of it. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_fixture.h"
#include "fake_sink.h"
#include "ingest/commit.h"
#include "no_threads.h"
#include "schema/row.h"
#include "scratch.h"
#include "state_batch.h"
#include "state_txn.h"

enum { ROWS = 100 /* of a batch */, BATCHES = 200 };

static char *root;
static char *rejected;
static char *state_path;
static struct state *state;
static struct sink *sink;
static struct ingest *ingest;
static atomic_bool stop;
static struct state_counts counts;

/* How the sink stores the next batches. */
static struct sink_interface interface;
static enum result (*plain_store)(struct sink *sink, const struct sink_batch *batch, struct error *error);
static bool is_held; /* until it is let go */
static bool is_failing;
static sem_t let_go;
static unsigned good_stores; /* before it fails, where it fails; else all are */
static atomic_bool is_storing;
static pthread_t stored_by;
static unsigned reports_of_stored;
static uint64_t last_new;

/* Whatever is committed is pending in the state by then (I1). */
static enum result commit_what_is_pending(void *context, struct error *error)
{
	const struct sink_batch *batch = context;
	enum result allowed =
	    batch->may_commit != NULL ? batch->may_commit(batch->context, error) : RESULT_OK;
	if (allowed != RESULT_OK)
		return allowed;
	struct state_pending pending;
	uint32_t dataset;
	struct state_txn *txn = state_txn_begin_read(state);
	cr_assert_eq(state_batch_next_pending(txn, 0, &dataset, &pending), STATE_OK);
	cr_assert_eq(memcmp(pending.batch_id, batch->batch_id.bytes, STATE_ID_SIZE), 0);
	state_txn_abort(txn);
	return RESULT_OK;
}

static enum result held_store(struct sink *self, const struct sink_batch *batch, struct error *error)
{
	struct sink_batch asked = *batch;
	asked.may_commit = commit_what_is_pending;
	asked.context = (void *)batch;
	stored_by = pthread_self();
	atomic_store(&is_storing, true);
	if (is_held)
		sem_wait(&let_go);
	if (is_failing && good_stores-- == 0)
		return error_set(error, RESULT_UNREACHABLE, "not now");
	return plain_store(self, &asked, error);
}

static void on_report(void *context, const struct ingest_report *report)
{
	(void)context;
	cr_assert_eq(report->status, INGEST_DONE, "%s", report->reason);
	last_new = report->counts.new;
}

static void on_stored(void *context, double seconds)
{
	(void)context;
	(void)seconds;
	reports_of_stored++;
}

static void open_engine(void)
{
	struct ingest_options options = {
	    .sink = sink,
	    .batch = {.rows = ROWS, .bytes = 1 << 20, .all_rows = ROWS, .all_bytes = 1 << 20},
	    .max_field = 1 << 20,
	    .stop = &stop,
	    .report = on_report,
	    .stored = on_stored,
	};
	engine_fixture_open(&ingest, &state, state_path, rejected, &options);
}

/* The dataset is there, with one row, and the batch is its. */
static void make_dataset(void)
{
	char *path = scratch_path(root, "t.csv");
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs("text\nfirst\n", file);
	fclose(file);
	struct ingest_file given = {.path = path, .fd = open(path, O_RDONLY), .dataset = "t"};
	struct error error;
	cr_assert_eq(ingest_one(ingest, &given, &error), RESULT_OK, "%s", error.message);
	close(given.fd);
	free(path);
	cr_assert_not_null(ingest->current);
}

static void setup(void)
{
	root = scratch_make();
	rejected = scratch_path(root, "rejected");
	state_path = scratch_path(root, "state");
	cr_assert_eq(mkdir(rejected, 0755), 0);
	cr_assert_eq(sem_init(&let_go, 0, 0), 0);
	sink = fake_sink_open((struct fake_sink_odds){0}, 1);
	interface = *sink->interface;
	plain_store = interface.store;
	interface.store = held_store;
	sink->interface = &interface;
	is_held = is_failing = false;
	good_stores = 0;
	counts = (struct state_counts){0};
	open_engine();
	make_dataset();
	reports_of_stored = 0;
	atomic_store(&is_storing, false);
}

static void teardown(void)
{
	ingest_close(ingest);
	state_close(state);
	sink->interface->close(sink);
	sem_destroy(&let_go);
	free(rejected);
	free(state_path);
	scratch_remove(root);
}

/* A hand-over that waits for what it should not wait for never ends. */
TestSuite(committer, .init = setup, .fini = teardown, .timeout = 60);

static void add(const char *text)
{
	struct batch *batch = &ingest->batch;
	size_t offset = batch->bytes.length;
	cr_assert_eq(row_append(&batch->bytes, 1, slice_from_string(text)), RESULT_OK);
	cr_assert_not_null(batch_add(batch, offset, NULL, &counts));
}

static void give(void)
{
	struct error error;
	cr_assert_eq(commit_ahead(ingest, &error), RESULT_OK, "%s", error.message);
}

static void collect(void)
{
	struct error error;
	cr_assert_eq(commit_collect(ingest, &error), RESULT_OK, "%s", error.message);
}

Test(committer, the_engine_reads_on_while_a_batch_is_stored)
{
	is_held = true;
	add("a");
	add("b");
	give();
	cr_assert_eq(ingest->batch.count, 0);
	add("c");
	cr_assert_eq(fake_sink_row_count(sink), 1, "it is held");
	sem_post(&let_go);
	collect();
	cr_assert_not(pthread_equal(stored_by, pthread_self()));
	cr_assert_eq(fake_sink_row_count(sink), 3);
	cr_assert_eq(ingest->batch.count, 1, "what was read meanwhile is still there");
}

Test(committer, counts_are_those_of_batches_that_are_back)
{
	is_held = true;
	add("a");
	add("first");
	give();
	cr_assert_eq(counts.rows, 0);
	add("a");
	sem_post(&let_go);
	collect();
	cr_assert_eq(counts.rows, 2);
	cr_assert_eq(counts.new, 1);
	cr_assert_eq(counts.duplicate, 1);
	cr_assert_eq(reports_of_stored, 1);
	is_held = false;
	give();
	collect();
	cr_assert_eq(counts.rows, 3);
	cr_assert_eq(counts.duplicate, 2, "the batch before counts as seen");
	cr_assert_eq(reports_of_stored, 1, "there was nothing to store");
}

Test(committer, batches_are_stored_one_after_the_other)
{
	for (int i = 0; i < 50; i++) {
		char text[16];
		snprintf(text, sizeof text, "row %d", i);
		add(text);
		give();
	}
	collect();
	cr_assert_eq(fake_sink_batches(sink), 51);
	for (int i = 1; i <= 50; i++) {
		char text[16];
		snprintf(text, sizeof text, "row %d", i - 1);
		struct slice row = fake_sink_row(sink, (size_t)i);
		cr_assert_not_null(memmem(row.data, row.length, text, strlen(text)), "row %d", i);
	}
}

Test(committer, a_failure_is_heard_of_before_the_next_batch_goes)
{
	struct error error;
	is_held = is_failing = true;
	add("a");
	give();
	add("b");
	sem_post(&let_go);
	cr_assert_eq(commit_ahead(ingest, &error), RESULT_UNREACHABLE);
	cr_assert_str_eq(error.message, "not now");
	cr_assert_eq(fake_sink_row_count(sink), 1);
	is_held = is_failing = false;
	cr_assert_eq(ingest->batch.count, 1, "it was not packed");
}

/* Lets the batch that is stored go when the next one is judged. */
static void *let_go_when_judged(void *context)
{
	(void)context;
	while (!__atomic_load_n(&ingest->batch.is_judged, __ATOMIC_RELAXED))
		sched_yield();
	sem_post(&let_go);
	return NULL;
}

Test(committer, the_next_batch_is_judged_while_one_is_stored)
{
	is_held = true;
	add("a");
	add("b");
	give();
	add("a");
	add("c");
	add("first");
	pthread_t helper;
	cr_assert_eq(pthread_create(&helper, NULL, let_go_when_judged, NULL), 0);
	give();
	pthread_join(helper, NULL);
	sem_post(&let_go);
	collect();
	cr_assert_eq(fake_sink_row_count(sink), 4);
	cr_assert_eq(counts.new, 3);
	cr_assert_eq(counts.duplicate, 2, "the rows that are pending count as seen");
}

/* Of one batch, and the same rows again. */
static char *write_rows_twice(void)
{
	char *path = scratch_path(root, "twice.csv");
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs("text\n", file);
	for (int i = 0; i < 2 * ROWS; i++)
		fprintf(file, "row %d\n", i % ROWS);
	fclose(file);
	return path;
}

Test(committer, what_was_judged_falls_with_the_batch_before)
{
	struct error error;
	char *path = write_rows_twice();
	is_held = is_failing = true;
	pthread_t helper;
	cr_assert_eq(pthread_create(&helper, NULL, let_go_when_judged, NULL), 0);
	struct ingest_file given = {.path = path, .fd = open(path, O_RDONLY), .dataset = "t"};
	cr_assert_eq(ingest_one(ingest, &given, &error), RESULT_UNREACHABLE);
	pthread_join(helper, NULL);
	is_held = is_failing = false;
	cr_assert_eq(ingest->batch.count, 0);
	cr_assert_eq(ingest_recover(ingest, false, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(ingest_one(ingest, &given, &error), RESULT_OK, "%s", error.message);
	close(given.fd);
	cr_assert_eq(last_new, ROWS, "they were seen only by the judgement that fell");
	cr_assert_eq(fake_sink_row_count(sink), 1 + ROWS);
	free(path);
}

/* Lets the first batch go when the second is full. */
static void *let_go_late(void *context)
{
	(void)context;
	while (!atomic_load(&is_storing) || __atomic_load_n(&ingest->batch.count, __ATOMIC_RELAXED) < ROWS)
		sched_yield();
	sem_post(&let_go);
	sem_post(&let_go);
	return NULL;
}

/* Of two batches, with a line between the rows that is none; *first is where the rows of one batch end. */
static char *write_two_batches(uint64_t *first)
{
	char *path = scratch_path(root, "two.csv");
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs("text\n", file);
	for (int i = 0; i < 2 * ROWS; i++) {
		if (i % 10 == 1)
			fputs("ragged,line\n", file);
		fprintf(file, "row %d\n", i);
		if (i + 1 == ROWS)
			*first = (uint64_t)ftell(file);
	}
	fclose(file);
	return path;
}

Test(committer, marks_end_where_the_rows_of_their_batch_do)
{
	struct error error;
	uint64_t first;
	char *path = write_two_batches(&first);
	struct stat status;
	cr_assert_eq(stat(path, &status), 0);
	is_held = is_failing = true;
	good_stores = 1;
	pthread_t helper;
	cr_assert_eq(pthread_create(&helper, NULL, let_go_late, NULL), 0);
	struct ingest_file given = {.path = path, .fd = open(path, O_RDONLY), .dataset = "t"};
	cr_assert_eq(ingest_one(ingest, &given, &error), RESULT_UNREACHABLE);
	close(given.fd);
	pthread_join(helper, NULL);
	cr_assert_eq(ingest_recover(ingest, false, &error), RESULT_OK, "%s", error.message);

	struct state_delivery delivery;
	struct state_member member;
	struct state_txn *txn = state_txn_begin_read(state);
	cr_assert_eq(state_delivery_of_file(txn, status.st_dev, status.st_ino, &delivery), STATE_OK);
	cr_assert_eq(state_delivery_get_member(txn, delivery.id, 0, &member), STATE_OK);
	state_txn_abort(txn);
	cr_assert_eq(member.bytes, first);
	cr_assert_eq(member.counts.new, ROWS);
	cr_assert_eq(member.counts.rejected, ROWS / 10);
	cr_assert_eq(member.counts.rows, ROWS + ROWS / 10);
	cr_assert_eq(fake_sink_row_count(sink), 1 + ROWS);

	is_held = is_failing = false;
	given.fd = open(path, O_RDONLY);
	cr_assert_eq(ingest_one(ingest, &given, &error), RESULT_OK, "%s", error.message);
	close(given.fd);
	cr_assert_eq(fake_sink_row_count(sink), 1 + 2 * ROWS);
	free(path);
}

/* Stops the engine while its first batch is away. */
static void *stop_it(void *context)
{
	(void)context;
	while (!atomic_load(&is_storing))
		sched_yield();
	atomic_store(&stop, true);
	for (int i = 0; i < BATCHES; i++)
		sem_post(&let_go);
	return NULL;
}

static enum result ingest_and_stop(const char *path)
{
	struct error error;
	pthread_t helper;
	is_held = true;
	cr_assert_eq(pthread_create(&helper, NULL, stop_it, NULL), 0);
	struct ingest_file given = {.path = path, .fd = open(path, O_RDONLY), .dataset = "t"};
	enum result result = ingest_one(ingest, &given, &error);
	close(given.fd);
	pthread_join(helper, NULL);
	atomic_store(&stop, false);
	is_held = is_failing = false;
	return result;
}

/* More than is read at once. */
static char *write_many_batches(void)
{
	char *path = scratch_path(root, "many.csv");
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs("text\n", file);
	for (int i = 0; i < BATCHES * ROWS; i++)
		fprintf(file, "%0200d\n", i);
	fclose(file);
	return path;
}

static void deliver(const char *path)
{
	struct error error;
	struct ingest_file given = {.path = path, .fd = open(path, O_RDONLY), .dataset = "t"};
	cr_assert_eq(ingest_one(ingest, &given, &error), RESULT_OK, "%s", error.message);
	close(given.fd);
	cr_assert_eq(last_new, BATCHES * ROWS);
	cr_assert_eq(fake_sink_row_count(sink), 1 + BATCHES * ROWS);
}

Test(committer, a_stop_waits_for_what_is_stored)
{
	char *path = write_many_batches();
	cr_assert_eq(ingest_and_stop(path), RESULT_STOPPED);
	size_t stored = fake_sink_row_count(sink);
	cr_assert_gt(stored, ROWS);
	cr_assert_lt(stored, BATCHES * ROWS);
	deliver(path);
	free(path);
}

Test(committer, a_failure_outranks_what_ended_the_reading)
{
	char *path = write_many_batches();
	is_failing = true;
	cr_assert_eq(ingest_and_stop(path), RESULT_UNREACHABLE);
	cr_assert_eq(fake_sink_row_count(sink), 1);
	deliver(path);
	free(path);
}

Test(committer, without_a_thread_it_is_stored_all_the_same)
{
	atomic_store(&has_no_threads, true);
	add("a");
	give();
	atomic_store(&has_no_threads, false);
	cr_assert(pthread_equal(stored_by, pthread_self()));
	cr_assert_eq(fake_sink_row_count(sink), 2);
	cr_assert_eq(counts.new, 1, "nothing is away");
}
