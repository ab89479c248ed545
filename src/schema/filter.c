// SPDX-License-Identifier: Apache-2.0
#include "schema/filter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "schema/row.h"

enum comparison {
	COMPARISON_EQUAL,
	COMPARISON_UNEQUAL,
	COMPARISON_LESS,
	COMPARISON_AT_MOST,
	COMPARISON_GREATER,
	COMPARISON_AT_LEAST,
	COMPARISON_IN,
	COMPARISON_NOT_IN,
	COMPARISON_NULL,
	COMPARISON_NOT_NULL,
};

enum { VALUES_MAX = 1000 };

/* One text. Column and values are as they are written until the schema is known. */
struct condition {
	uint32_t ordinal;
	enum type_kind kind;
	enum comparison comparison;
	char *column;
	char **values; /* canonical behind filter_open() */
	size_t value_count;
};

struct filter {
	size_t count;
	struct condition conditions[];
};

static void clear(struct condition *condition)
{
	for (size_t i = 0; i < condition->value_count; i++)
		free(condition->values[i]);
	free(condition->values);
	free(condition->column);
}

static void skip_blanks(const char **at)
{
	*at += strspn(*at, " \t");
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       (c & 0x80) != 0;
}

/* Takes a keyword, in any case. */
static bool take_word(const char **at, const char *word)
{
	skip_blanks(at);
	size_t length = strlen(word);
	if (strncasecmp(*at, word, length) != 0 || is_word_byte((*at)[length]))
		return false;
	*at += length;
	return true;
}

static bool take_sign(const char **at, const char *sign)
{
	skip_blanks(at);
	size_t length = strlen(sign);
	if (strncmp(*at, sign, length) != 0)
		return false;
	*at += length;
	return true;
}

/* What stands in quotes, the quote doubled within. NULL: it does not end, or there is no memory. */
static char *take_quoted(const char **at)
{
	char quote = *(*at)++;
	char *text = malloc(strlen(*at) + 1);
	size_t length = 0;
	for (; text != NULL && **at != '\0'; (*at)++) {
		if (**at == quote && *++*at != quote) {
			text[length] = '\0';
			return text;
		}
		text[length++] = **at;
	}
	free(text);
	return NULL;
}

static char *take_bare(const char **at, const char *ends)
{
	size_t length = strcspn(*at, ends);
	char *text = length > 0 ? strndup(*at, length) : NULL;
	*at += length;
	return text;
}

static char *take_column(const char **at)
{
	skip_blanks(at);
	if (**at == '"' || **at == '`')
		return take_quoted(at);
	size_t length = 0;
	while (is_word_byte((*at)[length]))
		length++;
	char *text = length > 0 ? strndup(*at, length) : NULL;
	*at += length;
	return text;
}

static bool take_value(const char **at, struct condition *condition)
{
	skip_blanks(at);
	if (condition->value_count == VALUES_MAX)
		return false;
	char **values = reallocarray(condition->values, condition->value_count + 1, sizeof *values);
	if (values == NULL)
		return false;
	condition->values = values;
	char *value = **at == '\'' ? take_quoted(at) : take_bare(at, " \t,()'\"`");
	if (value == NULL)
		return false;
	values[condition->value_count++] = value;
	return true;
}

static bool take_list(const char **at, struct condition *condition)
{
	if (!take_sign(at, "("))
		return false;
	do {
		if (!take_value(at, condition))
			return false;
	} while (take_sign(at, ","));
	return take_sign(at, ")");
}

/* A sign that begins like another stands behind it. */
static bool take_comparison(const char **at, struct condition *condition)
{
	static const struct {
		const char *sign;
		enum comparison comparison;
	} signs[] = {{"=", COMPARISON_EQUAL},    {"!=", COMPARISON_UNEQUAL},  {"<>", COMPARISON_UNEQUAL},
	             {"<=", COMPARISON_AT_MOST}, {">=", COMPARISON_AT_LEAST}, {"<", COMPARISON_LESS},
	             {">", COMPARISON_GREATER}};
	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
		if (!take_sign(at, signs[i].sign))
			continue;
		condition->comparison = signs[i].comparison;
		return take_value(at, condition);
	}
	return false;
}

static bool parse(struct condition *condition, const char *text)
{
	const char *at = text;
	condition->column = take_column(&at);
	if (condition->column == NULL)
		return false;
	bool is_taken;
	if (take_word(&at, "is")) {
		condition->comparison = take_word(&at, "not") ? COMPARISON_NOT_NULL : COMPARISON_NULL;
		is_taken = take_word(&at, "null");
	} else if (take_word(&at, "not")) {
		condition->comparison = COMPARISON_NOT_IN;
		is_taken = take_word(&at, "in") && take_list(&at, condition);
	} else if (take_word(&at, "in")) {
		condition->comparison = COMPARISON_IN;
		is_taken = take_list(&at, condition);
	} else {
		is_taken = take_comparison(&at, condition);
	}
	skip_blanks(&at);
	return is_taken && *at == '\0';
}

static enum result no_filter(const char *text, struct error *error)
{
	return error_set(
	    error, RESULT_CONFIG,
	    "where '%s' is none of: COLUMN = VALUE (!= < <= > >=), COLUMN [not] in (VALUE, ...), "
	    "COLUMN is [not] null",
	    text);
}

enum result filter_check(const char *text, struct error *error)
{
	struct condition condition = {0};
	bool is_filter = parse(&condition, text);
	clear(&condition);
	return is_filter ? RESULT_OK : no_filter(text, error);
}

