// SPDX-License-Identifier: Apache-2.0
#include "config/dataset_identity.h"

#include <stdlib.h>
#include <string.h>

#include "config/keys.h"
#include "config/reader.h"
#include "schema/identity.h"

static enum result read_names(const char *const **out, size_t *count, const struct schema_spec *spec,
                              cfg_t *section, const char *key, struct error *error)
{
	size_t size = cfg_size(section, key);
	const char **names = calloc(size + 1, sizeof *names);
	if (names == NULL)
		return RESULT_NO_MEMORY;
	*out = names;
	*count = size;
	for (size_t i = 0; i < size; i++) {
		char name[SCHEMA_NAME_MAX + 1];
		names[i] = cfg_getnstr(section, key, (unsigned)i);
		if (!identity_name(name, spec, names[i]))
			return reader_fault(section, error, "%s has '%s', which is no column's name", key,
			                    names[i]);
	}
	return RESULT_OK;
}

static bool is_declared(const struct schema_spec *spec, const char *text)
{
	char name[SCHEMA_NAME_MAX + 1], declared[SCHEMA_NAME_MAX + 1];
	identity_name(name, spec, text);
	for (size_t i = 0; i < spec->count; i++)
		if (schema_declared_name(declared, &spec->columns[i]) && schema_same_name(declared, name))
			return true;
	return false;
}

static enum result declare(struct schema_spec *spec, const char *text)
{
	if (is_declared(spec, text))
		return RESULT_OK;
	struct schema_declared *columns =
	    reallocarray((void *)spec->columns, spec->count + 1, sizeof *columns);
	if (columns == NULL)
		return RESULT_NO_MEMORY;
	columns[spec->count++] = (struct schema_declared){.source = text};
	spec->columns = columns;
	return RESULT_OK;
}

/* Key and watermark are compared in the table, so that they are in it whatever columns says. */
static enum result declare_compared(struct config_dataset *dataset)
{
	struct schema_spec *spec = &dataset->schema;
	enum result result = RESULT_OK;
	if (!spec->only_declared || !dataset->dialect.has_header)
		return RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i < spec->key_count; i++)
		result = declare(spec, spec->key[i]);
	if (result == RESULT_OK && spec->watermark != NULL)
		result = declare(spec, spec->watermark);
	return result;
}

static const char *shared_column(const struct schema_spec *spec)
{
	for (size_t i = 0; i < spec->key_count; i++) {
		char key[SCHEMA_NAME_MAX + 1], ignored[SCHEMA_NAME_MAX + 1];
		identity_name(key, spec, spec->key[i]);
		for (size_t j = 0; j < spec->ignored_count; j++)
			if (identity_name(ignored, spec, spec->ignored[j]) && schema_same_name(key, ignored))
				return spec->key[i];
	}
	return NULL;
}

enum result dataset_identity_read(struct config_dataset *dataset, cfg_t *section, struct error *error)
{
	struct schema_spec *spec = &dataset->schema;
	enum result result = read_names(&spec->key, &spec->key_count, spec, section, "key", error);
	if (result == RESULT_OK)
		result = read_names(&spec->ignored, &spec->ignored_count, spec, section, "ignore_in_identity",
		                    error);
	if (result != RESULT_OK)
		return result;
	dataset->on_change = (enum config_on_change)keys_word(keys_find("dataset", "on_change"),
	                                                      cfg_getstr(section, "on_change"));
	spec->watermark = reader_string(section, "watermark");
	char name[SCHEMA_NAME_MAX + 1];
	if (spec->watermark != NULL && !identity_name(name, spec, spec->watermark))
		return reader_fault(section, error, "watermark has '%s', which is no column's name",
		                    spec->watermark);
	spec->keeps_duplicates = strcmp(cfg_getstr(section, "duplicates"), "keep") == 0;
	if (spec->keeps_duplicates && spec->key_count > 0)
		return reader_fault(section, error, "dataset '%s' has a key, so it cannot keep duplicates",
		                    dataset->name);
	const char *shared = shared_column(spec);
	if (shared != NULL)
		return reader_fault(section, error, "'%s' is in key and in ignore_in_identity", shared);
	return declare_compared(dataset);
}

void dataset_identity_free(struct config_dataset *dataset)
{
	free((void *)dataset->schema.key);
	free((void *)dataset->schema.ignored);
}
