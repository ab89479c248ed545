// SPDX-License-Identifier: Apache-2.0
#include "schema/date_format.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistr.h>

enum { FORMATTED_FIELD_MAX = 127 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static locale_t english;

static void make_english(void)
{
	english = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (english == (locale_t)0)
		abort(); /* glibc's C locale is a static object */
}

/* Digits of a conversion that begins and ends with a number, 0 of any other. */
static int number_width(char conversion)
{
	switch (conversion) {
	case 'y':
	case 'm':
	case 'd':
	case 'e':
	case 'H':
	case 'I':
	case 'M':
	case 'S':
		return 2;
	case 'Y':
	case 'R':
		return 4;
	case 'D':
	case 'T':
		return 6;
	case 'F':
		return 8;
	default:
		return 0;
	}
}

/*
 * Where numbers touch ("%Y%m%d") strptime guesses at which digit one ends: 2015111 would be 1 November. There
 * the text must have all the digits; this is how many. 0: no numbers touch.
 */
static size_t packed_digits(const char *format)
{
	size_t digits = 0;
	bool after_number = false;
	bool is_packed = false;
	for (; *format != '\0'; format++) {
		int width = *format == '%' ? number_width(*++format) : is_digit(*format);
		is_packed |= after_number && width > 0;
		after_number = width > 0;
		digits += (size_t)width;
	}
	return is_packed ? digits : 0;
}

static size_t count_digits(const char *text)
{
	size_t count = 0;
	for (; *text != '\0'; text++)
		count += is_digit(*text);
	return count;
}

/* strptime takes "15" for %Y as the year 15. That year must be written 0015. */
static bool has_whole_year(const char *text, int year)
{
	char wanted[16];
	snprintf(wanted, sizeof wanted, "%04d", year);
	return year >= 1000 || strstr(text, wanted) != NULL;
}

static bool parse_formatted(struct moment *moment, const char *text, const char *format)
{
	struct tm broken = {0};
	const char *end = strptime_l(text, format, &broken, english);
	if (end == NULL || *end != '\0')
		return false;
	*moment = (struct moment){
	    .year = broken.tm_year + 1900,
	    .month = broken.tm_mon + 1,
	    .day = broken.tm_mday,
	    .hour = broken.tm_hour,
	    .minute = broken.tm_min,
	    .second = broken.tm_sec,
	    .has_offset = strstr(format, "%z") != NULL,
	    .offset = (int)broken.tm_gmtoff,
	};
	if (!moment_is_real(moment) || broken.tm_wday != moment_weekday(moment) ||
	    !has_whole_year(text, moment->year))
		return false;
	size_t digits = packed_digits(format);
	return digits == 0 || digits == count_digits(text);
}

bool date_format_parse(struct moment *moment, struct slice field, const struct type_formats *formats)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	if (field.length == 0 || field.length > FORMATTED_FIELD_MAX || is_blank(field.data[0]) ||
	    is_blank(field.data[field.length - 1]) || memchr(field.data, '\0', field.length) != NULL)
		return false;
	char text[FORMATTED_FIELD_MAX + 1];
	memcpy(text, field.data, field.length);
	text[field.length] = '\0';
	pthread_once(&once, make_english);
	for (size_t i = 0; i < formats->count; i++)
		if (parse_formatted(moment, text, formats->formats[i]))
			return true;
	return false;
}

enum part {
	PART_NONE = 0,
	PART_YEAR = 1,
	PART_MONTH = 2,
	PART_DAY = 4,
	PART_DATE = PART_YEAR | PART_MONTH | PART_DAY,
	PART_WEEKDAY = 8,
	PART_HOUR = 16,
	PART_HALF_DAY_HOUR = 32,
	PART_HALF_DAY = 64,
	PART_MINUTE = 128,
	PART_SECOND = 256,
	PART_ZONE = 512,
	PART_UNKNOWN = 1024,
};

static unsigned parts_of(char conversion)
{
	static const struct {
		const char *conversions;
		unsigned parts;
	} table[] = {
	    {"Yy", PART_YEAR},
	    {"mbBh", PART_MONTH},
	    {"de", PART_DAY},
	    {"FD", PART_DATE},
	    {"aA", PART_WEEKDAY},
	    {"H", PART_HOUR},
	    {"I", PART_HALF_DAY_HOUR},
	    {"p", PART_HALF_DAY},
	    {"M", PART_MINUTE},
	    {"S", PART_SECOND},
	    {"T", PART_HOUR | PART_MINUTE | PART_SECOND},
	    {"R", PART_HOUR | PART_MINUTE},
	    {"z", PART_ZONE},
	    {"nt%", PART_NONE},
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (conversion != '\0' && strchr(table[i].conversions, conversion) != NULL)
			return table[i].parts;
	return PART_UNKNOWN;
}

/* Which hour of the day is known from %H alone, or from %I and %p together. */
static bool has_time(unsigned parts)
{
	unsigned hour = parts & (PART_HOUR | PART_HALF_DAY_HOUR | PART_HALF_DAY);
	return (parts & PART_MINUTE) != 0 &&
	       (hour == PART_HOUR || hour == (PART_HALF_DAY_HOUR | PART_HALF_DAY));
}

enum result date_format_check(const char *format, bool with_time, struct error *error)
{
	if (u8_check((const uint8_t *)format, strlen(format)) != NULL)
		return error_set(error, RESULT_CONFIG, "format '%s' is not valid UTF-8", format);
	unsigned parts = PART_NONE;
	for (const char *at = strchr(format, '%'); at != NULL; at = strchr(at + 2, '%')) {
		unsigned found = parts_of(at[1]);
		if (found == PART_UNKNOWN)
			return error_set(error, RESULT_CONFIG, "format '%s': '%.2s' is not supported", format,
			                 at);
		if ((parts & found) != 0)
			return error_set(error, RESULT_CONFIG, "format '%s': '%.2s' repeats what came before",
			                 format, at);
		parts |= found;
	}
	if ((parts & PART_DATE) != PART_DATE)
		return error_set(error, RESULT_CONFIG, "format '%s' lacks year, month or day", format);
	if (with_time && !has_time(parts))
		return error_set(error, RESULT_CONFIG,
		                 "format '%s' needs hour and minute: %%H, or %%I and %%p, and %%M", format);
	if (!with_time && (parts & ~(unsigned)(PART_DATE | PART_WEEKDAY)) != 0)
		return error_set(error, RESULT_CONFIG, "format '%s' of a date has a time of day", format);
	return RESULT_OK;
}
