// SPDX-License-Identifier: Apache-2.0
#include "schema/date.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistr.h>

enum { DATE_ONLY_SIZE = 10, FRACTION_MAX = 6, FORMATTED_FIELD_MAX = 127 };

struct moment {
	int year;
	int month;
	int day;
	int hour;
	int minute;
	int second;
	struct slice fraction; /* digits, without trailing zeros */
};

struct cursor {
	const char *at;
	const char *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool take(struct cursor *cursor, char wanted)
{
	if (cursor->at == cursor->end || *cursor->at != wanted)
		return false;
	cursor->at++;
	return true;
}

static bool take_digits(struct cursor *cursor, int count, int *value)
{
	if (cursor->end - cursor->at < count)
		return false;
	*value = 0;
	for (int i = 0; i < count; i++) {
		if (!is_digit(cursor->at[i]))
			return false;
		*value = *value * 10 + (cursor->at[i] - '0');
	}
	cursor->at += count;
	return true;
}

static bool take_day(struct cursor *cursor, int *day)
{
	return take_digits(cursor, 2, day) || take_digits(cursor, 1, day);
}

static const char month_names[][10] = {"january", "february", "march",     "april",   "may",      "june",
                                       "july",    "august",   "september", "october", "november", "december"};
enum { MONTH_LONGEST = 9, MONTH_ABBREVIATED = 3 };

/* 1 to 12, by the first three letters; 0 where they begin none. */
static int find_month(const char word[MONTH_LONGEST + 1])
{
	/* No two months agree in this hash of their second and third letter. */
	static const unsigned char months[16] = {0, 0, 7, 3, 1, 0, 11, 4, 2, 6, 0, 10, 12, 9, 5, 8};
	unsigned hash = ((unsigned char)word[1] + 15U * (unsigned char)word[2]) >> 2 & 15;
	int month = months[hash];
	return month > 0 && memcmp(word, month_names[month - 1], MONTH_ABBREVIATED) == 0 ? month : 0;
}

/* A month's English name, whole or its first three letters, in any case. */
static bool take_month(struct cursor *cursor, int *month)
{
	char word[MONTH_LONGEST + 1] = {0};
	size_t length = 0;
	for (; cursor->at + length < cursor->end; length++) {
		char c = to_lower(cursor->at[length]);
		if (c < 'a' || c > 'z')
			break;
		if (length == MONTH_LONGEST)
			return false;
		word[length] = c;
	}
	*month = find_month(word);
	if (*month == 0 || (length != MONTH_ABBREVIATED && strcmp(word, month_names[*month - 1]) != 0))
		return false;
	cursor->at += length;
	return true;
}

static bool take_iso_date(struct cursor *cursor, struct moment *moment)
{
	return take_digits(cursor, 4, &moment->year) && take(cursor, '-') &&
	       take_digits(cursor, 2, &moment->month) && take(cursor, '-') &&
	       take_digits(cursor, 2, &moment->day);
}

static bool take_year(struct cursor *cursor, int *year)
{
	if (cursor->end - cursor->at == 4)
		return take_digits(cursor, 4, year);
	if (!take_digits(cursor, 2, year))
		return false;
	*year += *year < 69 ? 2000 : 1900;
	return true;
}

static bool take_day_first(struct cursor *cursor, struct moment *moment)
{
	if (!take_day(cursor, &moment->day) || cursor->at == cursor->end)
		return false;
	char separator = *cursor->at;
	return (separator == '-' || separator == ' ' || separator == '/') && take(cursor, separator) &&
	       take_month(cursor, &moment->month) && take(cursor, separator) &&
	       take_year(cursor, &moment->year);
}

static bool take_month_first(struct cursor *cursor, struct moment *moment)
{
	return take_month(cursor, &moment->month) && take(cursor, ' ') && take_day(cursor, &moment->day) &&
	       take(cursor, ',') && take(cursor, ' ') && take_digits(cursor, 4, &moment->year);
}

static bool parse_date(struct moment *moment, struct slice field)
{
	struct cursor cursor = {field.data, field.data + field.length};
	bool is_taken;
	if (field.length == DATE_ONLY_SIZE && field.data[4] == '-')
		is_taken = take_iso_date(&cursor, moment);
	else if (field.length > 0 && is_digit(*field.data))
		is_taken = take_day_first(&cursor, moment);
	else
		is_taken = take_month_first(&cursor, moment);
	return is_taken && cursor.at == cursor.end;
}

static void take_fraction(struct cursor *cursor, struct slice *fraction)
{
	const char *begin = cursor->at;
	while (cursor->at < cursor->end && cursor->at - begin < FRACTION_MAX && is_digit(*cursor->at))
		cursor->at++;
	const char *last = cursor->at;
	while (last > begin && last[-1] == '0')
		last--;
	*fraction = (struct slice){begin, (size_t)(last - begin)};
}

static bool take_iso_time(struct cursor *cursor, struct moment *moment)
{
	if (!take_digits(cursor, 2, &moment->hour) || !take(cursor, ':') ||
	    !take_digits(cursor, 2, &moment->minute))
		return false;
	if (!take(cursor, ':'))
		return true;
	if (!take_digits(cursor, 2, &moment->second))
		return false;
	if (take(cursor, '.')) {
		const char *begin = cursor->at;
		take_fraction(cursor, &moment->fraction);
		return cursor->at > begin;
	}
	return true;
}

static bool take_iso_datetime(struct cursor *cursor, struct moment *moment)
{
	return take_iso_date(cursor, moment) && (take(cursor, 'T') || take(cursor, ' ')) &&
	       take_iso_time(cursor, moment);
}

static bool parse_datetime(struct moment *moment, struct slice field)
{
	struct cursor cursor = {field.data, field.data + field.length};
	return take_iso_datetime(&cursor, moment) && cursor.at == cursor.end;
}

bool date_has_zone(struct slice field)
{
	struct cursor cursor = {field.data, field.data + field.length};
	struct moment moment = {0};
	if (!take_iso_datetime(&cursor, &moment))
		return false;
	take(&cursor, ' ');
	return cursor.at < cursor.end && memchr("Zz+-", *cursor.at, 4) != NULL;
}

static bool is_real(const struct moment *moment)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = moment->year;
	if (year < 1 || year > 9999 || moment->month < 1 || moment->month > 12)
		return false;
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int last = days[moment->month - 1] + (moment->month == 2 && is_leap ? 1 : 0);
	return moment->day >= 1 && moment->day <= last && moment->hour <= 23 && moment->minute <= 59 &&
	       moment->second <= 59;
}

