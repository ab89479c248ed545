// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "schema/date_memo.h"

static const struct type_formats built_in = {0};

/* Through the memo and around it, with slack of such bytes. */
static void expect_same(struct date_memo *memo, struct slice field, char slack)
{
	char bytes[64 + SLICE_SLACK], text[DATE_TEXT_SIZE], expected[DATE_TEXT_SIZE];
	cr_assert_leq(field.length, 64);
	memset(bytes, slack, sizeof bytes);
	memcpy(bytes, field.data, field.length);
	size_t length = date_memo_canonical(memo, text, (struct slice){bytes, field.length}, &built_in);
	cr_assert_eq(length, date_canonical(expected, field, &built_in), "'%.*s'", (int)field.length,
	             field.data);
	cr_assert_eq(memcmp(text, expected, length), 0, "'%.*s'", (int)field.length, field.data);
}

Test(date_memo, says_of_a_field_the_same_however_often_it_comes_and_whatever_stands_behind_it)
{
	static const struct slice fields[] = {SLICE(""),
	                                      SLICE("1-Jan-15"),
	                                      SLICE("1-Jan-15\0"),
	                                      SLICE("1-Jan-155"),
	                                      SLICE("1-Jan-15 "),
	                                      SLICE("1-Jan-1"),
	                                      SLICE("30-Feb-15"),
	                                      SLICE("2014-10-29"),
	                                      SLICE("31/December/2014"),
	                                      SLICE("September 30, 2014"),
	                                      SLICE("\0\0\0\0\0\0\0\0\0")};
	struct date_memo *memo = date_memo_new();
	cr_assert_not_null(memo);
	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
			expect_same(memo, fields[i], "5\0x"[turn]);
	date_memo_free(memo);
}

Test(date_memo, tells_dates_apart_of_which_there_are_more_than_it_has_room_for)
{
	struct date_memo *memo = date_memo_new();
	cr_assert_not_null(memo);
	for (int turn = 0; turn < 2; turn++)
		for (int day = 0; day < 31 * 12 * 60; day++) {
			char text[32];
			int length =
			    sprintf(text, "%d-%02d-%02d", 1960 + day / 372, 1 + day / 31 % 12, 1 + day % 31);
			expect_same(memo, (struct slice){text, (size_t)length}, '1');
		}
	date_memo_free(memo);
}
