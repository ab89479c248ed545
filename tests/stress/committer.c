// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "ingest/ingest.h"
#include "sink/sqlite_sink.h"
#include "state_dataset.h"
#include "state_txn.h"

/* Files of many batches through the engine and its second thread, for the thread sanitizer: sets with chunks and rejects,
 * keys, bags; a table that is out of reach or does not answer now and then, stops, and somebody who looks at the state
 * meanwhile. The rows and the counts are exact. A plain program, because Criterion does not run under that sanitizer. */

enum { ROWS = 20000, BATCH = 512, SHAKE_EVERY = 7, STOP_EVERY = 5 };

static char root[4096];
static struct state *state;
static struct sink *sink;
static struct sink_interface steady;
static atomic_bool stop;
static atomic_bool is_over;
static unsigned stores;
static unsigned stored;
static struct state_counts told;

static void demand(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

/* Stores nothing, or does not say that it stored. */
static enum result shaky_store(struct sink *self, const struct sink_batch *batch, struct error *error)
{
	if (++stores % SHAKE_EVERY != 0)
		return steady.store(self, batch, error);
	if (stores % (2 * SHAKE_EVERY) == 0)
		return error_set(error, RESULT_UNREACHABLE, "not now");
	enum result result = steady.store(self, batch, error);
	return result == RESULT_OK ? error_set(error, RESULT_UNKNOWN, "no answer") : result;
}

static void on_stored(void *context, double seconds)
{
	(void)context;
	demand(seconds >= 0, "it took less than no time");
	atomic_store(&stop, ++stored % STOP_EVERY == 0);
}

static void on_report(void *context, const struct ingest_report *report)
{
	(void)context;
	demand(report->status == INGEST_DONE, "a file was not done");
	told = report->counts;
}

static char *path_of(const char *name)
{
	char *path = file_join(root, name);
	demand(path != NULL, "no memory");
	return path;
}

/* Rows from `first` on, each line `times` times, with a line that is none now and then. */
static char *write_file(const char *name, int first, int count, int times)
{
	char *path = path_of(name);
	FILE *file = fopen(path, "w");
	demand(file != NULL, "no file");
	fputs("id,text\n", file);
	for (int i = first; i < first + count; i++) {
		for (int n = 0; n < times; n++)
			fprintf(file, "%d,text of row %d\n", i, i);
		if (i % 1000 == 3)
			fputs("ragged\n", file);
	}
	fclose(file);
	return path;
}

/* Until it is reported. */
static void deliver(struct ingest *ingest, const char *dataset, const char *path)
{
	told = (struct state_counts){0};
	enum result result;
	do {
		struct error error = {0};
		struct ingest_file file = {.path = path, .fd = open(path, O_RDONLY), .dataset = dataset};
		result = ingest_one(ingest, &file, &error);
		close(file.fd);
		atomic_store(&stop, false);
		demand(result == RESULT_OK || result == RESULT_UNREACHABLE || result == RESULT_UNKNOWN ||
		           result == RESULT_STOPPED,
		       error.message);
	} while (result != RESULT_OK);
}

static void expect(uint64_t new, uint64_t updated, uint64_t duplicate, uint64_t rejected)
{
	demand(told.new == new &&told.updated == updated &&told.duplicate == duplicate &&told.rejected ==
	           rejected &&told.filtered == 0,
	       "the counts are wrong");
}

static void expect_rows(const char *table, int64_t rows)
{
	struct sink_ledger ledger;
	struct error error;
	demand(steady.ledger(sink, table, &ledger, &error) == RESULT_OK, "no ledger");
	demand(ledger.rows == rows, "the table has other rows");
}

static void ingest_files(struct ingest *ingest)
{
	enum { REJECTS = ROWS / 1000 };
	char *base = write_file("base.csv", 0, ROWS, 1);
	char *more = write_file("more.csv", 0, ROWS + ROWS / 10, 1);
	char *twice = write_file("twice.csv", 0, ROWS / 4, 2);
	deliver(ingest, "set", base);
	expect(ROWS, 0, 0, REJECTS);
	deliver(ingest, "set", more);
	expect(ROWS / 10, 0, ROWS, REJECTS + REJECTS / 10);
	deliver(ingest, "set", twice);
	expect(0, 0, ROWS / 2, REJECTS / 4);
	expect_rows("set", ROWS + ROWS / 10);
	deliver(ingest, "key", twice);
	expect(ROWS / 4, 0, ROWS / 4, REJECTS / 4);
	expect_rows("key", ROWS / 4);
	deliver(ingest, "bag", twice);
	expect(ROWS / 2, 0, 0, REJECTS / 4);
	deliver(ingest, "bag", base);
	expect(ROWS - ROWS / 4, 0, ROWS / 4, REJECTS);
	expect_rows("bag", ROWS / 2 + ROWS - ROWS / 4);
	free(base);
	free(more);
	free(twice);
}

/* As whoever asks for the status of a daemon does. */
static void *look(void *context)
{
	(void)context;
	while (!atomic_load(&is_over)) {
		struct state_txn *txn = state_txn_begin_read(state);
		struct state_dataset record;
		(void)state_dataset_get(txn, "set", &record);
		state_txn_abort(txn);
		usleep(1000);
	}
	return NULL;
}

static void run(void)
{
	static char *const key[] = {"id"};
	const struct dataset_options datasets[] = {
	    {.name = "set", .table = "set"},
	    {.name = "key", .table = "key", .spec = {.key = (const char *const *)key, .key_count = 1}},
	    {.name = "bag", .table = "bag", .spec = {.keeps_duplicates = true}},
	};
	char *rejected = path_of("rejected");
	demand(mkdir(rejected, 0755) == 0, "no directory");
	struct ingest_options options = {
	    .state = state,
	    .sink = sink,
	    .datasets = datasets,
	    .dataset_count = sizeof datasets / sizeof datasets[0],
	    .done = rejected,
	    .rejected = rejected,
	    .batch = {.rows = BATCH, .bytes = 1 << 20, .all_rows = 5 * BATCH, .all_bytes = 1 << 22},
	    .max_field = 1 << 16,
	    .max_columns = 100,
	    .limits = {.max_members = 10, .max_ratio = 100},
	    .stop = &stop,
	    .report = on_report,
	    .stored = on_stored,
	};
	struct ingest *ingest;
	struct error error;
	demand(ingest_open(&ingest, &options, &error) == RESULT_OK, "no engine");
	ingest_files(ingest);
	ingest_close(ingest);
	free(rejected);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
	(void)status;
	(void)type;
	(void)position;
	return remove(path);
}

int main(void)
{
	printf("TAP version 13\n1..1\n");
	const char *parent = getenv("TMPDIR");
	snprintf(root, sizeof root, "%s/rowsieve-stress-XXXXXX", parent != NULL ? parent : "/tmp");
	demand(mkdtemp(root) != NULL, "no directory");
	char *state_path = path_of("state");
	char *rows_path = path_of("rows.db");
	struct state_options options = {.directory = state_path};
	struct state_error failure;
	struct error error;
	demand(state_open(&state, &options, &failure) == STATE_OK, "no state");
	demand(sqlite_sink_open(&sink, rows_path, &error) == RESULT_OK, "no sink");
	steady = *sink->interface;
	struct sink_interface shaky = steady;
	shaky.store = shaky_store;
	sink->interface = &shaky;
	pthread_t observer;
	demand(pthread_create(&observer, NULL, look, NULL) == 0, "no thread");
	run();
	atomic_store(&is_over, true);
	pthread_join(observer, NULL);
	steady.close(sink);
	state_close(state);
	nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(state_path);
	free(rows_path);
	printf("ok 1 - %u batches stored beside the reading\n", stored);
	return 0;
}
