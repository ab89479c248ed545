// SPDX-License-Identifier: Apache-2.0
/*
 * Versions of a file, each a change of the one before, through the engine with its chunks, beside a plain reading of
 * each version by the record reader and a set of rows. What is skipped must change neither table nor counts.
 */
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
#include "record_input.h"
#include "scratch.h"

enum { LINES = 12000, VERSIONS = 10, KEYS_MAX = 1 << 18, COLUMNS = 3 };

static const char usual_header[] = "id,text,more\n";

static char *root;
static char *rejected;
static char *state_path;
static struct state *state;
static struct sink *sink;
static struct ingest *ingest;
static atomic_bool stop;
static unsigned seed;

/* One line of the file, or several that a field with line ends takes. */
static char *lines[2 * LINES];
static size_t line_count;
static unsigned next_id;

/* Every row that was ever delivered. */
static uint64_t keys[KEYS_MAX];
static size_t key_count;

struct counted {
	uint64_t rows;
	uint64_t new;
	uint64_t rejected;
};

static struct counted told;
static uint64_t skipped;
static uint64_t delivered; /* bytes */
static size_t reports;

static void on_report(void *context, const struct ingest_report *report)
{
	(void)context;
	const struct state_counts *counts = &report->counts;
	cr_assert_eq(report->status, INGEST_DONE, "%s", report->reason);
	cr_assert_eq(counts->rows, counts->new + counts->duplicate + counts->rejected);
	cr_assert_leq(report->bytes_skipped, report->bytes);
	told = (struct counted){counts->rows, counts->new, counts->rejected};
	skipped += report->bytes_skipped;
	delivered += report->bytes;
	reports++;
}

