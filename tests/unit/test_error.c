// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"

Test(error, quoting_leaves_no_control_byte_and_no_invalid_utf8)
{
	char out[128];
	error_quote(out, sizeof out, "a\nb\x1b[31m\xff\xc3\xa9\x7f");
	cr_assert_str_eq(out, "a\\x0ab\\x1b[31m\\xff\xc3\xa9\\x7f");
}

Test(error, quoting_shows_unicode_controls_and_line_separators_as_bytes)
{
	char out[64];
	error_quote(out, sizeof out, "\xc2\x85|\xe2\x80\xa8");
	cr_assert_str_eq(out, "\\xc2\\x85|\\xe2\\x80\\xa8");
}

Test(error, quoting_never_cuts_a_character_and_always_terminates)
{
	for (unsigned long size = 1; size < 12; size++) {
		char out[16];
		memset(out, 'x', sizeof out);
		error_quote(out, size, "\xc3\xa9\xc3\xa9\n\xc3\xa9");
		cr_assert_lt(strlen(out), size);
		cr_assert_neq(out[strlen(out) - (strlen(out) > 0)], '\xc3', "a character was cut at size %lu",
		              size);
	}
}

Test(error, messages_are_one_line_whatever_the_file_is_called)
{
	struct error error;
	cr_assert_eq(error_set(&error, RESULT_IO, "'%s': cannot open", "evil\nname"), RESULT_IO);
	cr_assert_null(strchr(error.message, '\n'));
	cr_assert_str_eq(error.message, "'evil\\x0aname': cannot open");
}

Test(error, wrapping_keeps_result_and_hint)
{
	struct error error;
	error_set(&error, RESULT_CONFIG, "inner");
	error_hint(&error, "do this");
	cr_assert_eq(error_wrap(&error, "outer"), RESULT_CONFIG);
	cr_assert_str_eq(error.message, "outer: inner");
	cr_assert_str_eq(error.hint, "do this");
}

Test(error, a_new_message_drops_the_old_hint)
{
	struct error error;
	error_set(&error, RESULT_CONFIG, "first");
	error_hint(&error, "stale");
	error_set(&error, RESULT_IO, "second");
	cr_assert_str_empty(error.hint);
}

Test(error, a_full_disk_is_told_from_other_failures)
{
	struct error error;
	errno = ENOSPC;
	cr_assert_eq(error_set_errno(&error, RESULT_IO, "write"), RESULT_NO_SPACE);
	errno = EACCES;
	cr_assert_eq(error_set_errno(&error, RESULT_IO, "write"), RESULT_IO);
}

Test(error, exit_statuses_are_those_of_the_manual)
{
	cr_assert_eq(error_exit_status(RESULT_OK), 0);
	cr_assert_eq(error_exit_status(RESULT_INVALID), 1);
	cr_assert_eq(error_exit_status(RESULT_USAGE), 64);
	cr_assert_eq(error_exit_status(RESULT_UNREACHABLE), 69);
	cr_assert_eq(error_exit_status(RESULT_STATE), 73);
	cr_assert_eq(error_exit_status(RESULT_HELD), 75);
	cr_assert_eq(error_exit_status(RESULT_CONFIG), 78);
}