static const struct schema_column *find_column(const struct schema *schema, const char *name)
{
	const struct schema_column *column = schema_find(schema, name);
	for (size_t i = 0; column == NULL && i < schema->count; i++)
		if (strcmp(schema->columns[i].source, name) == 0)
			column = &schema->columns[i];
	char made[SCHEMA_NAME_MAX + 1];
	if (column == NULL && schema_name(made, slice_from_string(name)))
		column = schema_find(schema, made);
	return column;
}

static enum result make_canonical(char **value, const struct type_reading *reading, const char *text,
                                  struct error *error)
{
	struct type_value canonical;
	const char *reason;
	if (!type_read(&canonical, reading, slice_from_string(*value), &reason))
		return error_set(error, RESULT_CONFIG, "where '%s': '%s' is %s", text, *value, reason);
	char *copy = strndup(canonical.text.data, canonical.text.length);
	if (copy == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	free(*value);
	*value = copy;
	return RESULT_OK;
}

static enum result resolve(struct condition *condition, const struct schema *schema,
                           const struct type_reading *const *readings, const char *text, struct error *error)
{
	const struct schema_column *column = find_column(schema, condition->column);
	if (column == NULL)
		return error_set(error, RESULT_CONFIG, "where '%s': there is no column '%s'", text,
		                 condition->column);
	condition->ordinal = column->ordinal;
	condition->kind = column->type.kind;
	enum result result = RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i < condition->value_count; i++)
		result =
		    make_canonical(&condition->values[i], readings[column - schema->columns], text, error);
	return result;
}

enum result filter_open(struct filter **out, const struct schema *schema,
                        const struct type_reading *const *readings, const char *const *texts, size_t count,
                        struct error *error)
{
	struct filter *filter = calloc(1, sizeof *filter + count * sizeof filter->conditions[0]);
	if (filter == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result = RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i < count; i++) {
		struct condition *condition = &filter->conditions[filter->count++];
		result = parse(condition, texts[i]) ? resolve(condition, schema, readings, texts[i], error)
		                                    : no_filter(texts[i], error);
	}
	if (result != RESULT_OK) {
		filter_free(filter);
		return result;
	}
	*out = filter;
	return RESULT_OK;
}

void filter_free(struct filter *filter)
{
	if (filter == NULL)
		return;
	for (size_t i = 0; i < filter->count; i++)
		clear(&filter->conditions[i]);
	free(filter);
}

static int compare_bytes(struct slice a, struct slice b)
{
	size_t shorter = a.length < b.length ? a.length : b.length;
	int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
	return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static size_t integer_length(struct slice digits)
{
	const char *point = memchr(digits.data, '.', digits.length);
	return point != NULL ? (size_t)(point - digits.data) : digits.length;
}

/* Canonical numbers: the longer integer part is greater, and equally long ones compare byte by byte. */
static int compare_numbers(struct slice a, struct slice b)
{
	bool a_negative = a.length > 0 && *a.data == '-', b_negative = b.length > 0 && *b.data == '-';
	if (a_negative != b_negative)
		return a_negative ? -1 : 1;
	a = (struct slice){a.data + a_negative, a.length - a_negative};
	b = (struct slice){b.data + b_negative, b.length - b_negative};
	size_t a_length = integer_length(a), b_length = integer_length(b);
	int order =
	    a_length != b_length ? (a_length > b_length) - (a_length < b_length) : compare_bytes(a, b);
	return a_negative ? -order : order;
}

/* A canonical real is short. */
static double real_of(struct slice text)
{
	char copy[TYPE_SCRATCH_SIZE + 1];
	size_t length = text.length < sizeof copy ? text.length : sizeof copy - 1;
	memcpy(copy, text.data, length);
	copy[length] = '\0';
	return strtod(copy, NULL);
}

static int compare(enum type_kind kind, struct slice a, const char *value)
{
	struct slice b = slice_from_string(value);
	if (kind == TYPE_INTEGER || kind == TYPE_DECIMAL)
		return compare_numbers(a, b);
	if (kind != TYPE_REAL)
		return compare_bytes(a, b);
	double left = real_of(a), right = real_of(b);
	return (left > right) - (left < right);
}

static bool is_listed(const struct condition *condition, struct slice text)
{
	for (size_t i = 0; i < condition->value_count; i++)
		if (compare(condition->kind, text, condition->values[i]) == 0)
			return true;
	return false;
}

static bool holds_for(const struct condition *condition, struct slice text)
{
	switch (condition->comparison) {
	case COMPARISON_EQUAL:
	case COMPARISON_IN:
		return is_listed(condition, text);
	case COMPARISON_UNEQUAL:
	case COMPARISON_NOT_IN:
		return !is_listed(condition, text);
	case COMPARISON_LESS:
		return compare(condition->kind, text, condition->values[0]) < 0;
	case COMPARISON_AT_MOST:
		return compare(condition->kind, text, condition->values[0]) <= 0;
	case COMPARISON_GREATER:
		return compare(condition->kind, text, condition->values[0]) > 0;
	case COMPARISON_AT_LEAST:
		return compare(condition->kind, text, condition->values[0]) >= 0;
	case COMPARISON_NULL:
		return false;
	case COMPARISON_NOT_NULL:
		return true;
	}
	return false;
}

static bool find_cell(struct slice row, uint32_t ordinal, struct row_cell *cell)
{
	size_t position = 0;
	while (row_next(row, &position, cell) && cell->ordinal <= ordinal)
		if (cell->ordinal == ordinal)
			return true;
	return false;
}

bool filter_holds(const struct filter *filter, struct slice row)
{
	for (size_t i = 0; i < filter->count; i++) {
		const struct condition *condition = &filter->conditions[i];
		struct row_cell cell;
		bool holds = find_cell(row, condition->ordinal, &cell)
		                 ? holds_for(condition, cell.text)
		                 : condition->comparison == COMPARISON_NULL;
		if (!holds)
			return false;
	}
	return true;
}
