// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_DATE_FORMAT_H
#define ROWSIEVE_SCHEMA_DATE_FORMAT_H

#include "schema/moment.h"
#include "schema/type.h"

/* Dates and datetimes by strptime formats, in English. */

/* What type_check_format() promises. */
enum result date_format_check(const char *format, bool with_time, struct error *error) WARN_UNUSED;

/* By the first format that fits. */
bool date_format_parse(struct moment *moment, struct slice field, const struct type_formats *formats);

#endif
