// SPDX-License-Identifier: Apache-2.0
#include "schema/type.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistr.h>

#include "schema/date.h"
#include "schema/date_format.h"
#include "schema/number.h"

static_assert((int)TYPE_SCRATCH_SIZE >= (int)DATE_TEXT_SIZE, "every canonical date fits the scratch bytes");
static_assert((int)TYPE_SCRATCH_SIZE >= (int)NUMBER_TEXT_MAX, "every number fits the scratch bytes");

enum { LENGTH_MAX = 999999999 };

/* True where all of the text was read, up to the %n that set `end`. */
static bool is_whole(const char *text, int end)
{
	return end > 0 && text[end] == '\0';
}

enum result type_parse(struct type *type, const char *text, struct error *error)
{
	static const struct {
		const char *text;
		enum type_kind kind;
	} plain[] = {{"text", TYPE_TEXT},         {"integer", TYPE_INTEGER}, {"date", TYPE_DATE},
	             {"datetime", TYPE_DATETIME}, {"real", TYPE_REAL},       {"boolean", TYPE_BOOLEAN}};
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
		if (strcmp(text, plain[i].text) != 0)
			continue;
		*type = (struct type){.kind = plain[i].kind};
		return RESULT_OK;
	}
	unsigned length, precision, scale;
	int end = 0;
	if (sscanf(text, "text(%9u)%n", &length, &end) == 1 && is_whole(text, end)) {
		if (length < 1 || length > LENGTH_MAX)
			return error_set(error, RESULT_CONFIG, "type '%s': a text holds 1 to %d characters",
			                 text, LENGTH_MAX);
		*type = (struct type){.kind = TYPE_TEXT, .length = length};
		return RESULT_OK;
	}
	if (sscanf(text, "decimal(%9u,%9u)%n", &precision, &scale, &end) == 2 && is_whole(text, end)) {
		if (precision < 1 || precision > TYPE_PRECISION_MAX || scale > precision ||
		    scale > TYPE_SCALE_MAX)
			return error_set(error, RESULT_CONFIG,
			                 "type '%s': at most %d digits, of them at most %d behind the point",
			                 text, TYPE_PRECISION_MAX, TYPE_SCALE_MAX);
		*type = (struct type){
		    .kind = TYPE_DECIMAL, .precision = (uint16_t)precision, .scale = (uint16_t)scale};
		return RESULT_OK;
	}
	return error_set(error, RESULT_CONFIG,
	                 "type '%s' is none of integer, decimal(p,s), real, boolean, date, datetime, text, "
	                 "text(n)",
	                 text);
}

static unsigned precision_of(const struct type *type)
{
	return type->precision > 0 ? type->precision : TYPE_PRECISION_USUAL;
}

void type_text(char text[TYPE_TEXT_MAX], const struct type *type)
{
	switch (type->kind) {
	case TYPE_TEXT:
		if (type->length > 0)
			snprintf(text, TYPE_TEXT_MAX, "text(%" PRIu32 ")", type->length);
		else
			strcpy(text, "text");
		return;
	case TYPE_INTEGER:
		strcpy(text, "integer");
		return;
	case TYPE_DECIMAL:
		snprintf(text, TYPE_TEXT_MAX, "decimal(%u,%u)", precision_of(type), (unsigned)type->scale);
		return;
	case TYPE_DATE:
		strcpy(text, "date");
		return;
	case TYPE_DATETIME:
		strcpy(text, "datetime");
		return;
	case TYPE_REAL:
		strcpy(text, "real");
		return;
	case TYPE_BOOLEAN:
		strcpy(text, "boolean");
		return;
	}
	strcpy(text, "?");
}

static bool is_exact_number(const struct type *type)
{
	return type->kind == TYPE_INTEGER || type->kind == TYPE_DECIMAL;
}

