// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scratch.h"
#include "store/digest.h"
#include "store/local.h"

static struct error error;
static char *root;
static char *directory; /* of the store */
static struct store *store;

static void set_up(void)
{
	root = scratch_make();
	directory = scratch_path(root, "backup");
	cr_assert_eq(local_open(&store, directory, &error), RESULT_OK);
}

static void tear_down(void)
{
	store->interface->close(store);
	free(directory);
	scratch_remove(root);
}

TestSuite(local, .init = set_up, .fini = tear_down);

static enum result put(const char *name, const char *text)
{
	char *path = scratch_path(root, "file");
	scratch_write(path, text);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	struct digest_range whole = {.fd = fd, .length = strlen(text)};
	uint8_t sha256[STORE_SHA256_SIZE];
	cr_assert_eq(digest_sha256(sha256, &whole, &error), RESULT_OK);
	struct store_put what = {name, fd, whole.length, sha256, false};
	enum result result = store->interface->put(store, &what, &error);
	close(fd);
	free(path);
	return result;
}

static void expect(const char *name, const char *text)
{
	char *path = scratch_path(directory, name);
	char *found = scratch_read(path);
	cr_assert_not_null(found, "there is no '%s'", name);
	cr_assert_str_eq(found, text);
	free(found);
	free(path);
}

static void remove_store(void)
{
	char *moved = scratch_path(root, "away");
	cr_assert_eq(rename(directory, moved), 0);
	free(moved);
}

Test(local, objects_lie_under_their_names)
{
	cr_assert_eq(put("t/rows/one", "1"), RESULT_OK, "%s", error.message);
	cr_assert_eq(put("t/rows/two", "2"), RESULT_OK, "%s", error.message);
	cr_assert_eq(put("t/raw/one", "3"), RESULT_OK, "%s", error.message);
	cr_assert_eq(store->interface->flush(store, &error), RESULT_OK, "%s", error.message);
	expect("t/rows/one", "1");
	expect("t/rows/two", "2");
	expect("t/raw/one", "3");
}

Test(local, a_directory_that_went_away_is_made_again)
{
	cr_assert_eq(put("t/rows/one", "1"), RESULT_OK, "%s", error.message);
	cr_assert_eq(store->interface->flush(store, &error), RESULT_OK, "%s", error.message);
	remove_store();
	cr_assert_eq(put("t/rows/two", "2"), RESULT_OK, "%s", error.message);
	cr_assert_eq(put("t/raw/one", "3"), RESULT_OK, "%s", error.message);
	cr_assert_eq(store->interface->flush(store, &error), RESULT_OK, "%s", error.message);
	expect("t/rows/two", "2");
	expect("t/raw/one", "3");
}

Test(local, what_cannot_be_synced_is_said)
{
	cr_assert_eq(put("t/rows/one", "1"), RESULT_OK, "%s", error.message);
	remove_store();
	cr_assert_neq(store->interface->flush(store, &error), RESULT_OK);
	cr_assert_eq(put("t/rows/one", "1"), RESULT_OK, "%s", error.message);
	cr_assert_eq(store->interface->flush(store, &error), RESULT_OK, "%s", error.message);
	expect("t/rows/one", "1");
}
