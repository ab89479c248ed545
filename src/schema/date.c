// SPDX-License-Identifier: Apache-2.0
#include "schema/date.h"

#include <string.h>

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

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
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