static unsigned digits_before_point(const struct type *type)
{
	enum { INTEGER_DIGITS = 19 };
	return type->kind == TYPE_INTEGER ? INTEGER_DIGITS : precision_of(type) - type->scale;
}

static bool widen_number(struct type *type, const struct type *other)
{
	unsigned before = digits_before_point(type), scale = type->scale;
	if (other->kind == TYPE_INTEGER &&
	    (type->kind == TYPE_INTEGER || before >= digits_before_point(other)))
		return false;
	if (before < digits_before_point(other))
		before = digits_before_point(other);
	if (scale < other->scale)
		scale = other->scale;
	struct type wider = {
	    .kind = TYPE_DECIMAL, .precision = (uint16_t)(before + scale), .scale = (uint16_t)scale};
	bool is_same =
	    type->kind == TYPE_DECIMAL && before == digits_before_point(type) && scale == type->scale;
	if (is_same || before + scale > TYPE_PRECISION_MAX)
		return false;
	*type = wider;
	return true;
}

bool type_widen(struct type *type, const struct type *other)
{
	if (is_exact_number(type) && is_exact_number(other))
		return widen_number(type, other);
	if (type->kind != TYPE_TEXT || other->kind != TYPE_TEXT || type->length == 0 ||
	    (other->length != 0 && other->length <= type->length))
		return false;
	type->length = other->length;
	return true;
}

bool type_holds(const struct type *type, const struct type *other)
{
	struct type wider = *type;
	if (is_exact_number(type) && is_exact_number(other))
		return !type_widen(&wider, other);
	switch (type->kind) {
	case TYPE_TEXT:
		return type->length == 0 || (other->kind == TYPE_TEXT && !type_widen(&wider, other));
	case TYPE_INTEGER:
	case TYPE_DECIMAL:
		return other->kind == TYPE_BOOLEAN;
	case TYPE_DATETIME:
		return other->kind == TYPE_DATETIME || other->kind == TYPE_DATE;
	default:
		return type->kind == other->kind;
	}
}

enum result type_check_format(const char *format, enum type_kind kind, struct error *error)
{
	return date_format_check(format, kind == TYPE_DATETIME, error);
}

bool type_is_null(const struct type *type, struct slice field)
{
	if (field.length == 0)
		return true;
	if (type->kind == TYPE_TEXT || (field.data[0] != 'N' && field.data[0] != 'n'))
		return false;
	switch (field.length) {
	case 2:
		return memcmp(field.data, "NA", 2) == 0;
	case 3:
		return memcmp(field.data, "N/A", 3) == 0 || memcmp(field.data, "NaN", 3) == 0;
	case 4:
		return memcmp(field.data, "NULL", 4) == 0 || memcmp(field.data, "null", 4) == 0 ||
		       memcmp(field.data, "None", 4) == 0;
	default:
		return false;
	}
}

static size_t count_digits(const char *text, size_t left)
{
	size_t count = 0;
	while (count < left && text[count] >= '0' && text[count] <= '9')
		count++;
	return count;
}

static bool fits_64_bits(const char *digits, size_t count, bool is_negative)
{
	static const char highest[] = "9223372036854775807";
	static const char lowest[] = "9223372036854775808";
	if (count != sizeof highest - 1)
		return count < sizeof highest - 1;
	return memcmp(digits, is_negative ? lowest : highest, count) <= 0;
}

bool type_scan_number(struct type_number *number, struct slice field)
{
	const char *at = field.data;
	size_t left = field.length;
	*number = (struct type_number){.is_negative = left > 0 && *at == '-'};
	at += number->is_negative;
	left -= number->is_negative;
	size_t before = count_digits(at, left);
	if (before == 0 || (*at == '0' && before > 1))
		return false;
	number->integer_digits = *at == '0' ? 0 : before;
	number->has_point = before < left;
	if (!number->has_point) {
		number->is_zero = number->integer_digits == 0;
		number->fits_integer = fits_64_bits(at, before, number->is_negative);
		return true;
	}
	const char *fraction = at + before + 1;
	number->scale = left - before - 1;
	if (at[before] != '.' || number->scale == 0 || count_digits(fraction, number->scale) != number->scale)
		return false;
	number->short_scale = number->scale;
	while (number->short_scale > 0 && fraction[number->short_scale - 1] == '0')
		number->short_scale--;
	number->is_zero = number->integer_digits == 0 && number->short_scale == 0;
	return true;
}

