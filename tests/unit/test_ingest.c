// SPDX-License-Identifier: Apache-2.0
/* The engine over a sink that fails in every way a server can: the table is exact, and so are the counts. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_fixture.h"
#include "fake_sink.h"
#include "ingest/ingest.h"
#include "scratch.h"

enum { FILES = 6, LINES = 60, DISTINCT = 150, RAGGED = 7 };

static char *root;
static char *rejected;
static char *state_path;
static struct state *state;
static struct sink *sink;
static struct ingest *ingest;
static atomic_bool stop;
static unsigned seed;

static struct {
	size_t reports;
	uint64_t new;
	uint64_t rows;
	uint64_t rejected;
} told;

static void on_report(void *context, const struct ingest_report *report)
{
	(void)context;
	const struct state_counts *counts = &report->counts;
	cr_assert_eq(report->status, INGEST_DONE, "%s", report->reason);
	cr_assert_eq(counts->rows, counts->new + counts->duplicate + counts->rejected);
	told.reports++;
	told.new += counts->new;
	told.rows += counts->rows;
	told.rejected += counts->rejected;
}

static void open_engine(void)
{
	struct ingest_options options = {
	    .sink = sink,
	    .batch = {.rows = 10, .bytes = 1 << 20, .all_rows = 40, .all_bytes = 1 << 20},
	    .max_field = 1 << 20,
	    .stop = &stop,
	    .report = on_report,
	};
	engine_fixture_open(&ingest, &state, state_path, rejected, &options);
}

static void close_engine(void)
{
	ingest_close(ingest);
	state_close(state);
}

static void setup(void)
{
	root = scratch_make();
	rejected = scratch_path(root, "rejected");
	state_path = scratch_path(root, "state");
	cr_assert_eq(mkdir(rejected, 0755), 0);
	memset(&told, 0, sizeof told);
}

static void teardown(void)
{
	free(rejected);
	free(state_path);
	scratch_remove(root);
}

TestSuite(ingest, .init = setup, .fini = teardown);

/* Rows that repeat within the file and between files, with some that are ragged. */
static char *write_file(int number, bool is_present[DISTINCT])
{
	char name[32];
	snprintf(name, sizeof name, "f%d.csv", number);
	char *path = scratch_path(root, name);
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs("id,text\n", file);
	for (int line = 0; line < LINES; line++) {
		int row = rand_r(&seed) % DISTINCT;
		if (line % (LINES / RAGGED + 1) == 3) {
			fprintf(file, "ragged\n");
			continue;
		}
		is_present[row] = true;
		fprintf(file, "%d,text %d\n", row, row);
	}
	fclose(file);
	return path;
}

static bool is_retried(enum result result)
{
	return result == RESULT_UNREACHABLE || result == RESULT_UNKNOWN;
}

/* Until the file is reported; what stands between is failures of the sink, and a restart now and then. */
static void deliver(const char *path, bool with_restarts)
{
	size_t before = told.reports;
	for (int attempt = 0; told.reports == before; attempt++) {
		cr_assert_lt(attempt, 2000, "no end in sight");
		struct ingest_file file = {.path = path, .fd = open(path, O_RDONLY), .dataset = "t"};
		struct error error = {0};
		enum result result = ingest_read(ingest, &file, &error);
		close(file.fd);
		bool is_cut = with_restarts && rand_r(&seed) % 10 == 0;
		if (result == RESULT_OK && !is_cut)
			result = ingest_flush(ingest, &error);
		cr_assert(result == RESULT_OK || is_retried(result), "%s", error.message);
		if (is_cut) {
			close_engine();
			open_engine();
		}
	}
}

