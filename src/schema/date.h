// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_DATE_H
#define ROWSIEVE_SCHEMA_DATE_H

#include "schema/type.h"

/*
 * Dates and datetimes as the type module's table has them. Without formats a date is one of
 *
 *   2014-10-29   29-Oct-14   29/October/2014   29 oct 2014   Oct 29, 2014   October 29, 2014
 *
 * and a datetime is YYYY-MM-DD, ' ' or 'T', HH:MM[:SS[.f]] with 1 to 6 digits f. With a time zone the canonical
 * text is in UTC.
 */

/* Bytes of the longest canonical text, "YYYY-MM-DD HH:MM:SS.ffffff"; none is terminated. */
enum { DATE_TEXT_SIZE = 26 };

/* The length of the canonical text, or 0 when the field is no date (datetime). `formats` of count 0 are the
 * built-in ones. */
size_t date_canonical(char text[DATE_TEXT_SIZE], struct slice field, const struct type_formats *formats);
size_t date_time_canonical(char text[DATE_TEXT_SIZE], struct slice field, const struct type_reading *reading);

/* A datetime of the built-in form but for a zone behind it. */
bool date_has_zone(struct slice field);

#endif
