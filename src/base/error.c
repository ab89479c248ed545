// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistr.h>

/* Bytes of the well-formed, printable character at `text`, or 0 where the byte must be shown as \xNN. */
static size_t printable_length(const char *text, size_t left)
{
	unsigned char first = (unsigned char)*text;
	if (first < 0x80)
		return first >= 0x20 && first != 0x7f ? 1 : 0;
	ucs4_t character;
	int length = u8_mbtoucr(&character, (const uint8_t *)text, left);
	if (length <= 0 || (character >= 0x80 && character < 0xa0) || character == 0x2028 ||
	    character == 0x2029)
		return 0;
	return (size_t)length;
}

void error_quote(char *out, unsigned long size, const char *text)
{
	size_t left = strlen(text);
	size_t used = 0;
	while (left > 0) {
		size_t length = printable_length(text, left);
		size_t needed = length > 0 ? length : 4;
		if (used + needed >= size)
			break;
		if (length > 0)
			memcpy(out + used, text, length);
		else
			snprintf(out + used, size - used, "\\x%02x", (unsigned char)*text);
		used += needed;
		size_t step = length > 0 ? length : 1;
		text += step;
		left -= step;
	}
	out[used] = '\0';
}

static void format_quoted(char *out, size_t size, const char *format, va_list arguments)
{
	char plain[ERROR_MESSAGE_MAX];
	vsnprintf(plain, sizeof plain, format, arguments);
	error_quote(out, size, plain);
}

enum result error_set(struct error *error, enum result result, const char *format, ...)
{
	if (error == NULL)
		return result;
	va_list arguments;
	va_start(arguments, format);
	format_quoted(error->message, sizeof error->message, format, arguments);
	va_end(arguments);
	error->result = result;
	error->hint[0] = '\0';
	return result;
}

enum result error_set_errno(struct error *error, enum result result, const char *format, ...)
{
	int number = errno;
	if (number == ENOSPC || number == EDQUOT)
		result = RESULT_NO_SPACE;
	else if (number == ENOMEM)
		result = RESULT_NO_MEMORY;
	if (error == NULL)
		return result;
	char subject[ERROR_MESSAGE_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(subject, sizeof subject, format, arguments);
	va_end(arguments);
	return error_set(error, result, "%s: %s", subject, strerrordesc_np(number));
}

enum result error_wrap(struct error *error, const char *format, ...)
{
	char context[ERROR_MESSAGE_MAX];
	va_list arguments;
	va_start(arguments, format);
	format_quoted(context, sizeof context, format, arguments);
	va_end(arguments);

	char inner[ERROR_MESSAGE_MAX];
	memcpy(inner, error->message, sizeof inner);
	char joined[2 * ERROR_MESSAGE_MAX + 2];
	snprintf(joined, sizeof joined, "%s: %s", context, inner);
	error_quote(error->message, sizeof error->message, joined);
	return error->result;
}

void error_hint(struct error *error, const char *format, ...)
{
	if (error == NULL)
		return;
	va_list arguments;
	va_start(arguments, format);
	format_quoted(error->hint, sizeof error->hint, format, arguments);
	va_end(arguments);
}

int error_exit_status(enum result result)
{
	switch (result) {
	case RESULT_OK:
	case RESULT_END:
	case RESULT_STOPPED:
		return 0;
	case RESULT_USAGE:
		return 64;
	case RESULT_CONFIG:
		return 78;
	case RESULT_UNREACHABLE:
	case RESULT_UNKNOWN:
		return 69;
	case RESULT_STATE:
	case RESULT_NO_SPACE:
		return 73;
	case RESULT_HELD:
		return 75;
	case RESULT_INVALID:
	case RESULT_CHANGED:
	case RESULT_IO:
	case RESULT_NO_MEMORY:
	case RESULT_REFUSED:
	case RESULT_AGAIN:
	case RESULT_DISAGREES:
		return 1;
	}
	return 1;
}
