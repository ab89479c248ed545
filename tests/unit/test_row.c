// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "schema/row.h"

static struct slice row_of(const struct buffer *buffer)
{
	return (struct slice){buffer->data, buffer->length};
}

static void append(struct buffer *row, uint32_t ordinal, struct slice text)
{
	cr_assert_eq(row_append(row, ordinal, text), RESULT_OK);
}

static bool is_whole_row(struct slice row)
{
	size_t position = 0;
	struct row_cell cell;
	while (row_next(row, &position, &cell))
		;
	return position == row.length;
}

Test(row, cells_read_back_as_they_were_appended)
{
	static const size_t lengths[] = {0, 1, 127, 128, 300, 16383, 16384, 70000};
	static const uint32_t ordinals[] = {1, 2, 127, 128, 16384, 1u << 21, 1u << 28, UINT32_MAX};
	char *text = malloc(70000);
	memset(text, 'x', 70000);
	struct buffer row = {0};
	for (size_t i = 0; i < 8; i++)
		append(&row, ordinals[i], (struct slice){text, lengths[i]});
	size_t position = 0;
	struct row_cell cell;
	for (size_t i = 0; i < 8; i++) {
		cr_assert(row_next(row_of(&row), &position, &cell));
		cr_expect_eq(cell.ordinal, ordinals[i]);
		cr_expect(slice_equal(cell.text, (struct slice){text, lengths[i]}));
	}
	cr_expect_not(row_next(row_of(&row), &position, &cell));
	cr_expect_eq(position, row.length);
	buffer_free(&row);
	free(text);
}

Test(row, canonical_form_is_ordinal_length_text)
{
	struct buffer row = {0};
	append(&row, 1, SLICE("ab"));
	append(&row, 300, SLICE("c"));
	cr_expect(slice_equal(row_of(&row), SLICE("\x01\x02"
	                                          "ab"
	                                          "\xac\x02\x01"
	                                          "c")));
	buffer_free(&row);
}

Test(row, damaged_rows_stop_short_of_their_end)
{
	static const struct slice damaged[] = {
	    SLICE("\x01"), /* no length */
	    SLICE("\x01\x02"
	          "a"), /* text cut off */
	    SLICE("\x00\x01"
	          "a"), /* ordinal 0 */
	    SLICE("\x81\x00\x01"
	          "a"), /* ordinal longer than it needs to be */
	    SLICE("\x01\x81\x00"
	          "a"),    /* length longer than it needs to be */
	    SLICE("\x80"), /* number cut off */
	    SLICE("\x80\x80\x80\x80\x10\x01"
	          "a"), /* ordinal beyond 32 bits */
	    SLICE("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
	          "a"), /* length of 2^64 - 1 */
	    SLICE("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"
	          "a"), /* length beyond 64 bits */
	    SLICE("\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"
	          "a"), /* endless number */
	};
	for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++)
		cr_expect_not(is_whole_row(damaged[i]), "%zu", i);
}

Test(row, no_bytes_whatever_are_read_beyond_the_row)
{
	unsigned seed = 1;
	for (int i = 0; i < 200000; i++) {
		size_t length = (size_t)rand_r(&seed) % 24;
		char *bytes = malloc(length); /* of exactly that size, for the address sanitizer */
		for (size_t j = 0; j < length; j++)
			bytes[j] = (char)(rand_r(&seed) % 3 == 0 ? rand_r(&seed) : rand_r(&seed) % 4);
		size_t position = 0;
		struct row_cell cell;
		while (row_next((struct slice){bytes, length}, &position, &cell))
			cr_assert(cell.text.data + cell.text.length <= bytes + length);
		cr_assert_leq(position, length);
		free(bytes);
	}
}

Test(row, bytes_that_are_a_row_are_the_only_form_of_it)
{
	unsigned seed = 2;
	size_t whole = 0;
	for (int i = 0; i < 200000; i++) {
		char bytes[12];
		size_t length = (size_t)rand_r(&seed) % sizeof bytes;
		for (size_t j = 0; j < length; j++)
			bytes[j] =
			    (char)(rand_r(&seed) % 5 == 0 ? 0x80 | rand_r(&seed) % 4 : rand_r(&seed) % 4);
		struct buffer again = {0};
		size_t position = 0;
		struct row_cell cell;
		while (row_next((struct slice){bytes, length}, &position, &cell))
			append(&again, cell.ordinal, cell.text);
		cr_assert(slice_equal(row_of(&again), (struct slice){bytes, position}));
		whole += position == length;
		buffer_free(&again);
	}
	cr_assert_gt(whole, 1000);
}

Test(row, digest_is_siphash_2_4_128)
{
	/* vectors_sip128 of the reference implementation: key 00..0f, inputs of 0 and 1 bytes */
	uint8_t key[ROW_KEY_SIZE];
	for (uint8_t i = 0; i < sizeof key; i++)
		key[i] = i;
	struct row_digest empty = row_digest(SLICE(""), key);
	cr_expect_eq(empty.hi, UINT64_C(0xe6a825ba047f81a3));
	cr_expect_eq(empty.lo, UINT64_C(0x930255c71472f66d));
	struct row_digest one = row_digest(SLICE("\0"), key);
	cr_expect_eq(one.hi, UINT64_C(0x44af996bd8c187da));
	cr_expect_eq(one.lo, UINT64_C(0x45fc229b11597634));
}

Test(row, key_depends_on_secret_and_dataset_and_on_nothing_else)
{
	uint8_t secret[32] = {1, 2, 3};
	uint8_t other_secret[32] = {1, 2, 4};
	uint8_t first[ROW_KEY_SIZE], again[ROW_KEY_SIZE], other[ROW_KEY_SIZE];
	row_derive_key(first, secret, "cards");
	row_derive_key(again, secret, "cards");
	cr_expect_arr_eq(first, again, sizeof first);
	row_derive_key(other, secret, "card");
	cr_expect_arr_neq(first, other, sizeof first);
	row_derive_key(other, other_secret, "cards");
	cr_expect_arr_neq(first, other, sizeof first);
}

Test(row, key_is_the_documented_hash)
{
	static const char message[] = "rowsieve row\0cards";
	uint8_t secret[32];
	memset(secret, 0x5a, sizeof secret);
	uint8_t key[ROW_KEY_SIZE], expected[ROW_KEY_SIZE];
	row_derive_key(key, secret, "cards");
	crypto_generichash(expected, sizeof expected, (const unsigned char *)message, sizeof message - 1,
	                   secret, sizeof secret);
	cr_expect_arr_eq(key, expected, sizeof key);
}