/* Sunday is 0, as in struct tm. */
static int weekday(const struct moment *moment)
{
	static const int offsets[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
	int year = moment->month < 3 ? moment->year - 1 : moment->year;
	return (year + year / 4 - year / 100 + year / 400 + offsets[moment->month - 1] + moment->day) % 7;
}

static char *put_digits(char *at, int count, int value)
{
	for (int i = count - 1; i >= 0; i--) {
		at[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return at + count;
}

static char *put_date(char *at, const struct moment *moment)
{
	at = put_digits(at, 4, moment->year);
	*at++ = '-';
	at = put_digits(at, 2, moment->month);
	*at++ = '-';
	return put_digits(at, 2, moment->day);
}

static char *put_time(char *at, const struct moment *moment)
{
	at = put_digits(at, 2, moment->hour);
	*at++ = ':';
	at = put_digits(at, 2, moment->minute);
	*at++ = ':';
	at = put_digits(at, 2, moment->second);
	if (moment->fraction.length == 0)
		return at;
	*at++ = '.';
	memcpy(at, moment->fraction.data, moment->fraction.length);
	return at + moment->fraction.length;
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
	char wanted[5] = {0};
	put_digits(wanted, 4, year);
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
	};
	if (!is_real(moment) || broken.tm_wday != weekday(moment) || !has_whole_year(text, moment->year))
		return false;
	size_t digits = packed_digits(format);
	return digits == 0 || digits == count_digits(text);
}

static bool parse_any_format(struct moment *moment, struct slice field, const struct type_formats *formats)
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

size_t date_canonical(char text[DATE_TEXT_SIZE], struct slice field, const struct type_formats *formats)
{
	struct moment moment = {0};
	bool is_date = formats->count > 0 ? parse_any_format(&moment, field, formats)
	                                  : parse_date(&moment, field) && is_real(&moment);
	return is_date ? (size_t)(put_date(text, &moment) - text) : 0;
}

size_t date_time_canonical(char text[DATE_TEXT_SIZE], struct slice field, const struct type_formats *formats)
{
	struct moment moment = {0};
	bool is_datetime = formats->count > 0 ? parse_any_format(&moment, field, formats)
	                                      : parse_datetime(&moment, field) && is_real(&moment);
	if (!is_datetime)
		return 0;
	char *at = put_date(text, &moment);
	*at++ = ' ';
	return (size_t)(put_time(at, &moment) - text);
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
	PART_UNKNOWN = 512,
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

enum result date_check_format(const char *format, bool with_time, struct error *error)
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
