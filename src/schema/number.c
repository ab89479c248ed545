// SPDX-License-Identifier: Apache-2.0
#include "schema/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LC_NUMERIC is the program's own: it never sets another than "C". */

struct writing {
	const char *at, *end;
	char *out;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_at(const struct writing *writing, char wanted)
{
	return wanted != '\0' && writing->at < writing->end && *writing->at == wanted;
}

static size_t copy_digits(struct writing *writing)
{
	const char *begin = writing->at;
	while (writing->at < writing->end && is_digit(*writing->at))
		*writing->out++ = *writing->at++;
	return (size_t)(writing->at - begin);
}

/* Digits before the point. False: their groups are none. */
static bool copy_groups(struct writing *writing, char separator, size_t *digits)
{
	size_t group = *digits = copy_digits(writing);
	bool is_grouped = false;
	while (group > 0 && is_at(writing, separator)) {
		if (group > 3 || (is_grouped && group < 2))
			return false;
		is_grouped = true;
		writing->at++;
		group = copy_digits(writing);
		*digits += group;
	}
	return !is_grouped || group == 3;
}

/* 007 to 7; without a digit before the point one is put there. */
static void drop_zeros(struct writing *writing, size_t digits)
{
	char *first = writing->out - digits;
	size_t zeros = 0;
	while (zeros + 1 < digits && first[zeros] == '0')
		zeros++;
	memmove(first, first + zeros, digits - zeros);
	writing->out -= zeros;
	if (digits == 0)
		*writing->out++ = '0';
}

static bool copy_exponent(struct writing *writing)
{
	*writing->out++ = *writing->at++;
	if (is_at(writing, '+') || is_at(writing, '-'))
		*writing->out++ = *writing->at++;
	return copy_digits(writing) > 0;
}

size_t number_plain(char text[NUMBER_TEXT_MAX], const struct type_reading *reading, struct slice field)
{
	struct writing writing = {field.data, field.data + field.length, text};
	size_t digits, fraction = 0;
	if (field.length >= NUMBER_TEXT_MAX)
		return 0;
	if (is_at(&writing, '-'))
		*writing.out++ = *writing.at++;
	else if (reading->is_loose && is_at(&writing, '+'))
		writing.at++;
	if (!copy_groups(&writing, reading->thousands, &digits))
		return 0;
	if (reading->is_loose)
		drop_zeros(&writing, digits);
	if (is_at(&writing, reading->decimal != '\0' ? reading->decimal : '.')) {
		writing.at++;
		*writing.out++ = '.';
		fraction = copy_digits(&writing);
		if (fraction == 0) {
			if (!reading->is_loose)
				return 0;
			writing.out--;
		}
	}
	if (digits + fraction == 0)
		return 0;
	if ((is_at(&writing, 'e') || is_at(&writing, 'E')) && !copy_exponent(&writing))
		return 0;
	return writing.at == writing.end ? (size_t)(writing.out - text) : 0;
}

size_t number_real_text(char text[NUMBER_REAL_MAX], double value)
{
	enum { LEAST_DIGITS = 15, MOST_DIGITS = 17 };
	if (value == 0) {
		text[0] = '0';
		return 1;
	}
	int length = 0;
	for (int digits = LEAST_DIGITS; digits <= MOST_DIGITS; digits++) {
		length = snprintf(text, NUMBER_REAL_MAX, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return (size_t)length;
}

size_t number_real(char text[NUMBER_REAL_MAX], struct slice plain)
{
	char copy[NUMBER_TEXT_MAX];
	char *end;
	/* strtod() takes more than numbers: these begin with a digit behind the sign and hold no 'x'. */
	size_t sign = plain.length > 0 && *plain.data == '-';
	if (plain.length >= sizeof copy || sign >= plain.length || !is_digit(plain.data[sign]))
		return 0;
	memcpy(copy, plain.data, plain.length);
	copy[plain.length] = '\0';
	double value = strtod(copy, &end);
	if (*end != '\0' || end != copy + plain.length || !isfinite(value) || strchr(copy, 'x') != NULL ||
	    strchr(copy, 'X') != NULL)
		return 0;
	return number_real_text(text, value);
}
