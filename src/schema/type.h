// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_TYPE_H
#define ROWSIEVE_SCHEMA_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/*
 * What a column holds, and the one canonical text of each value: two fields that would store the same value
 * in the table have the same canonical text, whatever they looked like in the file.
 *
 *   kind      canonical text                    accepted
 *   text      the bytes themselves              valid UTF-8 without NUL, at most `length` characters
 *   integer   -?[1-9][0-9]* or 0                the same, and -0; within 64 bits, signed
 *   decimal   as integer, then .[0-9]*[1-9]     -?digits[.digits], not 007, +7 or 1,000; (1)
 *   date      YYYY-MM-DD                        the column's formats; without any: (2)
 *   datetime  YYYY-MM-DD HH:MM:SS[.[0-9]*[1-9]] the column's formats; without any: (3)
 *
 * (1) trailing zeros dropped, at most scale digits behind the point and precision - scale before it
 * (2) YYYY-MM-DD, or with a month's name (schema/date.h)
 * (3) ISO 8601 with ' ' or 'T' and without a zone
 *
 * Years are 0001 to 9999; %y is POSIX's: 69..99 are 19xx, 00..68 are 20xx. Month names are English, whatever
 * the locale.
 */
enum type_kind {
	TYPE_TEXT = 1,
	TYPE_INTEGER,
	TYPE_DECIMAL,
	TYPE_DATE,
	TYPE_DATETIME,
};

enum { TYPE_TEXT_MAX = 32, TYPE_FORMATS_MAX = 8, TYPE_PRECISION_MAX = 38, TYPE_SCALE_MAX = 30 };

struct type {
	enum type_kind kind;
	uint16_t precision; /* decimal: digits in all; 0 = as many as TYPE_PRECISION_MAX */
	uint16_t scale;     /* decimal: digits behind the point */
	uint32_t length;    /* text: characters; 0 = any */
};

/* strptime formats of a date or datetime column, tried in order; none = the built-in ones. */
struct type_formats {
	const char *const *formats;
	size_t count;
};

/* "integer", "decimal(12,2)", "date", "datetime", "text", "text(32)". RESULT_CONFIG otherwise. */
enum result type_parse(struct type *type, const char *text, struct error *error) WARN_UNUSED;
void type_text(char text[TYPE_TEXT_MAX], const struct type *type);

/*
 * A strptime format that yields a date (and a time of day where kind says so) without guessing: each part
 * once, nothing that would be thrown away. Allowed are %Y %y %m %b %B %h %d %e %F %D %a %A, for a time of day
 * %H %M %S %T %R and %I with %p, and %n %t %%. RESULT_CONFIG otherwise.
 */
enum result type_check_format(const char *format, enum type_kind kind, struct error *error) WARN_UNUSED;

/* A missing value: for text the empty field only; for the other kinds also NA, N/A, NULL, NaN, null, None. */
bool type_is_null(const struct type *type, struct slice field);

/* A plain number: -?(0|[1-9][0-9]*)(\.[0-9]+)? */
struct type_number {
	bool is_negative;
	bool is_zero;
	bool has_point;
	bool fits_integer;     /* no point, and within 64 bits */
	size_t integer_digits; /* before the point; 0 for a lone 0 */
	size_t scale;          /* digits behind the point */
	size_t short_scale;    /* the same without trailing zeros */
};

bool type_scan_number(struct type_number *number, struct slice field);

/* A canonical text. It stands in the field it was made of, in `scratch`, or is a constant: never copy it. */
enum { TYPE_SCRATCH_SIZE = 32 };

struct type_value {
	struct slice text;
	char scratch[TYPE_SCRATCH_SIZE];
};

/* The canonical text of a field that is not null. False: it does not fit the type; *reason is a static text
 * such as "not an integer". */
bool type_canonical(struct type_value *value, const struct type *type, const struct type_formats *formats,
                    struct slice field, const char **reason);

#endif
