// SPDX-License-Identifier: Apache-2.0
#include "schema/date.h"

#include <string.h>
#include <strings.h>

#include "schema/date_format.h"
#include "schema/moment.h"
#include "schema/zone.h"

enum { DATE_ONLY_SIZE = 10, FRACTION_MAX = 6 };

struct cursor {
	const char *at;
	const char *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
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

/* Of a letter in any case the small one; of nothing else a letter. */
static unsigned small_letter(char c)
{
	return (unsigned char)c | 0x20U;
}

/* 1 to 12, by three letters; 0 where they begin none. */
static int find_month(const char *letters)
{
	/* No two months agree in this hash of their second and third letter. */
	static const unsigned char months[16] = {0, 0, 7, 3, 1, 0, 11, 4, 2, 6, 0, 10, 12, 9, 5, 8};
	unsigned first = small_letter(letters[0]), second = small_letter(letters[1]);
	unsigned third = small_letter(letters[2]);
	int month = months[(second + 15 * third) >> 2 & 15];
	const char *name = month_names[month > 0 ? month - 1 : 0];
	return first == (unsigned char)name[0] && second == (unsigned char)name[1] &&
	               third == (unsigned char)name[2]
	           ? month
	           : 0;
}

/* How many letters come next; more than a month has are not counted. */
static size_t count_letters(const struct cursor *cursor)
{
	size_t count = 0, left = (size_t)(cursor->end - cursor->at);
	while (count < left && count <= MONTH_LONGEST && small_letter(cursor->at[count]) - 'a' < 26)
		count++;
	return count;
}

/* A month's English name, whole or its first three letters, in any case. */
static bool take_month(struct cursor *cursor, int *month)
{
	size_t length = count_letters(cursor);
	*month = length >= MONTH_ABBREVIATED ? find_month(cursor->at) : 0;
	if (*month == 0)
		return false;
	const char *name = month_names[*month - 1];
	if (length != MONTH_ABBREVIATED &&
	    (length != strlen(name) || strncasecmp(cursor->at, name, length) != 0))
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

static unsigned digit_of(char c)
{
	return (unsigned char)(c - '0'); /* above 9: none */
}

/* 1-Jan-15 to 29/Oct/2014, all at once: a branch for each byte is guessed wrong too often. False: it may be a date
 * of another form. */
static bool parse_usual(struct moment *moment, struct slice field)
{
	if (field.length < 8 || field.length > 11)
		return false;
	const char *end = field.data + field.length;
	unsigned tens = digit_of(field.data[0]), ones = digit_of(field.data[1]);
	bool has_tens = ones <= 9;
	const char *at = field.data + 1 + has_tens;
	char separator = at[0];
	size_t year_digits = (size_t)(end - at) - 5;
	unsigned decade = digit_of(end[-2]), year = digit_of(end[-1]);
	moment->day = (int)(tens + (9 * tens + ones) * has_tens);
	moment->month = find_month(at + 1);
	moment->year = (int)(10 * decade + year);
	if (tens > 9 || decade > 9 || year > 9 || moment->month == 0 || at[4] != separator ||
	    (separator != '-' && separator != '/' && separator != ' '))
		return false;
	if (year_digits == 2) {
		moment->year += moment->year < 69 ? 2000 : 1900;
		return true;
	}
	unsigned thousands = digit_of(end[-4]), hundreds = digit_of(end[-3]);
	moment->year += (int)(1000 * thousands + 100 * hundreds);
	return year_digits == 4 && thousands <= 9 && hundreds <= 9;
}

static bool parse_date(struct moment *moment, struct slice field)
{
	struct cursor cursor = {field.data, field.data + field.length};
	bool is_taken;
	if (field.length == DATE_ONLY_SIZE && field.data[4] == '-')
		is_taken = take_iso_date(&cursor, moment);
	else if (parse_usual(moment, field))
		return true;
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

/* Z, +05:30, +0530 or +05, a blank before it or not. */
static bool take_offset(struct cursor *cursor, struct moment *moment)
{
	int hours, minutes = 0;
	take(cursor, ' ');
	moment->has_offset = true;
	if (take(cursor, 'Z') || take(cursor, 'z'))
		return true;
	bool is_west = take(cursor, '-');
	if ((!is_west && !take(cursor, '+')) || !take_digits(cursor, 2, &hours))
		return false;
	if (cursor->at < cursor->end) {
		take(cursor, ':');
		if (!take_digits(cursor, 2, &minutes))
			return false;
	}
	moment->offset = (hours * 60 + minutes) * (is_west ? -60 : 60);
	return hours <= 23 && minutes <= 59;
}

static bool parse_datetime(struct moment *moment, struct slice field, const struct type_reading *reading)
{
	struct cursor cursor = {field.data, field.data + field.length};
	if (take_iso_datetime(&cursor, moment))
		return cursor.at == cursor.end ||
		       (reading->zone != NULL && take_offset(&cursor, moment) && cursor.at == cursor.end);
	*moment = (struct moment){0};
	return reading->is_loose && parse_date(moment, field);
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

/* 00 to 99. */
static char *put_pair(char *at, int value)
{
	at[0] = (char)('0' + value / 10);
	at[1] = (char)('0' + value % 10);
	return at + 2;
}

static char *put_date(char *at, const struct moment *moment)
{
	at = put_pair(put_pair(at, moment->year / 100), moment->year % 100);
	*at++ = '-';
	at = put_pair(at, moment->month);
	*at++ = '-';
	return put_pair(at, moment->day);
}

static char *put_time(char *at, const struct moment *moment)
{
	at = put_pair(at, moment->hour);
	*at++ = ':';
	at = put_pair(at, moment->minute);
	*at++ = ':';
	at = put_pair(at, moment->second);
	if (moment->fraction.length == 0)
		return at;
	*at++ = '.';
	memcpy(at, moment->fraction.data, moment->fraction.length);
	return at + moment->fraction.length;
}

size_t date_canonical(char text[DATE_TEXT_SIZE], struct slice field, const struct type_formats *formats)
{
	struct moment moment = {0};
	bool is_date = formats->count > 0 ? date_format_parse(&moment, field, formats)
	                                  : parse_date(&moment, field) && moment_is_real(&moment);
	return is_date ? (size_t)(put_date(text, &moment) - text) : 0;
}

static bool move_to_utc(struct moment *moment, const struct zone *zone)
{
	int64_t local = moment_seconds(moment), utc = local - moment->offset;
	if (!moment->has_offset && zone != NULL && !zone_to_utc(zone, local, &utc))
		return false;
	if (utc != local)
		moment_set_seconds(moment, utc);
	return moment_is_real(moment);
}

size_t date_time_canonical(char text[DATE_TEXT_SIZE], struct slice field, const struct type_reading *reading)
{
	struct moment moment = {0};
	bool is_datetime = reading->formats.count > 0
	                       ? date_format_parse(&moment, field, &reading->formats)
	                       : parse_datetime(&moment, field, reading) && moment_is_real(&moment);
	if (!is_datetime ||
	    ((moment.has_offset || reading->zone != NULL) && !move_to_utc(&moment, reading->zone)))
		return 0;
	char *at = put_date(text, &moment);
	*at++ = ' ';
	return (size_t)(put_time(at, &moment) - text);
}
