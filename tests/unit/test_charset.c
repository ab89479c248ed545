// SPDX-License-Identifier: Apache-2.0
#include "source/charset.h"

#include <criterion/criterion.h>
#include <string.h>

static struct charset *opened(const char *name)
{
	struct charset *charset;
	cr_assert_eq(charset_open(&charset, name, NULL), RESULT_OK, "%s", name);
	return charset;
}

Test(charset, needs_none_for_utf_8)
{
	cr_assert_null(opened("utf-8"));
	cr_assert_null(opened("UTF8"));
	cr_assert_null(opened("ascii"));
}

Test(charset, refuses_a_name_that_iconv_does_not_know)
{
	struct charset *charset;
	struct error error = {0};
	cr_assert_eq(charset_open(&charset, "latin-99", &error), RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, "latin-99"));
}

Test(charset, decodes_byte_by_byte_what_extends_ascii)
{
	static const struct {
		const char *name, *bytes, *text;
	} cases[] = {
	    {"latin1", "\xa3 \xe9", "\xc2\xa3 \xc3\xa9"},
	    {"windows-1252", "\x92\x81", "\xe2\x80\x99\xff"},
	    {"macintosh", "\x8e", "\xc3\xa9"},
	    {"windows-1251", "\xcf\xf0", "\xd0\x9f\xd1\x80"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct charset *charset = opened(cases[i].name);
		cr_assert_not(charset_is_wide(charset), "%s", cases[i].name);
		char out[64];
		size_t length = charset_decode(charset, slice_from_string(cases[i].bytes), out);
		cr_assert(slice_equal((struct slice){out, length}, slice_from_string(cases[i].text)), "%s",
		          cases[i].name);
		charset_close(charset);
	}
}

static void expect_stream(const char *name, struct slice bytes, const char *text)
{
	for (size_t piece = 1; piece <= bytes.length; piece++) {
		struct charset *charset = opened(name);
		cr_assert(charset_is_wide(charset), "%s", name);
		struct buffer out = {0};
		for (size_t at = 0; at < bytes.length; at += piece) {
			size_t left = bytes.length - at;
			struct slice part = {bytes.data + at, piece < left ? piece : left};
			cr_assert_eq(charset_feed(charset, part, false, &out, NULL), RESULT_OK);
		}
		cr_assert_eq(charset_feed(charset, SLICE(""), true, &out, NULL), RESULT_OK);
		cr_assert(slice_equal((struct slice){out.data, out.length}, slice_from_string(text)),
		          "%s in pieces of %zu: %.*s", name, piece, (int)out.length, out.data);
		buffer_free(&out);
		charset_close(charset);
	}
}

Test(charset, decodes_streams_in_pieces_of_any_size)
{
	expect_stream("utf-16",
	              SLICE("\xff\xfe"
	                    "a\0\xe9\0\x3d\xd8\x00\xde"),
	              "a\xc3\xa9\xf0\x9f\x98\x80");
	expect_stream("utf-16",
	              SLICE("\xfe\xff"
	                    "\0a\0,"),
	              "a,");
	expect_stream("utf-16le", SLICE("a\0\n\0"), "a\n");
	expect_stream("shift_jis", SLICE("\x83\x7c|"), "\xe3\x83\x9d|");
}

Test(charset, marks_what_has_no_meaning_and_goes_on_behind_it)
{
	expect_stream("utf-16le",
	              SLICE("a\0\x00\xdc"
	                    "b\0"),
	              "a\xff"
	              "b");
	expect_stream("utf-16le", SLICE("a\0b"), "a\xff");
}

Test(charset, knows_byte_order_marks)
{
	cr_assert_str_eq(charset_of_mark(SLICE("\xef\xbb\xbf"
	                                       "a")),
	                 "utf-8");
	cr_assert_str_eq(charset_of_mark(SLICE("\xff\xfe"
	                                       "a")),
	                 "utf-16");
	cr_assert_str_eq(charset_of_mark(SLICE("\xfe\xff")), "utf-16");
	cr_assert_null(charset_of_mark(SLICE("\xef\xbb")));
}
