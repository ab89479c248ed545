// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <string.h>

#include "schema/rescue.h"
#include "schema/row.h"
#include "schema/schema_map.h"

/*
 * Records to rows. What a field becomes is said by schema/type.h; most fields are taken by a shorter way to the
 * same cell, which is looked at and copied in large steps.
 */

/* A record on its way to a row. */
struct reading {
	const struct schema_map *map;
	const struct slice *fields;
	size_t count;
	struct slice rescued; /* of SCHEMA_RESCUED; data NULL: nothing, or not known yet */
	bool has_bad_values;
	struct schema_fault *fault;
};

static enum result append_missing(const struct schema_map_cell *cell, struct buffer *out)
{
	return cell->fallback.data == NULL ? RESULT_OK : row_append(out, cell->ordinal, cell->fallback);
}

/* Would the plain number fit an integer or decimal that is as large as it takes? */
static bool fits_wider(const struct schema_map_cell *cell, struct slice field)
{
	struct type_reading wide = cell->reading;
	wide.type =
	    (struct type){.kind = TYPE_DECIMAL, .precision = TYPE_PRECISION_MAX, .scale = TYPE_SCALE_MAX};
	struct type_value value;
	const char *reason;
	return cell->is_widenable && type_read(&value, &wide, field, &reason);
}

static enum result take_bad_value(struct reading *reading, const struct schema_map_cell *cell,
                                  struct slice field, struct buffer *out)
{
	if (reading->map->bad_value == SCHEMA_BAD_VALUE_REJECT || fits_wider(cell, field)) {
		reading->fault->column = cell->name;
		reading->fault->is_widenable = fits_wider(cell, field);
		return RESULT_INVALID;
	}
	reading->has_bad_values = true;
	return append_missing(cell, out);
}

static enum result append_field(struct reading *reading, const struct schema_map_cell *cell,
                                struct slice field, struct buffer *out)
{
	bool is_null = cell->is_plain ? type_is_null(&cell->reading.type, field)
	                              : type_reads_null(&cell->reading, field);
	if (is_null)
		return append_missing(cell, out);
	struct type_value value;
	if (!type_read(&value, &cell->reading, field, &reading->fault->reason))
		return take_bad_value(reading, cell, field, out);
	return row_append(out, cell->ordinal, value.text);
}

enum {
	HEAD = 2, /* an ordinal and a length of a byte each */
	TEXT_MAX = 0x7f,
	STEP = SLICE_SLACK,
	USUAL_CELL_MAX = HEAD + TEXT_MAX + STEP, /* as texts are copied step by step */
};
static_assert((int)DATE_TEXT_SIZE <= (int)TEXT_MAX, "a date is a usual cell");

/* Half a step. */
typedef uint8_t block __attribute__((vector_size(STEP / 2)));
typedef int8_t signed_block __attribute__((vector_size(STEP / 2)));

/* All bits of each byte that is wrong, and none of the others. */
typedef block faults_fn(block bytes);

/* NUL, or above 127. */
static inline block text_faults(block bytes)
{
	return (block)((signed_block)bytes <= 0);
}

static inline block digit_faults(block bytes)
{
	return (block)(bytes - '0' > 9);
}

static inline block load(const void *from)
{
	block bytes;
	memcpy(&bytes, from, sizeof bytes);
	return bytes;
}

/*
 * Copies bytes with their slack, for a branch on the length of a short text is guessed wrong too often. False: some are
 * wrong; the slack is not looked at.
 */
static inline bool copy_text(char *to, const char *from, size_t length, faults_fn *faults_of)
{
	static const uint8_t wanted[2 * STEP] = {[0 ... STEP - 1] = 0xff};
	block faults = {0};
	for (size_t i = 0; i < length; i += STEP) {
		const uint8_t *mask = wanted + (length - i < STEP ? STEP - (length - i) : 0);
		block first = load(from + i), second = load(from + i + sizeof first);
		memcpy(to + i, &first, sizeof first);
		memcpy(to + i + sizeof first, &second, sizeof second);
		faults |= faults_of(first) & load(mask);
		faults |= faults_of(second) & load(mask + sizeof first);
	}
	uint64_t halves[2];
	memcpy(halves, &faults, sizeof halves);
	return (halves[0] | halves[1]) == 0;
}

/* The cell of a usual field; says where it ends. NULL: the field is not usual. */
static inline char *put_usual(const struct schema_map_cell *cell, struct slice field, char *at)
{
	enum { INTEGER_DIGITS = 18 };
	const struct type *type = &cell->reading.type;
	size_t length = field.length;
	char *text = at + HEAD;
	if (length == 0 || length > TEXT_MAX || cell->ordinal > TEXT_MAX)
		return NULL;
	switch (cell->way) {
	case SCHEMA_MAP_TEXT:
		/* There are no more characters than bytes. */
		if ((type->length > 0 && length > type->length) ||
		    !copy_text(text, field.data, length, text_faults))
			return NULL;
		break;
	case SCHEMA_MAP_INTEGER:
		if (length > INTEGER_DIGITS || (*field.data == '0' && length > 1) ||
		    !copy_text(text, field.data, length, digit_faults))
			return NULL;
		break;
	case SCHEMA_MAP_DATE:
		length = date_memo_canonical(cell->memo, text, field, &cell->reading.formats);
		if (length == 0)
			return NULL;
		break;
	case SCHEMA_MAP_ANY:
		return NULL;
	}
	at[0] = (char)cell->ordinal;
	at[1] = (char)length;
	return text + length;
}

