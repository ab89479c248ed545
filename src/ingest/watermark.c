// SPDX-License-Identifier: Apache-2.0
#include "ingest/watermark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/commit.h"
#include "schema/stored.h"

const struct schema_column *watermark_column(const struct dataset *dataset)
{
	char name[SCHEMA_NAME_MAX + 1];
	const struct schema_spec *spec = &dataset->options.spec;
	if (spec->watermark == NULL || !identity_name(name, spec, spec->watermark))
		return NULL;
	return schema_find(dataset->schema, name);
}

bool watermark_is_other(const struct dataset *dataset, const struct state_watermark *begun)
{
	const struct schema_column *column = watermark_column(dataset);
	return column != NULL && begun->column[0] != '\0' && strcmp(begun->column, column->name) != 0;
}

/* Whole digits in front of the point. */
static size_t digits_of(struct slice text)
{
	size_t count = 0;
	while (count < text.length && text.data[count] != '.')
		count++;
	return count;
}

static int compare_bytes(struct slice a, struct slice b)
{
	size_t shorter = a.length < b.length ? a.length : b.length;
	int order = memcmp(a.data, b.data, shorter);
	return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

/* Canonical numbers: no leading zeros, no trailing ones behind the point. */
static int compare_numbers(struct slice a, struct slice b)
{
	bool a_is_negative = a.data[0] == '-';
	bool b_is_negative = b.data[0] == '-';
	if (a_is_negative != b_is_negative)
		return a_is_negative ? -1 : 1;
	struct slice left = {a.data + a_is_negative, a.length - a_is_negative};
	struct slice right = {b.data + a_is_negative, b.length - a_is_negative};
	size_t left_digits = digits_of(left);
	size_t right_digits = digits_of(right);
	int order =
	    left_digits != right_digits ? (left_digits > right_digits ? 1 : -1) : compare_bytes(left, right);
	return a_is_negative ? -order : order;
}

static int compare_reals(struct slice a, struct slice b)
{
	char text[STATE_WATERMARK_MAX + 1];
	snprintf(text, sizeof text, "%.*s", (int)a.length, a.data);
	double left = strtod(text, NULL);
	snprintf(text, sizeof text, "%.*s", (int)b.length, b.data);
	double right = strtod(text, NULL);
	return (left > right) - (left < right);
}

static int compare(enum type_kind kind, struct slice a, struct slice b)
{
	if (kind == TYPE_REAL)
		return compare_reals(a, b);
	return kind == TYPE_INTEGER || kind == TYPE_DECIMAL ? compare_numbers(a, b) : compare_bytes(a, b);
}

static bool find_value(struct slice row, uint32_t ordinal, struct slice *value)
{
	struct row_cell cell;
	size_t position = 0;
	while (row_next(row, &position, &cell) && cell.ordinal <= ordinal) {
		if (cell.ordinal != ordinal)
			continue;
		*value = cell.text;
		return value->length <= STATE_WATERMARK_MAX;
	}
	return false;
}

static void raise_to(char newest[STATE_WATERMARK_MAX + 1], enum type_kind kind, struct slice value)
{
	if (newest[0] != '\0' && compare(kind, value, slice_from_string(newest)) <= 0)
		return;
	memcpy(newest, value.data, value.length);
	newest[value.length] = '\0';
}

bool watermark_is_old(const struct schema_column *column, const struct delivery_member *member,
                      struct slice row)
{
	const char *newest = member->mark.member.watermark.newest;
	struct slice value;
	if (newest[0] == '\0')
		return false;
	return !find_value(row, column->ordinal, &value) ||
	       compare(column->type.kind, value, slice_from_string(newest)) <= 0;
}

struct state_watermark watermark_after(const struct dataset *dataset, const struct state_watermark *known,
                                       const struct batch *batch)
{
	struct state_watermark after = {0};
	const struct schema_column *column = watermark_column(dataset);
	if (column == NULL)
		return after;
	if (strcmp(known->column, column->name) == 0)
		after = *known;
	else
		memcpy(after.newest, dataset->newest, sizeof after.newest);
	memcpy(after.column, column->name, sizeof after.column);
	struct slice value;
	for (size_t i = 0; i < batch->unseen_count; i++)
		if (find_value(batch->unseen[i], column->ordinal, &value))
			raise_to(after.newest, column->type.kind, value);
	return after;
}

struct look {
	struct dataset *dataset;
	const struct schema_column *column;
};

static enum result look_at(void *context, const struct slice *cells, struct error *error)
{
	struct look *look = context;
	struct buffer row = {0};
	struct schema_fault fault;
	struct schema schema = {.columns = (struct schema_column *)look->column, .count = 1};
	struct slice value;
	enum result result = stored_row(&schema, &cells[0], &row, &fault);
	if (result == RESULT_OK &&
	    find_value((struct slice){row.data, row.length}, look->column->ordinal, &value))
		raise_to(look->dataset->newest, look->column->type.kind, value);
	buffer_free(&row);
	return result == RESULT_NO_MEMORY ? error_set(error, result, "out of memory") : RESULT_OK;
}

/* The state knows of another column, or of none: what the table holds is looked at once. */
static enum result look_at_table(struct ingest *ingest, struct dataset *dataset,
                                 const struct schema_column *column, struct error *error)
{
	struct schema schema = {.columns = (struct schema_column *)column, .count = 1};
	struct look look = {.dataset = dataset, .column = column};
	struct sink_scan scan = {dataset->record.table, &schema, look_at, &look};
	dataset->newest[0] = '\0';
	if (dataset->record.seq == 0 || ingest->options.dry_run)
		return RESULT_OK;
	return ingest->options.sink->interface->scan(ingest->options.sink, &scan, error);
}

enum result watermark_fix(const struct member_input *input, struct error *error)
{
	struct ingest *ingest = input->ingest;
	struct dataset *dataset = input->member->dataset;
	const struct schema_column *column = watermark_column(dataset);
	if (dataset->options.spec.watermark == NULL)
		return RESULT_OK;
	if (column == NULL || column->type.kind == TYPE_TEXT || column->type.kind == TYPE_BOOLEAN)
		return error_set(error, RESULT_CONFIG, "dataset '%s': its watermark '%s' is %s",
		                 dataset->record.name, dataset->options.spec.watermark,
		                 column == NULL ? "no column of it" : "neither a number nor a date");
	if (input->member->resume_at > 0)
		return RESULT_OK;
	enum result result = commit_batch(ingest, error);
	if (result == RESULT_OK)
		result = commit_settle(ingest, error);
	struct state_watermark *counts = &input->member->mark.member.watermark;
	const struct state_watermark *given = input->delivery->watermark;
	memcpy(counts->column, column->name, sizeof counts->column);
	if (result == RESULT_OK && given != NULL && !watermark_is_other(dataset, given)) {
		memcpy(counts->newest, given->newest, sizeof counts->newest);
		return RESULT_OK;
	}
	bool is_known = strcmp(dataset->record.watermark.column, column->name) == 0;
	if (result == RESULT_OK && !is_known)
		result = look_at_table(ingest, dataset, column, error);
	memcpy(counts->newest, is_known ? dataset->record.watermark.newest : dataset->newest,
	       sizeof counts->newest);
	return result;
}
