// SPDX-License-Identifier: Apache-2.0
/* A producer that writes another version behind the reader: what is remembered of a file must be of the bytes that were
 * parsed (C4 in DESIGN). */
#include <criterion/criterion.h>
#include <dlfcn.h>
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

enum { ROWS = 40000, LINE = 32, SIZE = LINE * (1 + ROWS) };

static char *root;
static char *rejected;
static char *state_path;
static struct state *state;
static struct sink *sink;
static struct ingest *ingest;
static atomic_bool stop;
static struct state_counts told;
static uint64_t skipped;

/* Writes `behind` over what was read of `rewritten`; -1: nobody does. */
static int rewritten = -1;
static const char *behind;

ssize_t pread(int fd, void *bytes, size_t size, off_t offset)
{
	typedef ssize_t pread_fn(int, void *, size_t, off_t);
	pread_fn *read_it;
	*(void **)&read_it = dlsym(RTLD_NEXT, "pread64");
	ssize_t count = read_it(fd, bytes, size, offset);
	struct stat read_from, written;
	if (count > 0 && rewritten >= 0 && fstat(fd, &read_from) == 0 && fstat(rewritten, &written) == 0 &&
	    read_from.st_ino == written.st_ino)
		cr_assert_eq(pwrite(rewritten, behind + offset, (size_t)count, offset), count);
	return count;
}

static void on_report(void *context, const struct ingest_report *report)
{
	(void)context;
	told = report->counts;
	skipped = report->bytes_skipped;
}

static void setup(void)
{
	root = scratch_make();
	rejected = scratch_path(root, "rejected");
	state_path = scratch_path(root, "state");
	cr_assert_eq(mkdir(rejected, 0755), 0);
	sink = fake_sink_open((struct fake_sink_odds){0}, 1);
	struct ingest_options options = {
	    .sink = sink,
	    .batch = {.rows = 5000, .bytes = 1 << 22, .all_rows = 4 * 5000, .all_bytes = 1 << 23},
	    .max_field = 1 << 20,
	    .stop = &stop,
	    .report = on_report,
	};
	engine_fixture_open(&ingest, &state, state_path, rejected, &options);
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

TestSuite(rewritten, .init = setup, .fini = teardown);

/* Versions have no row in common, and their lines the same places. free() it. */
static char *make_version(const char *name)
{
	char *text = malloc(SIZE + 1);
	cr_assert_not_null(text);
	snprintf(text, LINE + 1, "%-*s\n", LINE - 1, "text");
	for (int i = 1; i <= ROWS; i++)
		snprintf(text + (size_t)i * LINE, LINE + 1, "%-*s %012d\n", LINE - 14, name, i);
	return text;
}

static char *write_version(const char *name, const char *text)
{
	char *path = scratch_path(root, name);
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	cr_assert_eq(fwrite(text, 1, SIZE, file), SIZE);
	fclose(file);
	return path;
}

static enum result read_file(const char *path)
{
	struct ingest_file given = {.path = path, .fd = open(path, O_RDONLY), .dataset = "t"};
	struct error error;
	enum result result = ingest_one(ingest, &given, &error);
	close(given.fd);
	return result;
}

static void deliver(const char *name, const char *text)
{
	char *path = write_version(name, text);
	cr_assert_eq(read_file(path), RESULT_OK);
	cr_assert_eq(told.rows, ROWS);
	free(path);
}

Test(rewritten, what_is_known_of_a_file_is_of_the_bytes_that_were_parsed)
{
	char *first = make_version("first");
	char *second = make_version("second");
	char *path = write_version("rewritten", first);
	behind = second;
	rewritten = open(path, O_WRONLY);
	/* It is looked at once for the types and once for the rows: some are of one version, some of the other. */
	cr_assert_eq(read_file(path), RESULT_INVALID, "it changed while it was read");
	close(rewritten);
	rewritten = -1;
	free(path);
	deliver("first again", first);
	cr_assert_gt(skipped, 0, "what was parsed is known");
	deliver("second again", second);
	cr_assert_eq(fake_sink_row_count(sink), 2 * ROWS);
	free(first);
	free(second);
}
