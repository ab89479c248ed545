// SPDX-License-Identifier: Apache-2.0
#include "schema/infer.h"

#include "schema/provenance.h"

#include <stdlib.h>
#include <string.h>

#include "schema/number.h"

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
	bool is_widening;      /* it has a type, which may become wider */
	bool is_integer;       /* every number is one */
	size_t integer_digits; /* longest seen */
	size_t scale;          /* longest seen */
};

/* A column that turned out to be text leaves the candidates: the rest of the file costs it nothing. */
struct infer {
	size_t count;
	struct candidate candidates[];
};

enum { INTEGER_DIGITS = 19 }; /* of 64 bits */

/* By the configuration, or by the table that is there. */
static bool is_declared(const struct schema_spec *spec, const struct schema_column *column)
{
	char name[SCHEMA_NAME_MAX + 1];
	if (spec->present != NULL && schema_find(spec->present, column->name) != NULL)
		return true;
	for (size_t i = 0; i < spec->count; i++)
		if (spec->columns[i].has_type && schema_declared_name(name, &spec->columns[i]) &&
		    schema_same_name(name, column->name))
			return true;
	return false;
}

static struct infer *allocate(size_t most)
{
	return calloc(1, sizeof(struct infer) + most * sizeof(struct candidate));
}

struct infer *infer_new(const struct schema *schema, const struct schema_spec *spec, size_t first)
{
	struct infer *infer = allocate(schema->count - first);
	if (infer == NULL)
		return NULL;
	for (size_t i = first; i < schema->count; i++)
		if (!is_declared(spec, &schema->columns[i]) &&
		    strcmp(schema->columns[i].name, SCHEMA_RESCUED) != 0 &&
		    !provenance_is_name(schema->columns[i].name))
			infer->candidates[infer->count++] =
			    (struct candidate){.column = (uint32_t)i, .is_integer = true};
	return infer;
}

struct infer *infer_new_wider(const struct schema *schema, const struct schema_spec *spec)
{
	struct infer *infer = allocate(schema->count);
	if (infer == NULL)
		return NULL;
	for (size_t i = 0; i < schema->count; i++) {
		const struct type *type = &schema->columns[i].type;
		bool is_integer = type->kind == TYPE_INTEGER;
		unsigned precision = type->precision > 0 ? type->precision : TYPE_PRECISION_USUAL;
		if ((!is_integer && type->kind != TYPE_DECIMAL) || schema->columns[i].is_key ||
		    is_declared(spec, &schema->columns[i]))
			continue;
		infer->candidates[infer->count++] = (struct candidate){
		    .column = (uint32_t)i,
		    .guess = GUESS_NUMBER,
		    .is_widening = true,
		    .is_integer = is_integer,
		    .integer_digits = is_integer ? INTEGER_DIGITS : precision - type->scale,
		    .scale = type->scale,
		};
	}
	return infer;
}

static bool fits_kind(enum type_kind kind, const struct type_reading *reading, struct slice field)
{
	struct type_reading strict = {.type.kind = kind, .trim = reading->trim};
	struct type_value value;
	const char *reason;
	return type_read(&value, &strict, field, &reason);
}

/* -0 would come back as 0. */
static bool is_plain_number(struct type_number *number, const struct type_reading *reading,
                            struct slice field)
{
	char plain[NUMBER_TEXT_MAX];
	struct type_reading strict = *reading;
	strict.is_loose = false;
	field = type_trim(reading, field);
	if (reading->thousands != '\0' || (reading->decimal != '\0' && reading->decimal != '.'))
		field = (struct slice){plain, number_plain(plain, &strict, field)};
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
	size_t most = candidate->is_widening ? TYPE_PRECISION_MAX : TYPE_PRECISION_USUAL;
	return candidate->scale <= TYPE_SCALE_MAX && candidate->integer_digits <= most - candidate->scale;
}

/* A number that no type holds with the others makes them text; where there is a type it is passed over. */
static enum guess guess_number(struct candidate *candidate, const struct type_number *number)
{
	struct candidate before = *candidate;
	widen(candidate, number);
	if (fits_decimal(candidate))
		return GUESS_NUMBER;
	if (!candidate->is_widening)
		return GUESS_TEXT;
	*candidate = before;
	return GUESS_NUMBER;
}

static enum guess guess_again(struct candidate *candidate, const struct type_reading *reading,
                              struct slice field)
{
	struct type_number number;
	switch (candidate->guess) {
	case GUESS_NOTHING:
		if (is_plain_number(&number, reading, field))
			return guess_number(candidate, &number);
		if (fits_kind(TYPE_DATE, reading, field))
			return GUESS_DATE;
		return fits_kind(TYPE_DATETIME, reading, field) ? GUESS_DATETIME : GUESS_TEXT;
	case GUESS_NUMBER:
		if (is_plain_number(&number, reading, field))
			return guess_number(candidate, &number);
		return candidate->is_widening ? GUESS_NUMBER : GUESS_TEXT;
	case GUESS_DATE:
		return fits_kind(TYPE_DATE, reading, field) ? GUESS_DATE : GUESS_TEXT;
	case GUESS_DATETIME:
		return fits_kind(TYPE_DATETIME, reading, field) ? GUESS_DATETIME : GUESS_TEXT;
	case GUESS_TEXT:
		break;
	}
	return GUESS_TEXT;
}

/* Missing as a typed value would be. */
static bool is_missing(const struct type_reading *reading, struct slice field)
{
	struct type_reading typed = *reading;
	typed.type.kind = TYPE_INTEGER;
	return type_reads_null(&typed, field);
}

void infer_record(struct infer *infer, const struct schema_map *map, const struct slice *fields, size_t count)
{
	if (count != map->field_count && map->ragged == SCHEMA_RAGGED_REJECT)
		return;
	for (size_t i = 0; i < infer->count;) {
		struct candidate *candidate = &infer->candidates[i];
		const struct schema_map_cell *cell = &map->cells[candidate->column];
		if (cell->field < count && !is_missing(&cell->reading, fields[cell->field]))
			candidate->guess = guess_again(candidate, &cell->reading, fields[cell->field]);
		if (candidate->guess == GUESS_TEXT)
			*candidate = infer->candidates[--infer->count];
		else
			i++;
	}
}

static struct type type_of(const struct candidate *candidate)
{
	size_t precision = TYPE_PRECISION_USUAL;
	switch (candidate->guess) {
	case GUESS_NUMBER:
		if (candidate->is_integer)
			return (struct type){.kind = TYPE_INTEGER};
		if (candidate->integer_digits + candidate->scale > precision)
			precision = candidate->integer_digits + candidate->scale;
		return (struct type){.kind = TYPE_DECIMAL,
		                     .precision = (uint16_t)precision,
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

bool infer_finish(const struct infer *infer, struct schema *schema)
{
	bool has_changed = false;
	for (size_t i = 0; i < infer->count; i++) {
		struct type *type = &schema->columns[infer->candidates[i].column].type;
		struct type found = type_of(&infer->candidates[i]);
		if (infer->candidates[i].is_widening) {
			has_changed |= type_widen(type, &found);
			continue;
		}
		has_changed |= found.kind != type->kind;
		*type = found;
	}
	return has_changed;
}

void infer_free(struct infer *infer)
{
	free(infer);
}
