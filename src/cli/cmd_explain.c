// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/query.h"

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	CLEANUP_FREE char *path = query_whole_path(options->arguments[0]);
	if (path == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	json_t *lines;
	enum result result =
	    query_run(options, json_pack("{s:s, s:s}", "command", "explain", "file", path), &lines, error);
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