/* Usual cells from `first` on; says which is the first that is not. */
static size_t append_usual(const struct reading *reading, size_t first, struct buffer *out)
{
	enum { AHEAD = 1024 };
	const struct schema_map *map = reading->map;
	size_t i = first;
	if (buffer_reserve(out, (map->cell_count - first) * USUAL_CELL_MAX) != RESULT_OK)
		return i;
	char *at = out->data + out->length;
	__builtin_prefetch(at + AHEAD, 1); /* rows fill more memory than any cache holds */
	for (; i < map->cell_count && map->cells[i].field < reading->count; i++) {
		char *behind = put_usual(&map->cells[i], reading->fields[map->cells[i].field], at);
		if (behind == NULL)
			break;
		at = behind;
	}
	out->length = (size_t)(at - out->data);
	return i;
}

static enum result append_cell(struct reading *reading, const struct schema_map_cell *cell,
                               struct buffer *out)
{
	if (cell->field < reading->count)
		return append_field(reading, cell, reading->fields[cell->field], out);
	if (!cell->is_rescued)
		return append_missing(cell, out);
	return reading->rescued.data != NULL ? row_append(out, cell->ordinal, reading->rescued) : RESULT_OK;
}

static enum result append_cells(struct reading *reading, struct buffer *out)
{
	const struct schema_map *map = reading->map;
	enum result result = RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && (i = append_usual(reading, i, out)) < map->cell_count; i++)
		result = append_cell(reading, &map->cells[i], out);
	return result;
}

static bool is_bad_value(const struct schema_map_cell *cell, struct slice field)
{
	struct type_value value;
	const char *reason;
	return !type_reads_null(&cell->reading, field) && !type_read(&value, &cell->reading, field, &reason);
}

static enum result rescue(struct reading *reading)
{
	const struct schema_map *map = reading->map;
	enum result result = rescue_fields(map->rescue, reading->fields, reading->count);
	bool wants_values = reading->has_bad_values && map->bad_value == SCHEMA_BAD_VALUE_RESCUE;
	for (size_t i = 0; wants_values && result == RESULT_OK && i < map->cell_count; i++) {
		const struct schema_map_cell *cell = &map->cells[i];
		if (cell->field < reading->count && is_bad_value(cell, reading->fields[cell->field]))
			result = rescue_value(map->rescue, cell->name, reading->fields[cell->field]);
	}
	struct slice text = {NULL, 0};
	enum result ended = rescue_text(map->rescue, &text);
	reading->rescued = text;
	return result == RESULT_OK ? ended : result;
}

/* Where nothing is rescued the cells are the row; else they are made once more, with what was. */
static enum result append_row(struct reading *reading, struct buffer *out)
{
	size_t start = out->length;
	enum result result = append_cells(reading, out);
	if (result != RESULT_OK || reading->map->rescue == NULL)
		return result;
	result = rescue(reading);
	if (result == RESULT_INVALID)
		*reading->fault = (struct schema_fault){.column = SCHEMA_RESCUED, .reason = "invalid UTF-8"};
	if (result != RESULT_OK || reading->rescued.data == NULL)
		return result;
	out->length = start;
	return append_cells(reading, out);
}

static bool is_empty(const struct slice *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fields[i].length > 0)
			return false;
	return true;
}

/* Why a record of another field count than the header's is none; NULL: it is. */
static const char *ragged_fault(const struct schema_map *map, const struct slice *fields, size_t count)
{
	if (map->ragged == SCHEMA_RAGGED_RESCUE)
		return NULL;
	if (count < map->field_count)
		return map->ragged == SCHEMA_RAGGED_PAD ? NULL : "too few fields";
	bool is_padding =
	    map->ragged == SCHEMA_RAGGED_PAD && is_empty(fields + map->field_count, count - map->field_count);
	return is_padding ? NULL : "too many fields";
}

enum result schema_map_row(const struct schema_map *map, const struct slice *fields, size_t count,
                           struct buffer *out, struct schema_fault *fault)
{
	*fault = (struct schema_fault){0};
	if (count != map->field_count && (fault->reason = ragged_fault(map, fields, count)) != NULL)
		return RESULT_INVALID;
	size_t start = out->length;
	struct reading reading = {.map = map, .fields = fields, .count = count, .fault = fault};
	enum result result = append_row(&reading, out);
	if (result != RESULT_OK)
		out->length = start;
	return result;
}
