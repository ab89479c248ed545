// SPDX-License-Identifier: Apache-2.0
#include "schema/infer.h"

#include <stdlib.h>

/* What the values seen so far have in common. Kinds cannot be confused: no value is of two of them. */
enum guess {
	GUESS_NOTHING, /* no value yet */
	GUESS_NUMBER,
	GUESS_DATE,
	GUESS_DATETIME,
	GUESS_TEXT,
};

struct candidate {
	uint32_t column;
	enum guess guess;
	bool is_integer;       /* every number is one */
	size_t integer_digits; /* longest seen */
	size_t scale;          /* longest seen */
};

/* A column that turned out to be text leaves the candidates: the rest of the file costs it nothing. */
struct infer {
	size_t count;
	struct candidate candidates[];
};

static bool is_declared(const struct schema_spec *spec, const struct schema_column *column)
{
	char name[SCHEMA_NAME_MAX + 1];
	for (size_t i = 0; i < spec->count; i++)
		if (spec->columns[i].has_type && schema_declared_name(name, &spec->columns[i]) &&
		    schema_same_name(name, column->name))
			return true;
	return false;
}

struct infer *infer_new(const struct schema *schema, const struct schema_spec *spec, size_t first)
{
	size_t most = schema->count - first;
	struct infer *infer = calloc(1, sizeof *infer + most * sizeof infer->candidates[0]);
	if (infer == NULL)
		return NULL;
	for (size_t i = first; i < schema->count; i++)
		if (!is_declared(spec, &schema->columns[i]))
			infer->candidates[infer->count++] =
			    (struct candidate){.column = (uint32_t)i, .is_integer = true};
	return infer;
}

static bool fits_kind(enum type_kind kind, struct slice field)
{
	const struct type type = {.kind = kind};
	const struct type_formats built_in = {0};
	struct type_value value;
	const char *reason;
	return type_canonical(&value, &type, &built_in, field, &reason);
}

/* -0 would come back as 0. */
static bool is_plain_number(struct type_number *number, struct slice field)
{
	return type_scan_number(number, field) && !(number->is_zero && number->is_negative);
}

static void widen(struct candidate *candidate, const struct type_number *number)
{
	candidate->is_integer &= number->fits_integer;
	if (number->integer_digits > candidate->integer_digits)
		candidate->integer_digits = number->integer_digits;
	if (number->scale > candidate->scale)
		candidate->scale = number->scale;
}

static bool fits_decimal(const struct candidate *candidate)
{
	return candidate->scale <= TYPE_SCALE_MAX &&
	       candidate->integer_digits <= TYPE_PRECISION_USUAL - candidate->scale;
}

static enum guess guess_number(struct candidate *candidate, const struct type_number *number)
{
	widen(candidate, number);
	return fits_decimal(candidate) ? GUESS_NUMBER : GUESS_TEXT;
}

static enum guess guess_again(struct candidate *candidate, struct slice field)
{
	struct type_number number;
	switch (candidate->guess) {
	case GUESS_NOTHING:
		if (is_plain_number(&number, field))
			return guess_number(candidate, &number);
		if (fits_kind(TYPE_DATE, field))
			return GUESS_DATE;
		return fits_kind(TYPE_DATETIME, field) ? GUESS_DATETIME : GUESS_TEXT;
	case GUESS_NUMBER:
		return is_plain_number(&number, field) ? guess_number(candidate, &number) : GUESS_TEXT;
	case GUESS_DATE:
		return fits_kind(TYPE_DATE, field) ? GUESS_DATE : GUESS_TEXT;
	case GUESS_DATETIME:
		return fits_kind(TYPE_DATETIME, field) ? GUESS_DATETIME : GUESS_TEXT;
	case GUESS_TEXT:
		break;
	}
	return GUESS_TEXT;
}

void infer_record(struct infer *infer, const struct schema_map *map, const struct slice *fields, size_t count)
{
	static const struct type any_typed = {.kind = TYPE_INTEGER};
	if (count != map->field_count)
		return;
	for (size_t i = 0; i < infer->count;) {
		struct candidate *candidate = &infer->candidates[i];
		uint32_t field = map->cells[candidate->column].field;
		if (field < count && !type_is_null(&any_typed, fields[field]))
			candidate->guess = guess_again(candidate, fields[field]);
		if (candidate->guess == GUESS_TEXT)
			*candidate = infer->candidates[--infer->count];
		else
			i++;
	}
}

static struct type type_of(const struct candidate *candidate)
{
	switch (candidate->guess) {
	case GUESS_NUMBER:
		if (candidate->is_integer)
			return (struct type){.kind = TYPE_INTEGER};
		return (struct type){.kind = TYPE_DECIMAL,
		                     .precision = TYPE_PRECISION_USUAL,
		                     .scale = (uint16_t)candidate->scale};
	case GUESS_DATE:
		return (struct type){.kind = TYPE_DATE};
	case GUESS_DATETIME:
		return (struct type){.kind = TYPE_DATETIME};
	case GUESS_NOTHING:
	case GUESS_TEXT:
		break;
	}
	return (struct type){.kind = TYPE_TEXT};
}

void infer_finish(const struct infer *infer, struct schema *schema)
{
	for (size_t i = 0; i < infer->count; i++)
		schema->columns[infer->candidates[i].column].type = type_of(&infer->candidates[i]);
}

void infer_free(struct infer *infer)
{
	free(infer);
}
