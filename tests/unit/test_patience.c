// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "fetch/patience.h"

static const int64_t SECOND = 1000000000;
static const int64_t NOW = INT64_C(1795548010) * 1000000000; /* Tue, 24 Nov 2026 19:20:10 GMT */

Test(patience, the_wish_of_the_server_is_taken_up_to_a_day)
{
	cr_assert_eq(patience_after("120", 9, NOW), 120 * SECOND);
	cr_assert_eq(patience_after("0", 9, NOW), 0);
	cr_assert_eq(patience_after("99999999999999999999", 1, NOW), 86400 * SECOND);
	cr_assert_eq(patience_after("Tue, 24 Nov 2026 19:21:10 GMT", 1, NOW), 60 * SECOND);
	cr_assert_eq(patience_after("Tuesday, 24-Nov-26 19:21:10 GMT", 1, NOW), 60 * SECOND);
	cr_assert_eq(patience_after("Tue, 24 Nov 2020 19:21:10 GMT", 1, NOW), 0);
	cr_assert_eq(patience_after("Tue, 24 Nov 2030 19:21:10 GMT", 1, NOW), 86400 * SECOND);
}

Test(patience, without_a_wish_that_makes_sense_it_doubles_from_a_minute_to_a_day)
{
	static const char *const wishes[] = {"", "soon", "-5", "1.5", "12 monkeys"};
	for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
		for (unsigned failures = 1; failures < 40; failures++) {
			int64_t whole = failures > 11 ? 86400 * SECOND : 60 * SECOND << (failures - 1);
			if (whole > 86400 * SECOND)
				whole = 86400 * SECOND;
			int64_t wait = patience_after(wishes[i], failures, NOW);
			cr_assert_geq(wait, whole / 2, "%s %u", wishes[i], failures);
			cr_assert_leq(wait, whole, "%s %u", wishes[i], failures);
		}
	}
	cr_assert_eq(patience_after("2026", 1, NOW), 2026 * SECOND);
}

Test(patience, waits_are_spread)
{
	int64_t first = patience_after("", 5, NOW);
	int same = 0;
	for (int i = 0; i < 20; i++)
		same += patience_after("", 5, NOW) == first;
	cr_assert_lt(same, 20);
}
