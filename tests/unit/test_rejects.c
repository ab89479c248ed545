// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/rejects.h"
#include "scratch.h"

static char *directory;
static struct id delivery;
static struct rejects *rejects;
static struct error error;

static void setup(void)
{
	directory = scratch_make();
	delivery = id_random();
	cr_assert_eq(rejects_open(&rejects, directory, delivery, 0, &error), RESULT_OK);
}

static void teardown(void)
{
	rejects_close(rejects);
	scratch_remove(directory);
}

TestSuite(rejects, .init = setup, .fini = teardown);

static char *content(void)
{
	char name[64];
	id_text(name, delivery);
	strcat(name, ".rejects.csv");
	char *path = scratch_path(directory, name);
	char *text = scratch_read(path);
	free(path);
	return text;
}

static uint64_t add(uint64_t line, const char *record)
{
	struct rejects_row row = {
	    .line = line, .column = "amount", .reason = "not an integer", .record = {record, strlen(record)}};
	cr_assert_eq(rejects_add(rejects, &row, &error), RESULT_OK);
	uint64_t length;
	cr_assert_eq(rejects_sync(rejects, &length, &error), RESULT_OK);
	return length;
}

static void reopen(uint64_t length)
{
	rejects_close(rejects);
	rejects = NULL;
	cr_assert_eq(rejects_open(&rejects, directory, delivery, length, &error), RESULT_OK, "%s",
	             error.message);
}

static void assert_content(const char *expected)
{
	char *text = content();
	cr_assert_not_null(text);
	cr_assert_str_eq(text, expected);
	free(text);
}

Test(rejects, there_is_no_file_without_a_reject)
{
	uint64_t length;
	cr_assert_eq(rejects_sync(rejects, &length, &error), RESULT_OK);
	cr_assert_eq(length, 0);
	cr_assert_null(content());
}

Test(rejects, the_original_bytes_are_kept_quoted_and_without_their_line_end)
{
	add(7, "1,\"a\",x\r\n");
	assert_content("member,line,column,reason,record,header\n"
	               "\"\",7,\"amount\",\"not an integer\",\"1,\"\"a\"\",x\",\n");
}

Test(rejects, a_resumed_delivery_loses_what_was_not_live)
{
	uint64_t live = add(2, "first\n");
	char *before = content();
	add(3, "second\n");
	reopen(live);
	assert_content(before);
	add(3, "again\n");
	char *after = content();
	cr_assert_null(strstr(after, "second"));
	cr_assert_not_null(strstr(after, "again"));
	free(before);
	free(after);
}

Test(rejects, a_delivery_that_never_went_live_starts_empty)
{
	add(2, "first\n");
	reopen(0);
	cr_assert_null(content());
}

Test(rejects, a_file_shorter_than_its_live_length_is_an_error)
{
	uint64_t live = add(2, "first\n");
	rejects_close(rejects);
	rejects = NULL;
	cr_assert_eq(rejects_open(&rejects, directory, delivery, live + 1, &error), RESULT_IO);
}

static bool is_known(void *context, struct id id)
{
	return id_equal(*(struct id *)context, id);
}

Test(rejects, the_sweep_removes_files_of_unknown_deliveries_only)
{
	add(2, "known\n");
	struct rejects *orphan;
	struct id unknown = id_random();
	cr_assert_eq(rejects_open(&orphan, directory, unknown, 0, &error), RESULT_OK);
	struct rejects_row row = {.line = 1, .reason = "r", .record = SLICE("x")};
	cr_assert_eq(rejects_add(orphan, &row, &error), RESULT_OK);
	rejects_close(orphan);
	char *other = scratch_path(directory, "notes.rejects.csv");
	scratch_write(other, "a user's file");

	cr_assert_eq(rejects_sweep(directory, is_known, &delivery, &error), RESULT_OK);
	char *kept = content();
	cr_assert_not_null(kept);
	char *theirs = scratch_read(other);
	cr_assert_not_null(theirs, "a file that is not ours was removed");
	char name[64];
	id_text(name, unknown);
	strcat(name, ".rejects.csv");
	char *gone = scratch_path(directory, name);
	cr_assert_null(scratch_read(gone));
	free(kept);
	free(theirs);
	free(other);
	free(gone);
}
