// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/query.h"

static long long number_of(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? text : "";
}

static void print_member(const json_t *member)
{
	const char *name = text_of(member, "member");
	printf("%-20s %-8s %-20s %10lld %10lld %8lld %10lld %8lld  %s%s%s\n", text_of(member, "started"),
	       text_of(member, "status"), text_of(member, "dataset"), number_of(member, "rows"),
	       number_of(member, "new"), number_of(member, "updated"), number_of(member, "duplicate"),
	       number_of(member, "rejected"), file_base_name(text_of(member, "file")),
	       name[0] != '\0' ? " / " : "", name);
	if (text_of(member, "reason")[0] != '\0')
		printf("%20s %s\n", "", text_of(member, "reason"));
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	const char *filter = options->argument_count > 0 ? options->arguments[0] : NULL;
	bool is_path = filter != NULL && strchr(filter, '/') != NULL;
	CLEANUP_FREE char *path = is_path ? query_whole_path(filter) : NULL;
	if (is_path && path == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	json_t *lines;
	enum result result = query_run(
	    options, json_pack("{s:s, s:s?}", "command", "history", "filter", is_path ? path : filter),
	    &lines, error);
	if (result != RESULT_OK)
		return result;
	*exit_status = 0;
	if (options->json) {
		query_print_json(lines);
	} else {
		printf("%-20s %-8s %-20s %10s %10s %8s %10s %8s  %s\n", "started", "status", "dataset",
		       "rows", "new", "updated", "duplicate", "rejected", "file");
		size_t index;
		json_t *member;
		json_array_foreach(lines, index, member) print_member(member);
	}
	json_decref(lines);
	return RESULT_OK;
}

const struct command cmd_history = {
    .name = "history",
    .arguments = "[--json] [FILE|DATASET|DAY]",
    .summary = "every delivery, oldest first, with its counts and outcome",
    .details = "  DAY   as 2026-01-31, in UTC like the times that are shown\n",
    .flags = OPTIONS_JSON,
    .max_arguments = 1,
    .run = run,
};
