// SPDX-License-Identifier: Apache-2.0
#include "schema/rescue.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rescue {
	json_t *taken; /* of this record; NULL: nothing */
	char *text;
	size_t field_count;
	char *names[];
};

struct rescue *rescue_new(size_t field_count)
{
	struct rescue *rescue = calloc(1, sizeof *rescue + field_count * sizeof rescue->names[0]);
	if (rescue != NULL)
		rescue->field_count = field_count;
	return rescue;
}

void rescue_free(struct rescue *rescue)
{
	if (rescue == NULL)
		return;
	for (size_t i = 0; i < rescue->field_count; i++)
		free(rescue->names[i]);
	json_decref(rescue->taken);
	free(rescue->text);
	free(rescue);
}

enum result rescue_name(struct rescue *rescue, size_t field, const char *name)
{
	free(rescue->names[field]);
	rescue->names[field] = strdup(name);
	return rescue->names[field] != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result rescue_value(struct rescue *rescue, const char *column, struct slice text)
{
	if (rescue->taken == NULL && (rescue->taken = json_object()) == NULL)
		return RESULT_NO_MEMORY;
	json_t *value = json_stringn(text.data, text.length);
	if (value == NULL)
		return RESULT_INVALID;
	return json_object_set_new(rescue->taken, column, value) == 0 ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result rescue_fields(struct rescue *rescue, const struct slice *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char place[32];
		const char *name = place;
		if (i < rescue->field_count)
			name = rescue->names[i];
		else
			snprintf(place, sizeof place, "column_%zu", i + 1);
		if (name == NULL || fields[i].length == 0)
			continue;
		enum result result = rescue_value(rescue, name, fields[i]);
		if (result != RESULT_OK)
			return result;
	}
	return RESULT_OK;
}

enum result rescue_text(struct rescue *rescue, struct slice *text)
{
	*text = (struct slice){NULL, 0};
	free(rescue->text);
	rescue->text = NULL;
	if (rescue->taken == NULL)
		return RESULT_OK;
	rescue->text = json_dumps(rescue->taken, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(rescue->taken);
	rescue->taken = NULL;
	if (rescue->text == NULL)
		return RESULT_NO_MEMORY;
	*text = slice_from_string(rescue->text);
	return RESULT_OK;
}
