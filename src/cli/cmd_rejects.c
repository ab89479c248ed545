// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli/command.h"
#include "cli/query.h"

static const char *text_of(const json_t *line, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(line, key));
	return text != NULL ? text : otherwise;
}

static long long number_of(const json_t *line, const char *key)
{
	return (long long)json_integer_value(json_object_get(line, key));
}

static void print_line(const json_t *line)
{
	const char *column = text_of(line, "column", "");
	const char *member = text_of(line, "member", "");
	if (json_is_null(json_object_get(line, "rejects")))
		printf("%s  whole file  '%s': %s\n", text_of(line, "delivery", ""), text_of(line, "file", ""),
		       text_of(line, "reason", ""));
	else
		printf("%s  %lld rows, first in line %lld  '%s'%s%s%s: %s%s%s%s\n",
		       text_of(line, "delivery", ""), number_of(line, "rows"), number_of(line, "first_line"),
		       text_of(line, "file", ""), member[0] != '\0' ? " [" : "", member,
		       member[0] != '\0' ? "]" : "", column[0] != '\0' ? "column '" : "", column,
		       column[0] != '\0' ? "': " : "", text_of(line, "reason", ""));
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	const char *filter = options->argument_count > 0 ? options->arguments[0] : NULL;
	json_t *lines;
	enum result result = query_run(
	    options, json_pack("{s:s, s:s?}", "command", "rejects", "filter", filter), &lines, error);
	if (result != RESULT_OK)
		return result;
	*exit_status = 0;
	size_t index;
	json_t *line;
	if (options->json) {
		query_print_json(lines);
	} else {
		json_array_foreach(lines, index, line) print_line(line);
	}
	json_decref(lines);
	return RESULT_OK;
}

const struct command cmd_rejects = {
    .name = "rejects",
    .arguments = "[--json] [DATASET]",
    .summary = "what was rejected and not replayed yet: how many rows of which file, and why",
    .flags = OPTIONS_JSON,
    .max_arguments = 1,
    .run = run,
};