static bool are_plain(uint64_t bytes)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t tops = UINT64_C(0x8080808080808080);
	return ((bytes | (bytes - ones)) & tops) == 0; /* no byte above 127, and no NUL */
}

/* Control characters are data, but a NUL ends a string somewhere on the way to every table. */
static bool is_plain_ascii(struct slice text)
{
	uint64_t word;
	if (text.length < sizeof word) {
		for (size_t i = 0; i < text.length; i++)
			if ((signed char)text.data[i] <= 0)
				return false;
		return true;
	}
	const char *last = text.data + text.length - sizeof word;
	for (const char *at = text.data; at < last; at += sizeof word) {
		memcpy(&word, at, sizeof word);
		if (!are_plain(word))
			return false;
	}
	memcpy(&word, last, sizeof word);
	return are_plain(word);
}

static const char *text_fault(const struct type *type, struct slice field)
{
	if (is_plain_ascii(field))
		return type->length > 0 && field.length > type->length ? "text longer than declared" : NULL;
	if (memchr(field.data, '\0', field.length) != NULL)
		return "text with a NUL byte";
	const uint8_t *bytes = (const uint8_t *)field.data;
	if (u8_check(bytes, field.length) != NULL)
		return "invalid UTF-8";
	if (type->length > 0 && field.length > type->length && u8_mbsnlen(bytes, field.length) > type->length)
		return "text longer than declared";
	return NULL;
}

/* 1 to 18 digits: most integers there are. */
static bool is_short_integer(struct slice field)
{
	enum { DIGITS_MAX = 18 };
	if (field.length == 0 || field.length > DIGITS_MAX || (field.data[0] == '0' && field.length > 1))
		return false;
	bool are_digits = true;
	for (size_t i = 0; i < field.length; i++)
		are_digits &= (unsigned char)(field.data[i] - '0') <= 9;
	return are_digits;
}

static const char *integer_fault(struct slice *canonical, const struct type *type, struct slice field)
{
	(void)type;
	*canonical = field;
	if (is_short_integer(field))
		return NULL;
	struct type_number number;
	if (!type_scan_number(&number, field) || number.has_point)
		return "not an integer";
	if (!number.fits_integer)
		return "integer beyond 64 bits";
	if (number.is_zero)
		*canonical = SLICE("0");
	return NULL;
}

static const char *decimal_fault(struct slice *canonical, const struct type *type, struct slice field)
{
	struct type_number number;
	if (!type_scan_number(&number, field))
		return "not a decimal";
	if (number.short_scale > type->scale)
		return "more digits behind the point than declared";
	if (number.integer_digits > precision_of(type) - type->scale)
		return "more digits before the point than declared";
	size_t dropped = number.scale - number.short_scale + (number.has_point && number.short_scale == 0);
	*canonical = number.is_zero ? SLICE("0") : (struct slice){field.data, field.length - dropped};
	return NULL;
}

typedef const char *number_fault_fn(struct slice *canonical, const struct type *type, struct slice plain);

/* As it stands where it may, and then in the plain form that the reading gives it. */
static const char *number_fault(struct type_value *value, const struct type_reading *reading,
                                struct slice field, number_fault_fn *fault_of)
{
	bool has_usual_point = reading->decimal == '\0' || reading->decimal == '.';
	const char *fault = has_usual_point ? fault_of(&value->text, &reading->type, field) : "not a number";
	if (fault == NULL || (has_usual_point && !reading->is_loose && reading->thousands == '\0'))
		return fault;
	struct slice plain = {value->scratch, number_plain(value->scratch, reading, field)};
	return plain.length > 0 ? fault_of(&value->text, &reading->type, plain) : fault;
}