static void open_engine(void)
{
	struct ingest_options options = {
	    .sink = sink,
	    .batch = {.rows = 5000, .bytes = 1 << 22, .all_rows = 4 * 5000, .all_bytes = 1 << 23},
	    .max_field = usual.max_field,
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
}

static void forget(void)
{
	while (line_count > 0)
		free(lines[--line_count]);
	memset(keys, 0, sizeof keys);
	key_count = 0;
	reports = 0;
	skipped = 0;
	delivered = 0;
}

static void teardown(void)
{
	forget();
	free(rejected);
	free(state_path);
	scratch_remove(root);
}

TestSuite(chunks, .init = setup, .fini = teardown);

static size_t pick(size_t count)
{
	return (size_t)rand_r(&seed) % count;
}

static void put_line(size_t at, char *line)
{
	cr_assert_lt(line_count, sizeof lines / sizeof lines[0]);
	memmove(&lines[at + 1], &lines[at], (line_count - at) * sizeof lines[0]);
	lines[at] = line;
	line_count++;
}

__attribute__((format(printf, 2, 3))) static void insert(size_t at, const char *format, ...)
{
	va_list arguments;
	char *line;
	va_start(arguments, format);
	cr_assert_geq(vasprintf(&line, format, arguments), 0);
	va_end(arguments);
	put_line(at, line);
}

static void insert_plain(size_t at)
{
	/* Where a stretch has no quotes, a quote before and one behind it make one record of it. */
	enum { STRETCH = 2000 };
	unsigned id = next_id++;
	const char *quote = id / STRETCH % 2 == 0 ? "\"" : "";
	insert(at, "r%u,text of row %u,%smore: %.*s%s\n", id, id, quote, (int)pick(40),
	       "........................................", quote);
}

/* Line ends in quotes: about `length` bytes of them. */
static void insert_long(size_t at, size_t length)
{
	char *line = NULL;
	size_t size;
	FILE *stream = open_memstream(&line, &size);
	fprintf(stream, "r%u,\"", next_id++);
	size_t count = length / 500 + 5;
	for (size_t i = 0; i < count; i++)
		fprintf(stream, "a line %zu, \"\"%zu\"\" %*s\n", i, pick(1000), (int)(length / count),
		        "and more");
	fputs("\",x\n", stream);
	fclose(stream);
	put_line(at, line);
}

static void insert_strange(size_t at)
{
	unsigned id = next_id++;
	switch (pick(7)) {
	case 0:
		insert(at, "r%u,\"an open quote,x\n", id);
		break;
	case 1:
		insert(at, "r%u,5\" of rain,x\n", id);
		break;
	case 2:
		insert(at, "r%u,ragged\n", id);
		break;
	case 3:
		insert(at, "\n");
		break;
	case 4:
		insert(at, "r%u,alone,x\r", id);
		break;
	case 5:
		insert(at, "r%u,\"a\"b,x\n", id);
		break;
	case 6:
		insert(at, "r%u,crlf,x\r\n", id);
		break;
	}
}

/* A quote that is none makes counting quotes go wrong; then comes a field that holds many rows. */
static void swallow(size_t at)
{
	enum { SWALLOWED = 600 };
	insert(at + SWALLOWED, "\",x\n");
	insert(at, "r%u,\"swallowed\n", next_id++);
	insert(at, "r%u,5\" of rain,x\n", next_id++);
}

static void remove_lines(size_t at, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(lines[at + i]);
	memmove(&lines[at], &lines[at + count], (line_count - at - count) * sizeof lines[0]);
	line_count -= count;
}

/* Brings the beginning behind what follows it. */
static void rotate(size_t count)
{
	static char *moved[2 * LINES];
	memcpy(moved, lines, count * sizeof lines[0]);
	memmove(lines, lines + count, (line_count - count) * sizeof lines[0]);
	memcpy(lines + line_count - count, moved, count * sizeof lines[0]);
}

static void change(void)
{
	size_t at = pick(line_count - 700);
	switch (pick(9)) {
	case 0:
		for (int i = 0; i < 100; i++)
			insert_plain(pick(line_count));
		break;
	case 1:
		for (int i = 0; i < 200; i++)
			insert_plain(at + (size_t)i);
		break;
	case 2:
		remove_lines(at, 1 + pick(150));
		break;
	case 3:
		for (int i = 0; i < 300; i++)
			insert_plain(line_count);
		break;
	case 4:
		rotate(1 + pick(line_count - 1));
		break;
	case 5:
		insert_strange(at);
		break;
	case 6:
		insert_long(at, 100 + pick(4000));
		break;
	case 7:
		insert_long(at, 200000 + pick(200000));
		break;
	case 8:
		swallow(at);
		break;
	}
}

static void write_version(const char *path, const char *header)
{
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs(header, file);
	for (size_t i = 0; i < line_count; i++)
		fputs(lines[i], file);
	fclose(file);
}

/* Is the row new? 64 bits of hash do for a test. */
static bool take_key(uint64_t key)
{
	size_t place = key % KEYS_MAX;
	while (keys[place] != 0 && keys[place] != key)
		place = (place + 1) % KEYS_MAX;
	bool is_new = keys[place] == 0;
	keys[place] = key;
	key_count += is_new;
	cr_assert_lt(key_count, KEYS_MAX / 2);
	return is_new;
}

static uint64_t key_of(const struct record *record)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < record->field_count; i++) {
		for (size_t j = 0; j < record->fields[i].length; j++)
			hash = (hash ^ (unsigned char)record->fields[i].data[j]) * UINT64_C(0x100000001b3);
		hash = (hash ^ 0x1ff) * UINT64_C(0x100000001b3);
	}
	return hash | 1;
}

static enum result read_file(void *context, void *bytes, size_t size, size_t *count, struct error *error)
{
	(void)error;
	*count = fread(bytes, 1, size, context);
	return RESULT_OK;
}

/* What a version holds, read without chunks. */
static struct counted count_version(const char *path)
{
	struct record_options options = usual;
	options.max_columns = 100;
	options.max_lines = 1000; /* as the engine has it */
	FILE *file = fopen(path, "r");
	cr_assert_not_null(file);
	struct record_reader *reader = open_reader(read_file, file, &options);
	struct record record;
	struct counted counted = {0};
	cr_assert_eq(record_next(reader, &record, NULL), RESULT_OK);
	record_expect_fields(reader, COLUMNS);
	while (record_next(reader, &record, NULL) == RESULT_OK) {
		counted.rows++;
		if (record.fault != RECORD_WHOLE || record.field_count != COLUMNS)
			counted.rejected++;
		else
			counted.new += take_key(key_of(&record));
	}
	record_close(reader);
	fclose(file);
	return counted;
}

