// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "scratch.h"

static char *root;
static struct error error;

static void setup(void)
{
	root = scratch_make();
}

static void teardown(void)
{
	scratch_remove(root);
}

TestSuite(file, .init = setup, .fini = teardown);

static struct file_identity identity_of(const char *path)
{
	struct stat status;
	cr_assert_eq(stat(path, &status), 0);
	return file_identity_of(&status);
}

Test(file, a_rename_keeps_the_content_identity)
{
	char *a = scratch_path(root, "a");
	char *b = scratch_path(root, "b");
	scratch_write(a, "text");
	struct file_identity before = identity_of(a);
	cr_assert(file_identity_equal(&before, &before));
	cr_assert_eq(rename(a, b), 0);
	struct file_identity after = identity_of(b);
	cr_assert(file_identity_same_content(&before, &after));
	free(a);
	free(b);
}

Test(file, another_file_of_the_same_size_is_another_identity)
{
	char *a = scratch_path(root, "a");
	char *b = scratch_path(root, "b");
	scratch_write(a, "text");
	scratch_write(b, "TEXT");
	struct file_identity first = identity_of(a);
	struct file_identity second = identity_of(b);
	cr_assert_not(file_identity_same_content(&first, &second));
	free(a);
	free(b);
}

Test(file, reading_stops_at_the_limit)
{
	char *path = scratch_path(root, "a");
	scratch_write(path, "0123456789");
	struct buffer out = {0};
	cr_assert_eq(file_read(path, 10, &out, &error), RESULT_OK);
	cr_assert_str_eq(out.data, "0123456789");
	cr_assert_eq(file_read(path, 9, &out, &error), RESULT_INVALID);
	buffer_free(&out);
	free(path);
}

Test(file, a_missing_file_is_named)
{
	struct buffer out = {0};
	cr_assert_eq(file_read("/no/such/file", 10, &out, &error), RESULT_IO);
	cr_assert_not_null(strstr(error.message, "'/no/such/file'"));
	buffer_free(&out);
}

Test(file, directories_are_made_with_their_parents_and_twice)
{
	char *path = scratch_path(root, "a/b/c");
	cr_assert_eq(file_make_directory(path, 0700, &error), RESULT_OK);
	cr_assert_eq(file_make_directory(path, 0700, &error), RESULT_OK);
	struct stat status;
	cr_assert_eq(stat(path, &status), 0);
	cr_assert_eq(status.st_mode & 0777, 0700);
	free(path);
}

Test(file, a_file_in_a_directorys_place_is_an_error)
{
	char *path = scratch_path(root, "a");
	scratch_write(path, "");
	cr_assert_eq(file_make_directory(path, 0700, &error), RESULT_IO);
	free(path);
}

Test(file, writing_to_a_full_device_is_told_as_such)
{
	int fd = open("/dev/full", O_WRONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(file_write_all(fd, "x", 1, "/dev/full", &error), RESULT_NO_SPACE);
	close(fd);
}
