// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fetch/checksum.h"
#include "scratch.h"

static struct error error;

Test(checksum, crc32c_is_that_of_the_standard)
{
	cr_assert_eq(checksum_crc32c(0, SLICE("123456789")), 0xe3069283);
	cr_assert_eq(checksum_crc32c(checksum_crc32c(0, SLICE("1234")), SLICE("56789")), 0xe3069283);
	cr_assert_eq(checksum_crc32c(0, SLICE("")), 0);
}

static enum result verify(const char *content, struct remote_identity identity)
{
	char *root = scratch_make();
	char *path = scratch_path(root, "file");
	scratch_write(path, content);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum result result = checksum_verify(fd, path, &identity, &error);
	close(fd);
	free(path);
	scratch_remove(root);
	return result;
}

Test(checksum, length_md5_and_crc32c_must_be_those_announced)
{
	const char *right = "123456789";
	const struct remote_identity md5 = {.total = 9, .md5 = "JfnnlDI7RTiF9RgfG2JNCw=="};
	const struct remote_identity crc = {.total = -1, .crc32c = "4waSgw=="};
	cr_assert_eq(verify(right, md5), RESULT_OK, "%s", error.message);
	cr_assert_eq(verify(right, crc), RESULT_OK, "%s", error.message);
	cr_assert_eq(verify(right, (struct remote_identity){.total = -1}), RESULT_OK);
	cr_assert_eq(verify("123456780", md5), RESULT_CHANGED);
	cr_assert_eq(verify("123456780", crc), RESULT_CHANGED);
	cr_assert_eq(verify(right, (struct remote_identity){.total = 8}), RESULT_CHANGED);
	cr_assert_eq(verify(right, (struct remote_identity){.total = -1, .md5 = "nonsense"}), RESULT_CHANGED);
}

Test(checksum, only_a_checksum_tells_bytes_from_others)
{
	const struct remote_identity etag = {.total = 9, .etag = "x", .modified = "y"};
	const struct remote_identity crc = {.total = -1, .crc32c = "x"};
	cr_assert_not(checksum_is_known(&etag));
	cr_assert(checksum_is_known(&crc));
}
