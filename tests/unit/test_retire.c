// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ingest/retire.h"
#include "scratch.h"

static char *root;
static char *drop;
static char *done;
static char *dropped;
static struct retire_file file;
static struct retire_group group;
static struct error error;

static void setup(void)
{
	root = scratch_make();
	drop = scratch_path(root, "drop");
	done = scratch_path(root, "done");
	cr_assert_eq(mkdir(drop, 0755), 0);
	cr_assert_eq(mkdir(done, 0755), 0);
	dropped = scratch_path(drop, "x.csv");
	scratch_write(dropped, "mine");
	struct stat status;
	cr_assert_eq(stat(dropped, &status), 0);
	file = (struct retire_file){dropped, file_identity_of(&status), id_random()};
}

static void teardown(void)
{
	cr_assert_eq(retire_settle(&group, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(group.count, 0);
	free(drop);
	free(done);
	free(dropped);
	scratch_remove(root);
}

TestSuite(retire, .init = setup, .fini = teardown);

static void assert_content(const char *directory, const char *name, const char *expected)
{
	char *path = scratch_path(directory, name);
	char *text = scratch_read(path);
	if (expected == NULL)
		cr_assert_null(text, "%s exists", path);
	else
		cr_assert(text != NULL && strcmp(text, expected) == 0, "%s holds '%s'", path, text);
	free(text);
	free(path);
}

Test(retire, a_read_file_moves_under_its_name)
{
	cr_assert_eq(retire_move(&group, &file, done, &error), RESULT_OK);
	assert_content(done, "x.csv", "mine");
	assert_content(drop, "x.csv", NULL);
}

Test(retire, a_file_of_that_name_is_never_replaced)
{
	char *taken = scratch_path(done, "x.csv");
	scratch_write(taken, "theirs");
	cr_assert_eq(retire_move(&group, &file, done, &error), RESULT_OK);
	assert_content(done, "x.csv", "theirs");
	char name[64];
	char id[ID_TEXT_MAX];
	id_text(id, file.delivery);
	snprintf(name, sizeof name, "%s-x.csv", id);
	assert_content(done, name, "mine");
	free(taken);
}

Test(retire, a_file_that_was_replaced_after_reading_stays)
{
	char *other = scratch_path(drop, "other");
	scratch_write(other, "a newer file");
	cr_assert_eq(rename(other, dropped), 0);
	cr_assert_eq(retire_move(&group, &file, done, &error), RESULT_CHANGED);
	cr_assert_eq(retire_delete(&group, &file, &error), RESULT_CHANGED);
	assert_content(drop, "x.csv", "a newer file");
	assert_content(done, "x.csv", NULL);
	free(other);
}

Test(retire, a_file_that_is_gone_is_no_error)
{
	cr_assert_eq(unlink(dropped), 0);
	cr_assert_eq(retire_move(&group, &file, done, &error), RESULT_OK);
	cr_assert_eq(retire_reject(&group, &file, done, "why", &error), RESULT_OK);
	cr_assert_eq(retire_delete(&group, &file, &error), RESULT_OK);
	assert_content(done, "x.csv.reason.txt", NULL);
}

Test(retire, a_rejected_file_has_its_reason_beside_it)
{
	cr_assert_eq(retire_reject(&group, &file, done, "not a CSV", &error), RESULT_OK);
	assert_content(done, "x.csv", "mine");
	assert_content(done, "x.csv.reason.txt", "not a CSV\n");
}

Test(retire, a_reason_that_was_cut_off_before_the_move_is_written_anew)
{
	CLEANUP_FREE char *reason = scratch_path(done, "x.csv.reason.txt");
	scratch_write(reason, "not a");
	cr_assert_eq(retire_reject(&group, &file, done, "not a CSV", &error), RESULT_OK);
	assert_content(done, "x.csv", "mine");
	assert_content(done, "x.csv.reason.txt", "not a CSV\n");
}

Test(retire, the_reason_of_another_file_is_left_alone)
{
	CLEANUP_FREE char *reason = scratch_path(done, "x.csv.reason.txt");
	scratch_write(reason, "another reason\n");
	cr_assert_eq(retire_reject(&group, &file, done, "not a CSV", &error), RESULT_OK);
	assert_content(done, "x.csv.reason.txt", "another reason\n");
	assert_content(done, "x.csv", NULL);
}

Test(retire, a_rejected_file_and_its_reason_keep_together_when_the_name_is_taken)
{
	char *taken = scratch_path(done, "x.csv");
	scratch_write(taken, "theirs");
	cr_assert_eq(retire_reject(&group, &file, done, "why", &error), RESULT_OK);
	assert_content(done, "x.csv", "theirs");
	assert_content(done, "x.csv.reason.txt", NULL);
	char name[80];
	char id[ID_TEXT_MAX];
	id_text(id, file.delivery);
	snprintf(name, sizeof name, "%s-x.csv.reason.txt", id);
	assert_content(done, name, "why\n");
	free(taken);
}

Test(retire, names_of_255_bytes_can_be_rejected)
{
	char long_name[256];
	memset(long_name, 'n', 255);
	long_name[255] = '\0';
	char *path = scratch_path(drop, long_name);
	cr_assert_eq(rename(dropped, path), 0);
	file.path = path;
	cr_assert_eq(retire_reject(&group, &file, done, "why", &error), RESULT_OK, "%s", error.message);
	assert_content(drop, long_name, NULL);
	free(path);
}

Test(retire, deleting_leaves_nothing_behind)
{
	cr_assert_eq(retire_delete(&group, &file, &error), RESULT_OK);
	assert_content(drop, "x.csv", NULL);
	cr_assert_eq(rmdir(drop), 0, "something was left in the drop directory");
}

/* As a kill leaves it between putting the file aside and removing it. */
static char *put_aside(const char *path)
{
	char name[64];
	char id[ID_TEXT_MAX];
	id_text(id, file.delivery);
	snprintf(name, sizeof name, ".%s.delete", id);
	char *aside = scratch_path(drop, name);
	cr_assert_eq(rename(path, aside), 0);
	struct id found;
	cr_assert(retire_is_aside(name, &found) && id_equal(found, file.delivery), "%s", name);
	return aside;
}

Test(retire, a_deletion_that_was_cut_off_is_finished)
{
	char *aside = put_aside(dropped);
	cr_assert_eq(retire_delete(&group, &file, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(rmdir(drop), 0, "something was left in the drop directory");
	cr_assert_eq(mkdir(drop, 0755), 0);
	free(aside);
}

Test(retire, another_file_that_was_put_aside_comes_back)
{
	char *other = scratch_path(drop, "other");
	scratch_write(other, "a newer file");
	cr_assert_eq(unlink(dropped), 0);
	char *aside = put_aside(other);
	cr_assert_eq(retire_delete(&group, &file, &error), RESULT_CHANGED);
	assert_content(drop, "x.csv", "a newer file");
	cr_assert_neq(access(aside, F_OK), 0);
	free(aside);
	free(other);
}

Test(retire, other_hidden_names_are_nobodys_asides)
{
	struct id id;
	cr_assert_not(retire_is_aside(".0123.delete", &id));
	cr_assert_not(retire_is_aside(".0123456789abcdef0123456789abcdeg.delete", &id));
	cr_assert_not(retire_is_aside("0123456789abcdef0123456789abcdef.delete", &id));
	cr_assert_not(retire_is_aside(".0123456789abcdef0123456789abcdef.deleted", &id));
}

Test(retire, files_of_a_group_share_the_sync_of_their_directories)
{
	struct retire_file files[10];
	for (size_t i = 0; i < 10; i++) {
		char name[16];
		snprintf(name, sizeof name, "%zu.csv", i);
		char *path = scratch_path(drop, name);
		scratch_write(path, "mine");
		struct stat status;
		cr_assert_eq(stat(path, &status), 0);
		files[i] = (struct retire_file){path, file_identity_of(&status), id_random()};
		cr_assert_eq(retire_move(&group, &files[i], done, &error), RESULT_OK);
		free(path);
	}
	cr_assert_eq(group.count, 2, "%zu directories to sync", group.count);
}

Test(retire, a_directory_that_cannot_be_synced_is_an_error_that_names_it)
{
	cr_assert_eq(retire_move(&group, &file, done, &error), RESULT_OK);
	char *moved = scratch_path(done, "x.csv");
	cr_assert_eq(unlink(moved), 0);
	cr_assert_eq(rmdir(done), 0);
	cr_assert_neq(retire_settle(&group, &error), RESULT_OK);
	cr_assert_not_null(strstr(error.message, done), "%s", error.message);
	cr_assert_eq(group.count, 0, "a failed group is not emptied");
	free(moved);
}

Test(retire, only_regular_files_past_their_time_are_expired)
{
	char *directory = scratch_path(drop, "subdirectory");
	cr_assert_eq(mkdir(directory, 0755), 0);
	int64_t now = clock_wall_ns();
	cr_assert_eq(retire_expire(drop, 3600000000000, now, &error), RESULT_OK);
	assert_content(drop, "x.csv", "mine");
	cr_assert_eq(retire_expire(drop, 3600000000000, now + 3700000000000, &error), RESULT_OK);
	assert_content(drop, "x.csv", NULL);
	cr_assert_eq(access(directory, F_OK), 0);
	free(directory);
}
