// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/journal.h"

static json_t *make_report(int number, const char *status, int rejected)
{
	char file[32];
	snprintf(file, sizeof file, "file-%d.csv", number);
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:n}", "delivery",
	                 "00000000000000000000000000000000", "file", file, "dataset", "cards", "status",
	                 status, "rows", 10, "new", 3, "updated", 1, "duplicate", 6 - rejected, "filtered", 0,
	                 "rejected", rejected, "reason");
}

/* Standard error as it was written since. */
static char output[65536];

static void keep_log(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	cr_assert_geq(fd, 0);
	dup2(fd, STDERR_FILENO);
	close(fd);
	log_open(false);
}

static size_t count_lines(void)
{
	ssize_t length = pread(STDERR_FILENO, output, sizeof output - 1, 0);
	cr_assert_geq(length, 0);
	output[length] = '\0';
	size_t lines = 0;
	for (const char *at = output; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	return lines;
}

static void add(struct journal *journal, int number, const char *status, int rejected)
{
	json_t *report = make_report(number, status, rejected);
	cr_assert_not_null(report);
	journal_add(journal, report);
	json_decref(report);
}

Test(journal, a_few_files_are_told_one_by_one)
{
	char line[256];
	struct journal journal = {0};
	keep_log();
	for (int i = 0; i < 3; i++)
		add(&journal, i, "done", 0);
	cr_assert(journal_flush(&journal, line, sizeof line));
	cr_assert_eq(count_lines(), 3, "%s", output);
	cr_assert_not_null(strstr(line, "file-2.csv"));
	cr_assert_not(journal_flush(&journal, line, sizeof line), "a flush left something behind");
	journal_free(&journal);
}

Test(journal, many_files_are_one_line_with_their_sums)
{
	char line[256];
	struct journal journal = {0};
	keep_log();
	for (int i = 0; i < 100; i++)
		add(&journal, i, "done", 0);
	cr_assert(journal_flush(&journal, line, sizeof line));
	cr_assert_eq(count_lines(), 1, "%s", output);
	cr_assert_not_null(strstr(output, "100 files: done, 1000 rows: 300 new, 100 updated"), "%s", output);
	journal_free(&journal);
}

Test(journal, what_a_person_must_see_is_never_summed_up)
{
	char line[256];
	struct journal journal = {0};
	keep_log();
	for (int i = 0; i < 100; i++)
		add(&journal, i, "done", i == 50 ? 2 : 0);
	add(&journal, 100, "failed", 0);
	journal_flush(&journal, line, sizeof line);
	cr_assert_eq(count_lines(), 3, "%s", output);
	cr_assert_not_null(strstr(output, "file-50.csv"));
	cr_assert_not_null(strstr(output, "file-100.csv"));
	cr_assert_not_null(strstr(output, "99 files"));
	journal_free(&journal);
}