static int compare_rows(const void *left, const void *right)
{
	const struct slice *a = left;
	const struct slice *b = right;
	size_t shorter = a->length < b->length ? a->length : b->length;
	int order = memcmp(a->data, b->data, shorter);
	return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static void assert_no_row_twice(void)
{
	size_t count = fake_sink_row_count(sink);
	struct slice *rows = calloc(count + 1, sizeof *rows);
	for (size_t i = 0; i < count; i++)
		rows[i] = fake_sink_row(sink, i);
	qsort(rows, count, sizeof *rows, compare_rows);
	for (size_t i = 1; i < count; i++)
		cr_assert_neq(compare_rows(&rows[i - 1], &rows[i]), 0, "a row is stored twice");
	free(rows);
}

static void run(struct fake_sink_odds odds, unsigned first_seed, bool with_restarts)
{
	seed = first_seed;
	sink = fake_sink_open(odds, first_seed + 1);
	open_engine();
	bool is_present[DISTINCT] = {0};
	for (int number = 0; number < FILES; number++) {
		char *path = write_file(number, is_present);
		deliver(path, with_restarts);
		free(path);
	}
	size_t distinct = 0;
	for (int row = 0; row < DISTINCT; row++)
		distinct += is_present[row];
	cr_assert_eq(fake_sink_row_count(sink), distinct, "seed %u: rows are lost or invented", first_seed);
	assert_no_row_twice();
	cr_assert_eq(told.reports, FILES);
	cr_assert_eq(told.new, distinct, "seed %u: the reports tell of other rows than the table has",
	             first_seed);
	cr_assert_eq(told.rows, FILES * LINES);
	cr_assert_eq(told.rejected, FILES * RAGGED);
	close_engine();
}

static void run_often(struct fake_sink_odds odds, bool with_restarts)
{
	size_t fenced = 0;
	for (unsigned round = 0; round < 40; round++) {
		run(odds, 1000 + round, with_restarts);
		fenced += fake_sink_fenced(sink);
		sink->interface->close(sink);
		teardown();
		setup();
	}
	if (odds.late_commit > 0)
		cr_assert_gt(fenced, 0, "no COMMIT came too late: the fence was not tried");
}

Test(ingest, every_row_once_when_nothing_fails)
{
	run((struct fake_sink_odds){0}, 1, false);
	sink->interface->close(sink);
}

Test(ingest, every_row_once_when_connections_are_lost_before_commit)
{
	run_often((struct fake_sink_odds){.lost_before_commit = 30, .unreachable = 20}, false);
}

Test(ingest, every_row_once_when_answers_of_commits_are_lost)
{
	run_often((struct fake_sink_odds){.answer_lost = 30}, false);
}

Test(ingest, every_row_once_when_commits_arrive_late_or_too_late)
{
	run_often((struct fake_sink_odds){.late_commit = 30}, false);
}

Test(ingest, every_row_once_when_somebody_else_judges_in_between)
{
	run_often((struct fake_sink_odds){.head_moved = 30}, false);
}

Test(ingest, every_row_once_when_all_of_it_comes_together_with_restarts)
{
	run_often((struct fake_sink_odds){.lost_before_commit = 10,
	                                  .answer_lost = 10,
	                                  .late_commit = 10,
	                                  .head_moved = 10,
	                                  .unreachable = 10},
	          true);
}

Test(ingest, a_stop_leaves_what_is_live_and_nothing_else)
{
	sink = fake_sink_open((struct fake_sink_odds){0}, 1);
	open_engine();
	bool is_present[DISTINCT] = {0};
	char *path = write_file(0, is_present);
	atomic_store(&stop, true);
	struct ingest_file file = {.path = path, .fd = open(path, O_RDONLY), .dataset = "t"};
	struct error error;
	cr_assert_eq(ingest_read(ingest, &file, &error), RESULT_STOPPED);
	close(file.fd);
	cr_assert_eq(fake_sink_row_count(sink), 0);
	cr_assert(ingest_is_idle(ingest));
	atomic_store(&stop, false);
	deliver(path, false);
	cr_assert_eq(told.rows, LINES);
	free(path);
	close_engine();
	sink->interface->close(sink);
}

Test(ingest, a_batch_spans_small_deliveries)
{
	enum { SMALL_FILES = 12, ROWS_OF_EACH = 2 };
	struct error error;
	sink = fake_sink_open((struct fake_sink_odds){0}, 1);
	open_engine();
	for (int i = 0; i < SMALL_FILES; i++) {
		char name[32], text[64];
		snprintf(name, sizeof name, "small%d.csv", i);
		snprintf(text, sizeof text, "id,text\n%d,one\n%d,other\n", i, i);
		char *path = scratch_path(root, name);
		scratch_write(path, text);
		struct ingest_file file = {.path = path, .fd = open(path, O_RDONLY), .dataset = "t"};
		cr_assert_eq(ingest_read(ingest, &file, &error), RESULT_OK, "%s", error.message);
		close(file.fd);
		free(path);
	}
	cr_assert_eq(fake_sink_batches(sink), 2, "of ten rows each");
	cr_assert_eq(ingest_flush(ingest, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(fake_sink_batches(sink), 3);
	cr_assert_eq(fake_sink_row_count(sink), SMALL_FILES * ROWS_OF_EACH);
	cr_assert_eq(told.reports, SMALL_FILES);
	cr_assert_eq(told.new, SMALL_FILES * ROWS_OF_EACH);
	close_engine();
	sink->interface->close(sink);
}
