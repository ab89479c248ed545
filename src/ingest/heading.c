// SPDX-License-Identifier: Apache-2.0
#include "ingest/heading.h"

#include <stdlib.h>
#include <string.h>
#include <unistr.h>

/* Can this record be a header? */
static enum result check_header(const struct record *header, struct error *error)
{
	if (header->fault != RECORD_WHOLE)
		return error_set(error, RESULT_INVALID, "header: %s", record_fault_text(header->fault));
	for (size_t i = 0; i < header->field_count; i++) {
		struct slice name = header->fields[i];
		if (u8_check((const uint8_t *)name.data, name.length) != NULL)
			return error_set(error, RESULT_INVALID, "header: field %zu is not UTF-8", i + 1);
	}
	if (header->field_count == 0)
		return error_set(error, RESULT_INVALID, "header: the first line is blank");
	return RESULT_OK;
}

static enum result copy_names(struct heading *heading, const struct slice *names, size_t count)
{
	heading->fields = calloc(count + 1, sizeof *heading->fields);
	if (heading->fields == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		if (buffer_append(&heading->text, names[i].data, names[i].length) != RESULT_OK)
			return RESULT_NO_MEMORY;
	const char *at = heading->text.data;
	for (size_t i = 0; i < count; i++) {
		heading->fields[i] = (struct slice){at != NULL ? at : "", names[i].length};
		at += names[i].length;
	}
	heading->count = count;
	return RESULT_OK;
}

static enum result declare_names(struct heading *heading, const struct schema_spec *spec)
{
	size_t count = heading->first.field_count > 0 ? heading->first.field_count : 1;
	if (count < spec->count)
		count = spec->count;
	struct slice *names = calloc(count, sizeof *names);
	if (names == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		names[i] = i < spec->count ? slice_from_string(spec->columns[i].source) : SLICE("");
	enum result result = copy_names(heading, names, count);
	free(names);
	return result;
}

enum result heading_read(struct heading *heading, struct delimited *delimited, const struct schema_spec *spec,
                         struct error *error)
{
	*heading = (struct heading){.is_row = delimited_dialect(delimited)->is_headerless};
	enum result result = delimited_next(delimited, &heading->first, error);
	if (result == RESULT_OK && !heading->is_row)
		result = check_header(&heading->first, error);
	if (result != RESULT_OK)
		return result;
	result = heading->is_row ? declare_names(heading, spec)
	                         : copy_names(heading, heading->first.fields, heading->first.field_count);
	if (result == RESULT_OK)
		return RESULT_OK;
	heading_free(heading);
	return error_set(error, result, "out of memory");
}

void heading_free(struct heading *heading)
{
	free(heading->fields);
	buffer_free(&heading->text);
	*heading = (struct heading){0};
}
