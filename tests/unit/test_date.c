// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "schema/date.h"
#include "schema/date_format.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct type_formats built_in_forms = {0};

/* The canonical text; "" where there is none. */
static const char *date_of(struct slice field, const struct type_formats *formats)
{
	static char text[DATE_TEXT_SIZE + 1];
	text[date_canonical(text, field, formats)] = '\0';
	return text;
}

static const char *built_in(const char *field)
{
	return date_of(slice_from_string(field), &built_in_forms);
}

static const char *formatted(const char *format, const char *field)
{
	const struct type_formats one = {&format, 1};
	struct error error;
	cr_assert_eq(date_format_check(format, false, &error), RESULT_OK, "%s", error.message);
	return date_of(slice_from_string(field), &one);
}

static const char *formatted_time(const char *format, const char *field)
{
	static char text[DATE_TEXT_SIZE + 1];
	const struct type_reading reading = {.formats = {&format, 1}};
	struct error error;
	cr_assert_eq(date_format_check(format, true, &error), RESULT_OK, "%s", error.message);
	text[date_time_canonical(text, slice_from_string(field), &reading)] = '\0';
	return text;
}

Test(date, every_day_reads_the_same_in_every_built_in_form)
{
	static const char *const months[] = {"January",   "February", "March",    "April",
	                                     "May",       "June",     "July",     "August",
	                                     "September", "October",  "November", "December"};
	static const int last[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	for (int month = 0; month < 12; month++) {
		for (int day = 1; day <= last[month]; day++) {
			char iso[32], field[64];
			snprintf(iso, sizeof iso, "2016-%02d-%02d", month + 1, day);
			cr_assert_str_eq(built_in(iso), iso);
			snprintf(field, sizeof field, "%d-%.3s-16", day, months[month]);
			cr_assert_str_eq(built_in(field), iso);
			cr_assert_str_eq(formatted("%d-%b-%y", field), iso);
			snprintf(field, sizeof field, "%02d %s 2016", day, months[month]);
			cr_assert_str_eq(built_in(field), iso);
			snprintf(field, sizeof field, "%s %d, 2016", months[month], day);
			cr_assert_str_eq(built_in(field), iso);
			snprintf(field, sizeof field, "%d/%d/16", month + 1, day);
			cr_assert_str_eq(formatted("%D", field), iso);
		}
	}
}

Test(date, declared_formats_replace_the_built_in_ones_and_are_tried_in_order)
{
	static const char *const both[] = {"%d/%m/%Y", "%d-%b-%y"};
	const struct type_formats formats = {both, 2};
	cr_expect_str_eq(date_of(SLICE("03/04/2015"), &formats), "2015-04-03");
	cr_expect_str_eq(date_of(SLICE("5-May-15"), &formats), "2015-05-05");
	cr_expect_str_eq(date_of(SLICE("2015-04-03"), &formats), "");
}

Test(date, formats_take_whole_fields_and_real_days_only)
{
	cr_expect_str_eq(formatted("%m/%d/%Y", "9/16/2006"), "2006-09-16");
	cr_expect_str_eq(formatted("%d.%m.%Y", "31.04.2015"), "");
	cr_expect_str_eq(formatted("%d.%m.%Y", "29.02.2015"), "");
	cr_expect_str_eq(formatted("%d.%m.%Y", "1.2.2015 "), "");
	cr_expect_str_eq(formatted("%d.%m.%Y", " 1.2.2015"), "");
	cr_expect_str_eq(formatted("%d.%m.%Y ", "1.2.2015 "), "");
	cr_expect_str_eq(formatted("%d.%m.%Y", "1.2.2015x"), "");
	cr_expect_str_eq(formatted("%d.%m.%Y", "1.2.0000"), "");
	cr_expect_str_eq(formatted_time("%F %T", "2015-05-05 10:11:60"), "");
	char longer[256];
	memset(longer, '1', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	cr_expect_str_eq(formatted("%d.%m.%Y", longer), "");
	const char *format = "%F";
	const struct type_formats formats = {&format, 1};
	cr_expect_str_eq(date_of(SLICE("2015-05-05\0x"), &formats), "");
}

/* A date in a built-in form, with a byte of it changed, left out or doubled, or not. */
static void random_date(char text[32], unsigned *seed)
{
	static const char *const forms[] = {"%u-%s-%02u",   "%u/%s/%04u", "%02u-%s-%02u", "%u-%s-%04u",
	                                    "%02u/%s/%02u", "%u-%s/%02u", "%u-%s-%u"};
	static const char *const months[] = {"jan", "Feb",  "MAR",      "april", "May",      "JUNE",
	                                     "Jul", "Sept", "december", "Octob", "november", "xyz"};
	static const char bytes[] = "0129-/,aJnN";
	int length = snprintf(text, 32, forms[(size_t)rand_r(seed) % COUNT(forms)], rand_r(seed) % 40,
	                      months[(size_t)rand_r(seed) % COUNT(months)], rand_r(seed) % 2100);
	size_t at = (size_t)(rand_r(seed) % length);
	switch (rand_r(seed) % 6) {
	case 0:
		text[at] = bytes[(size_t)rand_r(seed) % (sizeof bytes - 1)];
		break;
	case 1:
		memmove(text + at, text + at + 1, strlen(text + at));
		break;
	case 2:
		if (length < 30)
			memmove(text + at + 1, text + at, strlen(text + at) + 1);
		break;
	default:
		break;
	}
}

/* strptime() takes a year of one digit, too. */
static bool has_year_of_two_or_four(const char *text)
{
	const char *minus = strrchr(text, '-'), *slash = strrchr(text, '/');
	const char *last = slash == NULL || (minus != NULL && minus > slash) ? minus : slash;
	size_t digits = last != NULL ? strlen(last + 1) : 0;
	return digits == 2 || digits == 4;
}

/* As strptime() reads them; blanks are no more than another separator. */
Test(date, the_built_in_forms_are_these_formats)
{
	static const char *const formats[] = {"%d-%b-%y", "%d-%b-%Y", "%d/%b/%y", "%d/%b/%Y"};
	const struct type_formats same = {formats, COUNT(formats)};
	unsigned seed = 1;
	size_t dates = 0;
	for (int i = 0; i < 300000; i++) {
		char text[32], expected[DATE_TEXT_SIZE + 1];
		random_date(text, &seed);
		bool has_year = has_year_of_two_or_four(text);
		strcpy(expected, has_year ? date_of(slice_from_string(text), &same) : "");
		cr_assert_str_eq(built_in(text), expected, "%s", text);
		dates += *expected != '\0';
		if (strchr(text, '/') != NULL)
			continue;
		for (char *at = text; (at = strchr(at, '-')) != NULL;)
			*at = ' ';
		cr_assert_str_eq(built_in(text), expected, "%s", text);
	}
	cr_assert_gt(dates, 50000);
}

Test(date, four_digit_year_is_not_read_from_two)
{
	cr_expect_str_eq(formatted("%d-%b-%Y", "29-Oct-14"), "");
	cr_expect_str_eq(formatted("%d-%b-%Y", "29-Oct-0014"), "0014-10-29");
	cr_expect_str_eq(formatted("%d-%b-%y", "29-Oct-2014"), "");
}

Test(date, two_digit_years_turn_at_69)
{
	cr_expect_str_eq(formatted("%d.%m.%y", "1.1.69"), "1969-01-01");
	cr_expect_str_eq(formatted("%d.%m.%y", "1.1.68"), "2068-01-01");
	cr_expect_str_eq(formatted("%d.%m.%y", "1.1.00"), "2000-01-01");
}

Test(date, numbers_that_touch_need_all_their_digits)
{
	cr_expect_str_eq(formatted("%Y%m%d", "20151101"), "2015-11-01");
	cr_expect_str_eq(formatted("%Y%m%d", "2015111"), "");
	cr_expect_str_eq(formatted("%d%m%y", "51115"), "");
	cr_expect_str_eq(formatted_time("%Y%m%dT%H%M%S", "20151101T101112"), "2015-11-01 10:11:12");
	cr_expect_str_eq(formatted_time("%F%T", "2015-05-110:00:00"), "");
	cr_expect_str_eq(formatted("%d%b%Y", "5May2015"), "2015-05-05");
}

Test(date, twelve_hour_clocks_and_weekdays_are_understood)
{
	cr_expect_str_eq(formatted_time("%m/%d/%Y %I:%M %p", "5/6/2015 12:05 AM"), "2015-05-06 00:05:00");
	cr_expect_str_eq(formatted_time("%m/%d/%Y %I:%M %p", "5/6/2015 1:05 pm"), "2015-05-06 13:05:00");
	cr_expect_str_eq(formatted("%a, %d %b %Y", "Tue, 05 May 2015"), "2015-05-05");
	cr_expect_str_eq(formatted("%a, %d %b %Y", "Mon, 05 May 2015"), "");
	cr_expect_str_eq(formatted("%A %d %B %Y", "Saturday 29 February 2020"), "2020-02-29");
}

Test(date, formats_that_guess_or_lose_are_refused)
{
	static const struct {
		bool with_time;
		const char *format;
	} examples[] = {
	    {false, ""},      {false, "%d %b"},     {false, "%Y-%m"},      {false, "%F %T"},
	    {false, "%F %Y"}, {false, "%d/%m/%Y%"}, {false, "%d/%m/%Q"},   {false, "%Od/%m/%Y"},
	    {false, "%x"},    {false, "%F\xff"},    {false, "%%Y-%m-%d"},  {true, "%F"},
	    {true, "%F %H"},  {true, "%F %I:%M"},   {true, "%F %H:%M %p"}, {false, "%F%z"},
	    {true, "%s"},
	};
	for (size_t i = 0; i < COUNT(examples); i++) {
		struct error error;
		cr_expect_eq(date_format_check(examples[i].format, examples[i].with_time, &error),
		             RESULT_CONFIG, "%s", examples[i].format);
	}
}

static void *parse_many(void *failures)
{
	static const char *const format = "%d-%b-%Y";
	const struct type_formats formats = {&format, 1};
	for (int i = 0; i < 20000; i++) {
		char text[DATE_TEXT_SIZE];
		size_t length = date_canonical(text, SLICE("29-Oct-2014"), &formats);
		if (!slice_equal((struct slice){text, length}, SLICE("2014-10-29")))
			++*(int *)failures;
	}
	return NULL;
}

Test(date, formats_are_read_from_several_threads_at_once)
{
	pthread_t threads[4];
	int failures[4] = {0};
	for (size_t i = 0; i < COUNT(threads); i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, parse_many, &failures[i]), 0);
	for (size_t i = 0; i < COUNT(threads); i++) {
		pthread_join(threads[i], NULL);
		cr_expect_eq(failures[i], 0);
	}
}

Test(date, month_names_are_english_in_every_locale)
{
	if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && setlocale(LC_ALL, "de_DE") == NULL)
		cr_skip("no German locale on this machine");
	cr_expect_str_eq(formatted("%d-%b-%Y", "29-Dec-2014"), "2014-12-29");
	cr_expect_str_eq(formatted("%d-%b-%Y", "29-Dez-2014"), "");
	cr_expect_str_eq(built_in("1-May-15"), "2015-05-01");
}
