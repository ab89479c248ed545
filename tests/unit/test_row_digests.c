// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "schema/row_digests.h"

enum { ROWS = 1000 };

static uint8_t key[ROW_KEY_SIZE];
static struct slice rows[ROWS];
static struct row_digest digests[ROWS];

/* Each row in a block of its own, so that the address sanitizer sees what is read beside it. */
static struct slice random_row(size_t length, unsigned *seed)
{
	char *bytes = malloc(length);
	for (size_t i = 0; i < length; i++)
		bytes[i] = (char)rand_r(seed);
	return (struct slice){bytes, length};
}

static void make_rows(size_t count, size_t (*length_of)(size_t i, unsigned *seed), unsigned seed)
{
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)rand_r(&seed);
	for (size_t i = 0; i < count; i++)
		rows[i] = random_row(length_of(i, &seed), &seed);
}

static void drop_rows(size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((void *)rows[i].data);
}

/* libsodium says what the digest is. */
static void expect_digests(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct row_digest expected;
		crypto_shorthash_siphashx24((unsigned char *)&expected, (const unsigned char *)rows[i].data,
		                            rows[i].length, key);
		expected.hi = le64toh(expected.hi);
		expected.lo = le64toh(expected.lo);
		cr_assert(digests[i].hi == expected.hi && digests[i].lo == expected.lo,
		          "row %zu of %zu, %zu bytes", i, count, rows[i].length);
	}
}

static void check(size_t count, size_t (*length_of)(size_t i, unsigned *seed), unsigned seed)
{
	make_rows(count, length_of, seed);
	for (int kind = ROW_DIGESTS_SCALAR; kind <= ROW_DIGESTS_AVX512; kind++) {
		memset(digests, 0, sizeof digests);
		if (row_digests_by((enum row_digests_kind)kind, rows, count, key, digests))
			expect_digests(count);
	}
	memset(digests, 0, sizeof digests);
	row_digests(rows, count, key, digests);
	expect_digests(count);
	drop_rows(count);
}

static size_t as_place(size_t i, unsigned *seed)
{
	(void)seed;
	return i;
}

static size_t about_sixty(size_t i, unsigned *seed)
{
	(void)i;
	return 50 + (size_t)rand_r(seed) % 20;
}

static size_t mostly_short(size_t i, unsigned *seed)
{
	(void)i;
	return (size_t)rand_r(seed) % (rand_r(seed) % 50 == 0 ? 5000 : 40);
}

Test(row_digests, every_length_gives_what_libsodium_gives)
{
	check(ROWS, as_place, 1);
}

Test(row_digests, rows_of_like_lengths_give_what_libsodium_gives)
{
	for (unsigned seed = 0; seed < 10; seed++)
		check(ROWS, about_sixty, seed);
}

Test(row_digests, rows_of_unlike_lengths_give_what_libsodium_gives)
{
	for (unsigned seed = 0; seed < 10; seed++)
		check(ROWS, mostly_short, seed);
}

Test(row_digests, any_number_of_rows_is_fine)
{
	for (size_t count = 0; count <= 40; count++)
		check(count, mostly_short, (unsigned)count);
	for (size_t count = 250; count <= 270; count++)
		check(count, about_sixty, (unsigned)count);
}

Test(row_digests, empty_rows_may_be_nowhere)
{
	for (size_t i = 0; i < 9; i++)
		rows[i] = (struct slice){NULL, 0};
	row_digests(rows, 9, key, digests);
	expect_digests(9);
}
