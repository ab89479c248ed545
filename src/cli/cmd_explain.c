// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/query.h"

/* As the history has it: whole, and without links on the way to a file that may be gone. */
static json_t *make_request(const char *path)
{
	const char *name = file_base_name(path);
	CLEANUP_FREE char *parent = name == path ? strdup(".") : strndup(path, (size_t)(name - path));
	CLEANUP_FREE char *directory = parent != NULL ? realpath(parent, NULL) : NULL;
	CLEANUP_FREE char *whole = directory != NULL ? file_join(directory, name) : NULL;
	return json_pack("{s:s, s:s}", "command", "explain", "file", whole != NULL ? whole : path);
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	json_t *lines;
	enum result result = query_run(options, make_request(options->arguments[0]), &lines, error);
	if (result != RESULT_OK)
		return result;
	*exit_status = 0;
	if (options->json)
		query_print_json(lines);
	else
		puts(json_string_value(json_object_get(json_array_get(lines, 0), "explanation")));
	json_decref(lines);
	return RESULT_OK;
}

const struct command cmd_explain = {
    .name = "explain",
    .arguments = "[--json] FILE",
    .summary = "why this file was or was not taken, in one line",
    .flags = OPTIONS_JSON,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
