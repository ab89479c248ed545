// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scratch.h"
#include "store/digest_ahead.h"

static struct error error;
static char *root;
static int fd;

static void set_up(void)
{
	root = scratch_make();
	char *path = scratch_path(root, "file");
	scratch_write(path, "0123456789");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	free(path);
}

static void tear_down(void)
{
	close(fd);
	scratch_remove(root);
}

TestSuite(digest_ahead, .init = set_up, .fini = tear_down);

static enum result make(const struct digest_range *range, struct digest_pair *out)
{
	struct digest_ahead *ahead;
	cr_assert_eq(digest_ahead_start(&ahead, range, &error), RESULT_OK);
	return digest_ahead_finish(ahead, out, &error);
}

Test(digest_ahead, makes_the_digests_of_the_stretch)
{
	struct digest_range range = {.fd = fd, .offset = 2, .length = 5};
	struct digest_pair expected;
	struct digest_pair made;
	cr_assert_eq(digest_both(&expected, &range, &error), RESULT_OK);
	cr_assert_eq(make(&range, &made), RESULT_OK);
	cr_assert_eq(memcmp(&made, &expected, sizeof made), 0);
}

Test(digest_ahead, stretches_in_order_make_the_digest_of_the_whole)
{
	EVP_MD_CTX *whole = EVP_MD_CTX_new();
	cr_assert_eq(EVP_DigestInit_ex(whole, EVP_sha256(), NULL), 1);
	struct digest_pair ignored;
	for (uint64_t offset = 0; offset < 10; offset += 5) {
		struct digest_range range = {.fd = fd, .offset = offset, .length = 5, .whole = whole};
		cr_assert_eq(make(&range, &ignored), RESULT_OK);
	}
	uint8_t made[STORE_SHA256_SIZE];
	uint8_t expected[STORE_SHA256_SIZE];
	cr_assert_eq(EVP_DigestFinal_ex(whole, made, NULL), 1);
	EVP_MD_CTX_free(whole);
	cr_assert_eq(digest_sha256_bytes(expected, "0123456789", 10, &error), RESULT_OK);
	cr_assert_eq(memcmp(made, expected, sizeof made), 0);
}

Test(digest_ahead, hands_on_what_failed)
{
	struct digest_pair made;
	cr_assert_eq(make(&(struct digest_range){.fd = fd, .offset = 2, .length = 9}, &made), RESULT_CHANGED);
	cr_assert_eq(error.result, RESULT_CHANGED);
	cr_assert_str_eq(error.message, "the file is shorter than it was");
}

Test(digest_ahead, is_stopped_by_the_flag)
{
	atomic_bool stop = true;
	struct digest_pair made;
	cr_assert_eq(make(&(struct digest_range){.fd = fd, .length = 10, .stop = &stop}, &made), RESULT_STOPPED);
}

Test(digest_ahead, may_be_dropped_before_it_ends)
{
	struct digest_ahead *ahead;
	struct digest_range range = {.fd = fd, .length = 10};
	cr_assert_eq(digest_ahead_start(&ahead, &range, &error), RESULT_OK);
	digest_ahead_drop(ahead);
	digest_ahead_drop(NULL);
}
