// SPDX-License-Identifier: Apache-2.0
#include "schema/moment.h"

enum { SECONDS_A_DAY = 86400, DAYS_OF_1970 = 719162 /* since 0001-01-01 */, DAYS_IN_400_YEARS = 146097 };

static bool is_leap_year(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && is_leap_year(year) ? 1 : 0);
}

bool moment_is_real(const struct moment *moment)
{
	int year = moment->year;
	return year >= 1 && year <= 9999 && moment->month >= 1 && moment->month <= 12 && moment->day >= 1 &&
	       moment->day <= days_in_month(year, moment->month) && moment->hour <= 23 &&
	       moment->minute <= 59 && moment->second <= 59;
}

int moment_weekday(const struct moment *moment)
{
	static const int offsets[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
	int year = moment->month < 3 ? moment->year - 1 : moment->year;
	return (year + year / 4 - year / 100 + year / 400 + offsets[moment->month - 1] + moment->day) % 7;
}

static int64_t days_before_year(int year)
{
	int64_t past = year - 1;
	return past * 365 + past / 4 - past / 100 + past / 400;
}

int64_t moment_seconds(const struct moment *moment)
{
	int64_t days = days_before_year(moment->year) + moment->day - 1;
	for (int month = 1; month < moment->month; month++)
		days += days_in_month(moment->year, month);
	int64_t seconds = (moment->hour * 60 + moment->minute) * 60 + moment->second;
	return (days - DAYS_OF_1970) * SECONDS_A_DAY + seconds;
}

void moment_set_seconds(struct moment *moment, int64_t seconds)
{
	int64_t all = seconds + (int64_t)DAYS_OF_1970 * SECONDS_A_DAY;
	int64_t days = all / SECONDS_A_DAY - (all % SECONDS_A_DAY < 0);
	int of_day = (int)(all - days * SECONDS_A_DAY);
	int year = (int)(days * 400 / DAYS_IN_400_YEARS) + 1;
	while (days_before_year(year) > days)
		year--;
	while (days_before_year(year + 1) <= days)
		year++;
	int day = (int)(days - days_before_year(year)), month = 1;
	for (; day >= days_in_month(year, month); month++)
		day -= days_in_month(year, month);
	moment->year = year;
	moment->month = month;
	moment->day = day + 1;
	moment->hour = of_day / 3600;
	moment->minute = of_day / 60 % 60;
	moment->second = of_day % 60;
}
