// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/order.h"

static void print(const json_t *line)
{
	printf("'%s': will be read again\n", json_string_value(json_object_get(line, "forgotten")));
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	CLEANUP_FREE char *subject = order_subject(options->arguments[0]);
	if (subject == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	return order_run(options, json_pack("{s:s, s:s}", "command", "forget", "subject", subject), print,
	                 exit_status, error);
}

const struct command cmd_forget = {
    .name = "forget",
    .arguments = "[--json] FILE|DATASET",
    .summary = "please read this file, or this dataset's files, again",
    .details =
	"  What is forgotten are caches and the identity of files: rows that were stored stay seen, and\n"
	"  are duplicates when they come again. A file's neighbours of the same dataset are forgotten\n"
	"  with it.\n",
    .flags = OPTIONS_JSON,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
