// SPDX-License-Identifier: Apache-2.0
#include "config/dataset_rules.h"

#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "config/keys.h"
#include "config/reader.h"

static size_t word(cfg_t *section, const char *name)
{
	return keys_word(keys_find("dataset", name), cfg_getstr(section, name));
}

static bool flag(cfg_t *section, const char *name)
{
	return keys_flag(cfg_getstr(section, name));
}

static enum result read_texts(const char *const **out, size_t *count, cfg_t *section, const char *name)
{
	size_t size = cfg_size(section, name);
	const char **texts = calloc(size + 1, sizeof *texts);
	if (texts == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < size; i++)
		texts[i] = cfg_getnstr(section, name, (unsigned)i);
	*out = texts;
	*count = size;
	return RESULT_OK;
}

static void read_dialect(struct config_dialect *dialect, cfg_t *section)
{
	static const char delimiters[] = {'\0', ',', ';', '\t', '|'};
	static const char quotes[] = {'"', '\'', '\0'};
	static const char escapes[] = {'\0', '\\'};
	const char *delimiter = cfg_getstr(section, "delimiter");
	const char *encoding = cfg_getstr(section, "encoding");
	*dialect = (struct config_dialect){
	    .delimiter = delimiter[1] == '\0' ? delimiter[0] : delimiters[word(section, "delimiter")],
	    .quote = quotes[word(section, "quote")],
	    .escape = escapes[word(section, "escape")],
	    .comment = cfg_getstr(section, "comment")[0],
	    .has_header = flag(section, "header"),
	    .skip_lines = strtoull(cfg_getstr(section, "skip_lines"), NULL, 10),
	    .encoding = strcmp(encoding, "auto") != 0 ? encoding : NULL,
	};
}

static enum result read_values(struct schema_spec *spec, cfg_t *section)
{
	spec->only_declared = word(section, "columns") == 1;
	spec->trim = flag(section, "trim");
	spec->provenance = flag(section, "provenance");
	spec->thousands = cfg_getstr(section, "thousands")[0];
	spec->decimal = cfg_getstr(section, "decimal")[0];
	spec->drift = (enum schema_drift)word(section, "drift");
	spec->missing = (enum schema_missing)word(section, "missing");
	spec->bad_value = (enum schema_bad_value)word(section, "bad_value");
	spec->ragged = (enum schema_ragged)word(section, "ragged");
	enum result result = read_texts(&spec->nulls, &spec->null_count, section, "null");
	spec->has_nulls = spec->null_count > 0;
	return result == RESULT_OK ? read_texts(&spec->where, &spec->where_count, section, "where") : result;
}

/* Characters that stand for two things. */
static enum result check_marks(const struct config_dataset *dataset, const cfg_t *section,
                               struct error *error)
{
	const struct config_dialect *dialect = &dataset->dialect;
	const struct schema_spec *spec = &dataset->schema;
	const struct {
		const char *name;
		char mark;
	} marks[] = {{"delimiter", dialect->delimiter},
	             {"quote", dialect->quote},
	             {"escape", dialect->escape},
	             {"comment", dialect->comment}};
	enum { COUNT = sizeof marks / sizeof marks[0] };
	for (size_t i = 0; i < COUNT; i++)
		for (size_t j = i + 1; j < COUNT; j++)
			if (marks[i].mark != '\0' && marks[i].mark == marks[j].mark)
				return reader_fault(section, error, "dataset '%s': %s and %s are both '%c'",
				                    dataset->name, marks[i].name, marks[j].name,
				                    marks[i].mark);
	if (spec->thousands == spec->decimal)
		return reader_fault(section, error, "dataset '%s': thousands and decimal are both '%c'",
		                    dataset->name, spec->decimal);
	if (spec->only_declared && spec->count == 0)
		return reader_fault(section, error, "dataset '%s': columns = \"declared\", and none is",
		                    dataset->name);
	return RESULT_OK;
}

static enum result check_encoding(const struct config_dataset *dataset, const cfg_t *section,
                                  struct error *error)
{
	const char *encoding = dataset->dialect.encoding;
	iconv_t converter = encoding != NULL ? iconv_open("UTF-8", encoding) : NULL;
	if (converter == (iconv_t)-1)
		return reader_fault(section, error,
		                    "dataset '%s': encoding '%s' is unknown (iconv -l lists them)",
		                    dataset->name, encoding);
	if (converter != NULL)
		iconv_close(converter);
	return RESULT_OK;
}

enum result dataset_rules_read(struct config_dataset *dataset, cfg_t *section, struct error *error)
{
	read_dialect(&dataset->dialect, section);
	enum result result = read_values(&dataset->schema, section);
	if (result == RESULT_OK)
		result = check_marks(dataset, section, error);
	return result == RESULT_OK ? check_encoding(dataset, section, error) : result;
}

void dataset_rules_free(struct config_dataset *dataset)
{
	free((void *)dataset->schema.nulls);
	free((void *)dataset->schema.where);
}