static void deliver(const char *path, bool with_restarts)
{
	size_t before = reports;
	for (int attempt = 0; reports == before; attempt++) {
		cr_assert_lt(attempt, 1000, "no end in sight");
		struct ingest_file file = {.path = path, .fd = open(path, O_RDONLY), .dataset = "t"};
		struct error error = {0};
		enum result result = ingest_read(ingest, &file, &error);
		close(file.fd);
		bool is_cut = with_restarts && pick(4) == 0;
		if (result == RESULT_OK && !is_cut)
			result = ingest_flush(ingest, &error);
		cr_assert(result == RESULT_OK || result == RESULT_UNREACHABLE || result == RESULT_UNKNOWN,
		          "%s", error.message);
		if (is_cut) {
			close_engine();
			open_engine();
		}
	}
}

static void deliver_version(int version, const char *header, bool with_restarts)
{
	char name[32];
	snprintf(name, sizeof name, "v%d.csv", version);
	char *path = scratch_path(root, name);
	write_version(path, header);
	struct counted expected = count_version(path);
	deliver(path, with_restarts);
	cr_assert_eq(told.rows, expected.rows, "seed %u, version %d", seed, version);
	cr_assert_eq(told.rejected, expected.rejected, "seed %u, version %d", seed, version);
	cr_assert_eq(told.new, expected.new, "seed %u, version %d: %lu new instead of %lu", seed, version,
	             (unsigned long)told.new, (unsigned long)expected.new);
	cr_assert_eq(fake_sink_row_count(sink), key_count, "seed %u, version %d: the table is wrong", seed,
	             version);
	unlink(path);
	free(path);
}

static void fill_lines(void)
{
	next_id = 0;
	for (int i = 0; i < LINES; i++)
		insert_plain(line_count);
}

static void run(struct fake_sink_odds odds, unsigned first_seed, bool with_restarts)
{
	seed = first_seed;
	sink = fake_sink_open(odds, first_seed + 1);
	open_engine();
	fill_lines();
	for (int version = 0; version < VERSIONS; version++) {
		deliver_version(version, usual_header, with_restarts);
		for (size_t changes = 1 + pick(3); changes > 0; changes--)
			change();
	}
	cr_assert_gt(skipped, 0, "no chunk was ever skipped");
	close_engine();
	sink->interface->close(sink);
}

static void run_often(struct fake_sink_odds odds, bool with_restarts, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		run(odds, 100 * rounds + round, with_restarts);
		teardown();
		setup();
	}
}

Test(chunks, skipping_changes_neither_table_nor_counts)
{
	run_often((struct fake_sink_odds){0}, false, 12);
}

Test(chunks, what_falls_with_a_batch_is_not_skipped)
{
	struct fake_sink_odds odds = {.lost_before_commit = 15,
	                              .answer_lost = 10,
	                              .late_commit = 15,
	                              .head_moved = 10,
	                              .unreachable = 5};
	run_often(odds, true, 6);
}

static void open_filled(void)
{
	seed = 1;
	sink = fake_sink_open((struct fake_sink_odds){0}, 1);
	open_engine();
	fill_lines();
	deliver_version(0, usual_header, false);
	skipped = 0;
	delivered = 0;
}

static void close_filled(void)
{
	close_engine();
	sink->interface->close(sink);
}

Test(chunks, an_unchanged_file_is_skipped_whole)
{
	open_filled();
	deliver_version(1, usual_header, false);
	cr_assert_eq(skipped, delivered);
	close_filled();
}

Test(chunks, a_grown_file_is_skipped_but_for_its_end)
{
	open_filled();
	insert_plain(line_count);
	deliver_version(1, usual_header, false);
	cr_assert_gt(skipped, delivered / 10 * 9);
	close_filled();
}

