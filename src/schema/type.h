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
 *   integer   -?[1-9][0-9]* or 0                the same, and -0; within 64 bits, signed; (1)
 *   decimal   as integer, then .[0-9]*[1-9]     -?digits[.digits], not 007, +7 or 1,000; (1) (2)
 *   real      the shortest that reads the same  as decimal, and an exponent; within a double; (1)
 *   boolean   1 or 0                            1 0 true false t f yes no y n on off, in any case
 *   date      YYYY-MM-DD                        the column's formats; without any: (3)
 *   datetime  YYYY-MM-DD HH:MM:SS[.[0-9]*[1-9]] the column's formats; without any: (4)
 *
 * (1) where the reading is loose (a declared column) also +7, 007, .5 and 5.; with the reading's separators
 * (2) trailing zeros dropped, at most scale digits behind the point and precision - scale before it
 * (3) YYYY-MM-DD, or with a month's name (schema/date.h)
 * (4) ISO 8601 with ' ' or 'T'; with a zone behind it only where the reading has a zone, and then in UTC;
 *     where the reading is loose also a date, which is its midnight
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
	TYPE_REAL,
	TYPE_BOOLEAN,
};

/* The limits of a decimal are MySQL's. */
enum { TYPE_PRECISION_USUAL = 38 }; /* where nothing else is said */
enum { TYPE_TEXT_MAX = 32, TYPE_FORMATS_MAX = 8, TYPE_PRECISION_MAX = 65, TYPE_SCALE_MAX = 30 };

struct type {
	enum type_kind kind;
	uint16_t precision; /* decimal: digits in all; 0 = TYPE_PRECISION_USUAL */
	uint16_t scale;     /* decimal: digits behind the point */
	uint32_t length;    /* text: characters; 0 = any */
};

/* strptime formats of a date or datetime column, tried in order; none = the built-in ones. */
struct type_formats {
	const char *const *formats;
	size_t count;
};

/* "integer", "decimal(12,2)", "real", "boolean", "date", "datetime", "text", "text(32)". RESULT_CONFIG
 * otherwise. */
enum result type_parse(struct type *type, const char *text, struct error *error) WARN_UNUSED;
void type_text(char text[TYPE_TEXT_MAX], const struct type *type);

/* Makes the type one that also holds what `other` does, where canonical texts stay the same: longer text, more
 * digits, integers among decimals. False: it is that already, or there is no such type. */
bool type_widen(struct type *type, const struct type *other);

/* Does a column of this type hold every value of the other, and give it back as it was? */
bool type_holds(const struct type *type, const struct type *other);

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

struct zone; /* schema/zone.h */

/* How the fields of a column are read. Zero-initialised but for the type: strictly, as inference reads. */
struct type_reading {
	struct type type;
	struct type_formats formats;
	bool is_loose;
	bool trim;                /* blanks at both ends are none of it */
	char thousands;           /* between groups of digits; '\0' = none */
	char decimal;             /* the decimal point; '\0' = '.' */
	const struct zone *zone;  /* of datetimes without one; NULL: a zone is refused */
	const char *const *nulls; /* instead of "" for a text, beside the usual ones for other kinds */
	size_t null_count;
	bool has_nulls;
};

/* A canonical text. It stands in the field it was made of, in `scratch`, or is a constant: never copy it. */
enum { TYPE_SCRATCH_SIZE = 96 };

struct type_value {
	struct slice text;
	char scratch[TYPE_SCRATCH_SIZE];
};

/* The field without the blanks around it, where the reading trims. */
struct slice type_trim(const struct type_reading *reading, struct slice field);

/* Is the (trimmed) field a missing value? */
bool type_reads_null(const struct type_reading *reading, struct slice field);

/* The canonical text of a field, trimmed where the reading trims, that is not null. False as for
 * type_canonical(). */
bool type_read(struct type_value *value, const struct type_reading *reading, struct slice field,
               const char **reason);

/* As type_read(), strictly. False: it does not fit the
 * type; *reason is a static text such as "not an integer". */
bool type_canonical(struct type_value *value, const struct type *type, const struct type_formats *formats,
                    struct slice field, const char **reason);

#endif
