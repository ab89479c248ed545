// SPDX-License-Identifier: Apache-2.0
/*
 * The seen-set alone, beside a plain LMDB key per digest. Prints one JSON object; counts that are not exact
 * end it.
 *
 * usage: seen_set state|plain DIRECTORY ROWS
 *
 * state: grows a seen-set batch by batch, each batch durable as the program does it (promotion of the batch
 *        before it, probe, run and record in a transaction, then merging), and then measures BATCHES more,
 *        and LATER ones behind them: merging is done in large portions, now and then.
 * plain: the same batches on a table of keys: seven tenths written in order with MDB_APPEND, the rest in
 *        sorted batches, which leaves the pages as full as random keys do. The measured ones are synced at
 *        commit.
 */
#include <fcntl.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "state_batch.h"
#include "state_merge.h"
#include "state_sort.h"

enum { BATCH = 1000000, BATCHES = 5, LATER = 20 };

static __attribute__((format(printf, 1, 2), noreturn)) void die(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("seen_set: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);
	if (memory == NULL)
		die("no memory");
	return memory;
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/*
 * Bytes that this process has written, and those that the kernel says it caused to be: where files are cached
 * in large folios that counts a whole folio for each page.
 */
struct output {
	double written;
	double dirtied;
};

static double figure(const char *text, const char *label)
{
	const char *at = strstr(text, label);
	return at == NULL ? 0 : strtod(at + strlen(label), NULL);
}

/* Since `since`, for each of so many rows. */
static struct output output_since(struct output since, uint64_t rows)
{
	char text[1024] = "";
	int file = open("/proc/self/io", O_RDONLY);
	if (file < 0 || read(file, text, sizeof(text) - 1) < 0)
		die("cannot read /proc/self/io");
	close(file);
	return (struct output){(figure(text, "wchar: ") - since.written) / (double)rows,
	                       (figure(text, "\nwrite_bytes: ") - since.dirtied) / (double)rows};
}

static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static int compare(const void *left, const void *right)
{
	return state_digest_compare(*(const struct state_digest *)left, *(const struct state_digest *)right);
}

static struct state_digest digest_of(uint64_t row)
{
	return (struct state_digest){mix(2 * row), mix(2 * row + 1)};
}

/* A batch before it is sorted, as the program has it. */
struct batch {
	struct state_sort_item items[BATCH];
	struct state_sort_item scratch[BATCH];
};

static void sort(struct batch *batch, struct state_digest *sorted)
{
	state_sort_items(batch->items, batch->scratch, BATCH);
	for (size_t i = 0; i < BATCH; i++)
		sorted[i] = batch->items[i].digest;
}

static void make(struct batch *batch, uint64_t from)
{
	for (size_t i = 0; i < BATCH; i++)
		batch->items[i] = (struct state_sort_item){digest_of(from + i), i};
}

static int compare_seconds(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;
	return (a > b) - (a < b);
}

static double median(const double *seconds, size_t count)
{
	double *sorted = allocate(count, sizeof(*sorted));
	memcpy(sorted, seconds, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_seconds);
	double middle = sorted[count / 2];
	free(sorted);
	return middle;
}

struct bench {
	struct state *state;
	uint32_t dataset;
	uint64_t rows;
	struct batch *batch;
	struct state_digest *digests;
	bool *seen;
};

static void open_state(struct bench *bench, const char *directory)
{
	struct state_options options = {.directory = directory};
	struct state_error error;
	if (state_open(&bench->state, &options, &error) != STATE_OK)
		die("%s", error.text);
	struct state_dataset dataset = {.name = "bench"};
	struct state_txn *txn = state_txn_begin_write(bench->state);
	if (state_dataset_get(txn, dataset.name, &dataset) == STATE_OK)
		die("'%s' is not empty", directory);
	state_dataset_put(txn, &dataset);
	if (state_txn_commit(txn, &error) != STATE_OK)
		die("%s", error.text);
	bench->dataset = dataset.id;
}

/* How many of the sorted digests are seen. */
static size_t probe(struct bench *bench, struct state_txn *txn)
{
	size_t found = 0;
	if (state_run_probe(txn, bench->dataset, bench->digests, BATCH, bench->seen) != STATE_OK)
		die("cannot probe");
	for (size_t i = 0; i < BATCH; i++)
		found += bench->seen[i];
	return found;
}

/* One batch of new digests, from sorting to merging; returns its seconds. */
static double add_batch(void *context)
{
	struct bench *bench = context;
	struct state_error error;
	make(bench->batch, bench->rows);
	double began = now();
	sort(bench->batch, bench->digests);
	struct state_txn *txn = state_txn_begin_write(bench->state);
	state_batch_promote(txn, bench->dataset);
	if (probe(bench, txn) != 0)
		die("a new digest is seen");
	struct state_batch batch = {
	    .dataset = bench->dataset,
	    .seq = bench->rows / BATCH + 1,
	    .digests = bench->digests,
	    .digest_count = BATCH,
	};
	state_batch_put(txn, &batch);
	if (state_txn_commit(txn, &error) != STATE_OK ||
	    state_merge_step(bench->state, bench->dataset, BATCH, &error) != STATE_OK)
		die("%s", error.text);
	bench->rows += BATCH;
	return now() - began;
}

/* Nanoseconds for a sorted digest: of rows that were seen long ago, or of rows to come. */
static double probe_seconds(struct bench *bench, bool is_hit)
{
	double seconds[BATCHES];
	for (size_t i = 0; i < BATCHES; i++) {
		for (size_t j = 0; j < BATCH; j++) {
			uint64_t row = mix(i * BATCH + j) % bench->rows;
			bench->batch->items[j].digest = digest_of(is_hit ? row : bench->rows + row);
		}
		sort(bench->batch, bench->digests);
		struct state_txn *txn = state_txn_begin_read(bench->state);
		double began = now();
		size_t found = probe(bench, txn);
		seconds[i] = now() - began;
		state_txn_abort(txn);
		if (found != (is_hit ? BATCH : 0))
			die("%zu of %d digests are seen", found, BATCH);
	}
	return median(seconds, BATCHES) / BATCH * 1e9;
}

static double rate(const double *seconds, size_t count)
{
	double all = 0;
	for (size_t i = 0; i < count; i++)
		all += seconds[i];
	return (double)(count * BATCH) / all;
}

static void print_growth(const double *seconds, size_t count)
{
	double longest = 0;
	for (size_t i = 0; i < count; i++)
		longest = seconds[i] > longest ? seconds[i] : longest;
	printf("\"rate_at_tenth\": %.0f, \"rate_at_fifth\": %.0f, \"rate\": %.0f, \"median_batch\": %.4f, "
	       "\"longest_batch\": %.4f, ",
	       rate(seconds, count / 10), rate(seconds, count / 5), rate(seconds, count),
	       median(seconds, count), longest);
}

/* Prints what so many more batches cost; `add` makes one durable and returns its seconds. */
static void measure(const char *name, size_t batches, double (*add)(void *context), void *context)
{
	struct output before = output_since((struct output){0}, 1);
	double seconds = 0;
	for (size_t i = 0; i < batches; i++)
		seconds += add(context);
	struct output output = output_since(before, batches * BATCH);
	printf(", \"%s_rate\": %.0f, \"%s_written_per_row\": %.1f, \"%s_dirtied_per_row\": %.1f", name,
	       (double)(batches * BATCH) / seconds, name, output.written, name, output.dirtied);
}

static void measure_more(double (*add)(void *context), void *context)
{
	measure("more", BATCHES, add, context);
	measure("later", LATER, add, context);
	puts("}");
}

static void bench_state(const char *directory, uint64_t rows)
{
	struct bench bench = {.batch = allocate(1, sizeof(*bench.batch)),
	                      .digests = allocate(BATCH, sizeof(*bench.digests)),
	                      .seen = allocate(BATCH, sizeof(*bench.seen))};
	size_t count = rows / BATCH;
	double *seconds = allocate(count + BATCHES, sizeof(*seconds));
	open_state(&bench, directory);
	for (size_t i = 0; i < count; i++)
		seconds[i] = add_batch(&bench);
	struct output output = output_since((struct output){0}, bench.rows);
	printf("{\"rows\": %llu, \"written_per_row\": %.1f, \"dirtied_per_row\": %.1f, ",
	       (unsigned long long)bench.rows, output.written, output.dirtied);
	print_growth(seconds, count);

	struct state_run_stats stats;
	struct state_error error;
	uint64_t used;
	uint64_t file;
	struct state_txn *txn = state_txn_begin_read(bench.state);
	if (state_run_stats(txn, bench.dataset, &stats) != STATE_OK ||
	    state_size(bench.state, &used, &file, &error) != STATE_OK)
		die("cannot examine the state");
	state_txn_abort(txn);
	printf("\"runs\": %llu, \"live_per_row\": %.2f, \"file_per_row\": %.2f, ",
	       (unsigned long long)stats.runs, (double)used / (double)bench.rows,
	       (double)file / (double)bench.rows);
	printf("\"hit_ns\": %.1f, \"miss_ns\": %.1f", probe_seconds(&bench, true),
	       probe_seconds(&bench, false));

	measure_more(add_batch, &bench);
	state_close(bench.state);
	free(seconds);
	free(bench.batch);
	free(bench.digests);
	free(bench.seen);
}

static void check(int code)
{
	if (code != 0)
		die("lmdb: %s", mdb_strerror(code));
}

static MDB_env *open_plain(const char *directory, unsigned flags)
{
	MDB_env *env;
	check(mdb_env_create(&env));
	check(mdb_env_set_mapsize(env, (size_t)1 << 40));
	check(mdb_env_open(env, directory, flags, 0600));
	return env;
}

static void put_big_endian(uint8_t *key, struct state_digest digest)
{
	uint64_t words[] = {__builtin_bswap64(digest.hi), __builtin_bswap64(digest.lo)};
	memcpy(key, words, sizeof(words));
}

/* One transaction of sorted keys, which must be new. */
static void put_keys(MDB_env *env, const struct state_digest *sorted, size_t count, unsigned flags)
{
	MDB_txn *txn;
	MDB_dbi table;
	MDB_cursor *cursor;
	check(mdb_txn_begin(env, NULL, 0, &txn));
	check(mdb_dbi_open(txn, NULL, 0, &table));
	check(mdb_cursor_open(txn, table, &cursor));
	for (size_t i = 0; i < count; i++) {
		uint8_t bytes[sizeof(struct state_digest)];
		put_big_endian(bytes, sorted[i]);
		MDB_val key = {sizeof(bytes), bytes};
		MDB_val nothing = {0, NULL};
		check(mdb_cursor_put(cursor, &key, &nothing, flags));
	}
	mdb_cursor_close(cursor);
	check(mdb_txn_commit(txn));
}

static void fill_plain(const char *directory, uint64_t rows)
{
	enum { PART = 10000000 };
	size_t ordered = rows / 10 * 7;
	struct state_digest *digests = allocate(ordered, sizeof(*digests));
	for (size_t i = 0; i < ordered; i++)
		digests[i] = digest_of(i);
	qsort(digests, ordered, sizeof(*digests), compare);
	MDB_env *env = open_plain(directory, MDB_WRITEMAP | MDB_NOSYNC);
	for (size_t i = 0; i < ordered; i += PART)
		put_keys(env, digests + i, ordered - i < PART ? ordered - i : PART, MDB_APPEND);
	for (uint64_t i = ordered; i < rows; i += PART) {
		size_t count = rows - i < PART ? rows - i : PART;
		for (size_t j = 0; j < count; j++)
			digests[j] = digest_of(i + j);
		qsort(digests, count, sizeof(*digests), compare);
		put_keys(env, digests, count, MDB_NOOVERWRITE);
	}
	check(mdb_env_sync(env, 1));
	mdb_env_close(env);
	free(digests);
}

struct plain {
	MDB_env *env;
	uint64_t rows;
	struct batch *batch;
	struct state_digest *digests;
};

/* The same as add_batch(), sorting too. */
static double put_batch(void *context)
{
	struct plain *plain = context;
	make(plain->batch, plain->rows);
	double began = now();
	sort(plain->batch, plain->digests);
	put_keys(plain->env, plain->digests, BATCH, MDB_NOOVERWRITE);
	plain->rows += BATCH;
	return now() - began;
}

static void bench_plain(const char *directory, uint64_t rows)
{
	struct plain plain = {.rows = rows,
	                      .batch = allocate(1, sizeof(*plain.batch)),
	                      .digests = allocate(BATCH, sizeof(*plain.digests))};
	MDB_stat stat;
	fill_plain(directory, rows);
	plain.env = open_plain(directory, 0);
	check(mdb_env_stat(plain.env, &stat));
	printf("{\"rows\": %llu, \"live_per_row\": %.2f", (unsigned long long)rows,
	       (double)(stat.ms_leaf_pages * stat.ms_psize) / (double)rows);
	measure_more(put_batch, &plain);
	mdb_env_close(plain.env);
	free(plain.batch);
	free(plain.digests);
}

int main(int argc, char **argv)
{
	uint64_t rows = argc == 4 ? strtoull(argv[3], NULL, 10) / BATCH * BATCH : 0;
	if (rows < 10 * BATCH)
		die("usage: seen_set state|plain DIRECTORY ROWS, with at least %d rows", 10 * BATCH);
	if (mkdir(argv[2], 0700) != 0)
		die("cannot make '%s'", argv[2]);
	if (strcmp(argv[1], "state") == 0)
		bench_state(argv[2], rows);
	else if (strcmp(argv[1], "plain") == 0)
		bench_plain(argv[2], rows);
	else
		die("'%s' is neither 'state' nor 'plain'", argv[1]);
	return 0;
}