/* No large chunk is as it was, most small ones are. */
Test(chunks, rows_far_apart_cost_a_small_chunk_each)
{
	open_filled();
	for (size_t at = 0; at < LINES; at += 1000)
		insert_plain(at);
	deliver_version(1, usual_header, false);
	cr_assert_gt(skipped, delivered / 10 * 9);
	cr_assert_lt(skipped, delivered);
	close_filled();
}

/* The same bytes under another header are other rows: here their columns change places. */
Test(chunks, another_header_voids_the_chunks)
{
	open_filled();
	char *path = scratch_path(root, "other.csv");
	write_version(path, "id,more,text\n");
	deliver(path, false);
	cr_assert_eq(told.new, LINES);
	cr_assert_eq(skipped, 0);
	free(path);
	close_filled();
}

/* With the first row the schema becomes another one: nothing behind it counts as known, though it was looked up before. */
Test(chunks, a_wider_type_voids_the_chunks_behind_it)
{
	enum { APART = 3000 }; /* of some large chunks the small ones are looked up, others are known whole */
	sink = fake_sink_open((struct fake_sink_odds){0}, 1);
	open_engine();
	for (int i = 0; i < LINES; i++)
		insert(line_count, "r%d,%0100d,%d\n", i, i, i);
	deliver_version(0, usual_header, false);
	skipped = 0;
	for (size_t at = APART; at < LINES; at += APART)
		insert(at, "between,text,%zu\n", at);
	insert(0, "first,text,1.5\n");
	deliver_version(1, usual_header, false);
	cr_assert_eq(skipped, 0);
	close_filled();
}

/* Without a line end the last record of one file is the beginning of another's. */
Test(chunks, a_record_without_a_line_end_is_no_beginning_of_a_longer_one)
{
	enum { LONG = 262144 };
	sink = fake_sink_open((struct fake_sink_odds){0}, 1);
	open_engine();
	char *field = malloc(LONG + 1);
	memset(field, 'x', LONG);
	memcpy(field, "a,b,", 4);
	field[LONG] = '\0';
	insert(0, "%s", field);
	deliver_version(0, usual_header, false);
	insert(1, "y\nr,s,t\n");
	deliver_version(1, usual_header, false);
	free(field);
	close_filled();
}

/* The same where a small chunk ends, wherever in the file that is. */
Test(chunks, a_record_without_a_line_end_is_no_beginning_of_a_longer_one_in_a_small_chunk)
{
	enum { SHORT = 4096, FILES = 8, ROWS = 4000 };
	sink = fake_sink_open((struct fake_sink_odds){0}, 1);
	open_engine();
	for (int i = 0; i < FILES; i++) {
		remove_lines(0, line_count);
		for (int row = 0; row < ROWS; row++)
			insert_plain(line_count);
		insert(line_count, "a,b,%0*d", SHORT - 4, i);
		deliver_version(2 * i, usual_header, false);
		insert(line_count, "y\nr,s,t%d\n", i);
		deliver_version(2 * i + 1, usual_header, false);
	}
	close_filled();
}

static void insert_wide(size_t at)
{
	insert(at, "w%u,%0*u,x\n", next_id, 500, next_id);
	next_id++;
}

/* What was a chunk by itself is delivered within a quoted field, by which nothing of it may be passed over; and then by
 * itself once more, with what stood behind the field: that was read as something else. */
Test(chunks, what_is_quoted_is_no_chunk)
{
	enum { WIDE = 900, BEHIND = 2000 };
	sink = fake_sink_open((struct fake_sink_odds){0}, 1);
	open_engine();
	for (int i = 0; i < WIDE; i++)
		insert_wide(line_count);
	deliver_version(0, usual_header, false);
	for (int i = 0; i < BEHIND; i++)
		insert_plain(line_count);
	insert(WIDE, "\",x\n");
	insert(0, "q2,\"swallowed\n");
	insert(0, "q1,5\" of rain,x\n");
	deliver_version(1, usual_header, false);
	remove_lines(0, 2);
	deliver_version(2, usual_header, false);
	close_filled();
}
