// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <string.h>

#include "schema/date.h"
#include "schema/rescue.h"
#include "schema/row.h"
#include "schema/schema_map.h"

/*
 * Records to rows. What a field becomes is said by schema/type.h; most fields are taken by a shorter way to the
 * same cell, which is looked at and copied word by word.
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

/* Room for the text of a usual cell, behind its ordinal and length of a byte each; NULL: there is none. */
static inline char *usual_text(uint32_t ordinal, size_t length, struct buffer *out)
{
	enum { HEAD = 2, HEAD_MAX = 0x7f };
	static_assert((int)DATE_TEXT_SIZE <= HEAD_MAX, "a date is a usual cell");
	bool is_usual = length > 0 && length <= HEAD_MAX && ordinal <= HEAD_MAX;
	if (!is_usual || buffer_reserve(out, HEAD + HEAD_MAX) != RESULT_OK)
		return NULL;
	return out->data + out->length + HEAD;
}

/* Eight bytes, all of which must be of a kind. */
typedef bool word_fn(uint64_t word);

/* Neither NUL nor above 127. */
static inline bool are_plain(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
	return ((word | (word - ones)) & tops) == 0;
}

static inline bool are_digits(uint64_t word)
{
	const uint64_t sixes = UINT64_C(0x0606060606060606), highs = UINT64_C(0xf0f0f0f0f0f0f0f0);
	return ((word & highs) | (((word + sixes) & highs) >> 4)) == UINT64_C(0x3333333333333333);
}

static inline bool copy_word(word_fn *are, char *to, const char *from)
{
	uint64_t word;
	memcpy(&word, from, sizeof word);
	memcpy(to, &word, sizeof word);
	return are(word);
}

/* Copies 1 or more bytes, with words that overlap at the end. False: some are not of the kind. */
static inline bool copy_if(word_fn *are, char *to, const char *from, size_t length)
{
	uint64_t word = UINT64_C(0x3131313131313131); /* of every kind */
	uint32_t first, second;
	if (length >= sizeof word) {
		size_t last = length - sizeof word;
		bool fit = copy_word(are, to + last, from + last);
		for (size_t i = 0; i < last; i += sizeof word)
			fit &= copy_word(are, to + i, from + i);
		return fit;
	}
	if (length >= sizeof first) {
		memcpy(&first, from, sizeof first);
		memcpy(&second, from + length - sizeof second, sizeof second);
		memcpy(to, &first, sizeof first);
		memcpy(to + length - sizeof second, &second, sizeof second);
		return are(first | (uint64_t)second << 32);
	}
	for (size_t i = 0; i < length; i++) {
		word = word << 8 | (unsigned char)from[i];
		to[i] = from[i];
	}
	return are(word);
}

/* A usual field by the short way. False, and nothing happened: it is none, or there is no room. */
static inline bool append_usual(const struct schema_map_cell *cell, struct slice field, struct buffer *out)
{
	enum { INTEGER_DIGITS = 18 };
	const struct type *type = &cell->reading.type;
	char *text = usual_text(cell->ordinal, field.length, out);
	if (text == NULL)
		return false;
	size_t length = field.length;
	switch (cell->way) {
	case SCHEMA_MAP_TEXT:
		/* There are no more characters than bytes. */
		if ((type->length > 0 && length > type->length) ||
		    !copy_if(are_plain, text, field.data, length))
			return false;
		break;
	case SCHEMA_MAP_INTEGER:
		if (length > INTEGER_DIGITS || (*field.data == '0' && length > 1) ||
		    !copy_if(are_digits, text, field.data, length))
			return false;
		break;
	case SCHEMA_MAP_DATE:
		length = date_canonical(text, field, &cell->reading.formats);
		if (length == 0)
			return false;
		break;
	case SCHEMA_MAP_ANY:
		return false;
	}
	text[-2] = (char)cell->ordinal;
	text[-1] = (char)length;
	out->length = (size_t)(text - out->data) + length;
	return true;
}

static enum result append_cells(struct reading *reading, struct buffer *out)
{
	const struct schema_map *map = reading->map;
	for (size_t i = 0; i < map->cell_count; i++) {
		const struct schema_map_cell *cell = &map->cells[i];
		enum result result = RESULT_OK;
		if (cell->field < reading->count) {
			struct slice field = reading->fields[cell->field];
			if (!append_usual(cell, field, out))
				result = append_field(reading, cell, field, out);
		} else if (!cell->is_rescued)
			result = append_missing(cell, out);
		else if (reading->rescued.data != NULL)
			result = row_append(out, cell->ordinal, reading->rescued);
		if (result != RESULT_OK)
			return result;
	}
	return RESULT_OK;
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
