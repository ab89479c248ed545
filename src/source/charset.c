// SPDX-License-Identifier: Apache-2.0
#include "source/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CUT_MAX = 16, SINGLES = 256, ASCII = 128 };

struct charset {
	iconv_t iconv;
	bool is_wide;
	size_t unit; /* bytes of its smallest character */
	struct {
		uint8_t length;
		char text[CHARSET_GROWTH];
	} singles[SINGLES]; /* where it is not wide */
	char cut[CUT_MAX];  /* the beginning of a character whose end has not come yet */
	size_t cut_length;
};

static bool is_utf8(const char *name)
{
	return strcasecmp(name, "utf-8") == 0 || strcasecmp(name, "utf8") == 0 ||
	       strcasecmp(name, "ascii") == 0 || strcasecmp(name, "us-ascii") == 0;
}

/* One byte by itself: false when it is only the beginning of a character, or ends a shift. */
static bool fill_single(struct charset *charset, unsigned byte)
{
	char from = (char)byte;
	char *in = &from, *out = charset->singles[byte].text;
	size_t in_left = 1, out_left = CHARSET_GROWTH;
	iconv(charset->iconv, NULL, NULL, NULL, NULL);
	if (iconv(charset->iconv, &in, &in_left, &out, &out_left) == (size_t)-1) {
		if (errno != EILSEQ)
			return false;
		*out++ = CHARSET_INVALID;
		out_left--;
	}
	charset->singles[byte].length = (uint8_t)(CHARSET_GROWTH - out_left);
	return charset->singles[byte].length > 0;
}

/* Byte by byte, and ASCII as it is? */
static bool fill_singles(struct charset *charset)
{
	for (unsigned byte = 0; byte < SINGLES; byte++) {
		if (!fill_single(charset, byte))
			return false;
		bool is_itself =
		    charset->singles[byte].length == 1 && charset->singles[byte].text[0] == (char)byte;
		if (byte < ASCII && !is_itself)
			return false;
	}
	return true;
}

/* What "A" takes in it, whatever mark an encoder puts in front. */
static size_t find_unit(const char *name)
{
	iconv_t iconv_back = iconv_open(name, "UTF-8");
	size_t lengths[2] = {0, 1};
	for (size_t i = 0; iconv_back != (iconv_t)-1 && i < 2; i++) {
		char bytes[CUT_MAX], letters[] = "AA", *in = letters, *out = bytes;
		size_t left = i + 1, room = sizeof bytes;
		iconv(iconv_back, NULL, NULL, NULL, NULL);
		iconv(iconv_back, &in, &left, &out, &room);
		lengths[i] = sizeof bytes - room;
	}
	if (iconv_back != (iconv_t)-1)
		iconv_close(iconv_back);
	return lengths[1] > lengths[0] ? lengths[1] - lengths[0] : 1;
}

enum result charset_open(struct charset **out, const char *name, struct error *error)
{
	*out = NULL;
	if (is_utf8(name))
		return RESULT_OK;
	struct charset *charset = calloc(1, sizeof *charset);
	if (charset == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	charset->iconv = iconv_open("UTF-8", name);
	if (charset->iconv == (iconv_t)-1) {
		free(charset);
		return error_set(error, RESULT_CONFIG, "encoding '%s' is unknown (iconv -l lists them)",
		                 name);
	}
	charset->unit = find_unit(name);
	charset->is_wide = !fill_singles(charset);
	iconv(charset->iconv, NULL, NULL, NULL, NULL);
	*out = charset;
	return RESULT_OK;
}

void charset_close(struct charset *charset)
{
	if (charset == NULL)
		return;
	iconv_close(charset->iconv);
	free(charset);
}

bool charset_is_wide(const struct charset *charset)
{
	return charset != NULL && charset->is_wide;
}

size_t charset_decode(const struct charset *charset, struct slice field, char *out)
{
	char *at = out;
	for (size_t i = 0; i < field.length; i++) {
		unsigned char byte = (unsigned char)field.data[i];
		memcpy(at, charset->singles[byte].text, CHARSET_GROWTH);
		at += charset->singles[byte].length;
	}
	return (size_t)(at - out);
}

bool charset_is_ascii(struct slice bytes)
{
	for (size_t i = 0; i < bytes.length; i++)
		if ((signed char)bytes.data[i] < 0)
			return false;
	return true;
}

enum result charset_decode_fields(const struct charset *charset, struct slice *fields, size_t count,
                                  struct buffer *out)
{
	size_t length = 0;
	for (size_t i = 0; i < count; i++)
		length += fields[i].length;
	out->length = 0;
	if (buffer_reserve(out, CHARSET_GROWTH * length + SLICE_SLACK) != RESULT_OK)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		char *text = out->data + out->length;
		fields[i] = (struct slice){text, charset_decode(charset, fields[i], text)};
		out->length += fields[i].length;
	}
	return RESULT_OK;
}

/* Converts what can be; *left is what is cut at the end. There is room for all of it. */
static void convert(struct charset *charset, char **in, size_t *left, bool is_last, struct buffer *out)
{
	char *to = out->data + out->length;
	size_t room = out->capacity - out->length;
	while (*left > 0 && iconv(charset->iconv, in, left, &to, &room) == (size_t)-1) {
		if (errno == EINVAL && !is_last)
			break;
		size_t skipped = charset->unit < *left ? charset->unit : *left;
		*to++ = CHARSET_INVALID;
		room--;
		*in += skipped;
		*left -= skipped;
	}
	out->length = (size_t)(to - out->data);
}

enum result charset_feed(struct charset *charset, struct slice bytes, bool is_last, struct buffer *out,
                         struct error *error)
{
	struct buffer joined = {0};
	enum result result = buffer_append(&joined, charset->cut, charset->cut_length);
	if (result == RESULT_OK)
		result = buffer_append(&joined, bytes.data, bytes.length);
	if (result == RESULT_OK)
		result = buffer_reserve(out, CHARSET_GROWTH * (joined.length + 1));
	if (result != RESULT_OK) {
		buffer_free(&joined);
		return error_set(error, result, "out of memory");
	}
	char *in = joined.data;
	size_t left = joined.length;
	convert(charset, &in, &left, is_last, out);
	charset->cut_length = left < CUT_MAX ? left : CUT_MAX;
	memcpy(charset->cut, in, charset->cut_length);
	buffer_free(&joined);
	return RESULT_OK;
}

const char *charset_of_mark(struct slice head)
{
	static const struct {
		struct slice mark;
		const char *name;
	} marks[] = {
	    {SLICE("\xef\xbb\xbf"), "utf-8"}, {SLICE("\xff\xfe"), "utf-16"}, {SLICE("\xfe\xff"), "utf-16"}};
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
		if (head.length >= marks[i].mark.length &&
		    memcmp(head.data, marks[i].mark.data, marks[i].mark.length) == 0)
			return marks[i].name;
	return NULL;
}
