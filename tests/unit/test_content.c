// SPDX-License-Identifier: Apache-2.0
#include "source/content.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t secret[32] = "a secret of thirty-two bytes ...";

static struct content *open_content(const uint8_t key[32])
{
	struct content *content = NULL;
	struct error error = {0};
	cr_assert_eq(content_open(&content, key, &error), RESULT_OK, "%s", error.message);
	return content;
}

static struct id finish(struct content *content)
{
	struct id digest = {0};
	struct error error = {0};
	cr_assert_eq(content_finish(content, &digest, &error), RESULT_OK, "%s", error.message);
	return digest;
}

/* The digest of bytes, fed in steps of `step`. */
static struct id digest_of(struct content *content, const char *bytes, size_t count, size_t step)
{
	content_reset(content);
	for (size_t at = 0; at < count; at += step) {
		size_t part = count - at < step ? count - at : step;
		cr_assert_eq(content_update(content, bytes + at, part, NULL), RESULT_OK);
	}
	return finish(content);
}

static char *sample(size_t count)
{
	char *bytes = malloc(count);
	cr_assert_not_null(bytes);
	for (size_t i = 0; i < count; i++)
		bytes[i] = (char)(i * 131 % 251);
	return bytes;
}

Test(content, does_not_depend_on_the_size_of_the_pieces)
{
	enum { COUNT = 70001 };
	char *bytes = sample(COUNT);
	struct content *content = open_content(secret);
	struct id whole = digest_of(content, bytes, COUNT, COUNT);
	static const size_t steps[] = {1, 15, 16, 17, 4096, CONTENT_HEAD_SIZE};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		cr_assert(id_equal(digest_of(content, bytes, COUNT, steps[i]), whole), "steps of %zu",
		          steps[i]);
	content_close(content);
	free(bytes);
}

Test(content, is_the_same_after_a_reset_as_in_a_new_context)
{
	struct content *used = open_content(secret);
	cr_assert_eq(content_update(used, "left over", 9, NULL), RESULT_OK);
	content_reset(used);
	cr_assert_eq(content_update(used, "id,name\n", 8, NULL), RESULT_OK);
	struct content *fresh = open_content(secret);
	cr_assert_eq(content_update(fresh, "id,name\n", 8, NULL), RESULT_OK);
	cr_assert(id_equal(finish(used), finish(fresh)));
	content_close(used);
	content_close(fresh);
}

Test(content, sees_every_changed_bit_and_the_length)
{
	char bytes[48] = {0};
	struct content *content = open_content(secret);
	struct id zeros = digest_of(content, bytes, sizeof(bytes), sizeof(bytes));
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] = (char)(1 << bit % 8);
		cr_assert_not(id_equal(digest_of(content, bytes, sizeof(bytes), sizeof(bytes)), zeros),
		              "bit %zu", bit);
		bytes[bit / 8] = 0;
	}
	for (size_t count = 0; count < sizeof(bytes); count++)
		cr_assert_not(id_equal(digest_of(content, bytes, count, sizeof(bytes)), zeros), "%zu bytes",
		              count);
	content_close(content);
}

Test(content, gives_the_empty_stream_a_digest)
{
	struct content *content = open_content(secret);
	struct id empty = finish(content);
	cr_assert_not(id_is_none(empty));
	content_reset(content);
	cr_assert(id_equal(finish(content), empty));
	content_close(content);
}

Test(content, depends_on_the_secret)
{
	uint8_t other[32];
	memcpy(other, secret, sizeof(other));
	other[31] ^= 1;
	struct content *one = open_content(secret);
	struct content *two = open_content(other);
	cr_assert_not(id_equal(digest_of(one, "a\n", 2, 2), digest_of(two, "a\n", 2, 2)));
	content_close(one);
	content_close(two);
}

/* Stored digests must be recognised by later versions: a changed derivation would forget every delivery. */
Test(content, stays_what_it_was)
{
	struct content *content = open_content(secret);
	char text[ID_TEXT_MAX];
	id_text(text, digest_of(content, "id,name\n1,x\n", 12, 12));
	cr_assert_str_eq(text, "526ceb4d95c1ffe9a9ed4cf52ab34ca3");
	content_close(content);
}