static const char *real_fault(struct type_value *value, const struct type_reading *reading,
                              struct slice field)
{
	char text[NUMBER_REAL_MAX];
	struct slice plain = {value->scratch, number_plain(value->scratch, reading, field)};
	size_t length = number_real(text, plain);
	if (length == 0)
		return "not a real number";
	memcpy(value->scratch, text, length);
	value->text = (struct slice){value->scratch, length};
	return NULL;
}

static const char *boolean_fault(struct slice *canonical, struct slice field)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"1", true}, {"0", false}, {"true", true}, {"false", false},
	             {"t", true}, {"f", false}, {"yes", true},  {"no", false},
	             {"y", true}, {"n", false}, {"on", true},   {"off", false}};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strlen(words[i].word) != field.length ||
		    strncasecmp(words[i].word, field.data, field.length) != 0)
			continue;
		*canonical = words[i].value ? SLICE("1") : SLICE("0");
		return NULL;
	}
	return "not a boolean";
}

static const char *date_fault(struct type_value *value, const struct type_reading *reading,
                              struct slice field)
{
	size_t length = date_canonical(value->scratch, field, &reading->formats);
	value->text = (struct slice){value->scratch, length};
	return length > 0 ? NULL : "not a date";
}

static const char *datetime_fault(struct type_value *value, const struct type_reading *reading,
                                  struct slice field)
{
	size_t length = date_time_canonical(value->scratch, field, reading);
	value->text = (struct slice){value->scratch, length};
	if (length > 0)
		return NULL;
	return date_has_zone(field) && reading->zone == NULL ? "has a time zone" : "not a datetime";
}

struct slice type_trim(const struct type_reading *reading, struct slice field)
{
	if (!reading->trim)
		return field;
	while (field.length > 0 && strchr(" \t\r\n\v\f", field.data[field.length - 1]) != NULL &&
	       field.data[field.length - 1] != '\0')
		field.length--;
	while (field.length > 0 && strchr(" \t\r\n\v\f", *field.data) != NULL && *field.data != '\0') {
		field.data++;
		field.length--;
	}
	return field;
}

bool type_reads_null(const struct type_reading *reading, struct slice field)
{
	field = type_trim(reading, field);
	for (size_t i = 0; i < reading->null_count; i++)
		if (slice_equal(field, slice_from_string(reading->nulls[i])))
			return true;
	if (reading->has_nulls && reading->type.kind == TYPE_TEXT)
		return false;
	return type_is_null(&reading->type, field);
}

bool type_read(struct type_value *value, const struct type_reading *reading, struct slice field,
               const char **reason)
{
	const struct type *type = &reading->type;
	const char *fault = NULL;
	field = type_trim(reading, field);
	switch (type->kind) {
	case TYPE_TEXT:
		value->text = field;
		fault = text_fault(type, field);
		break;
	case TYPE_INTEGER:
		fault = number_fault(value, reading, field, integer_fault);
		break;
	case TYPE_DECIMAL:
		fault = number_fault(value, reading, field, decimal_fault);
		break;
	case TYPE_REAL:
		fault = real_fault(value, reading, field);
		break;
	case TYPE_BOOLEAN:
		fault = boolean_fault(&value->text, field);
		break;
	case TYPE_DATE:
		fault = date_fault(value, reading, field);
		break;
	case TYPE_DATETIME:
		fault = datetime_fault(value, reading, field);
		break;
	}
	if (fault != NULL)
		*reason = fault;
	return fault == NULL;
}

bool type_canonical(struct type_value *value, const struct type *type, const struct type_formats *formats,
                    struct slice field, const char **reason)
{
	struct type_reading reading = {.type = *type, .formats = *formats};
	return type_read(value, &reading, field, reason);
}
