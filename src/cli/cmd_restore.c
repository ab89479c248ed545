// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli/command.h"
#include "cli/order.h"

static long long number_of(const json_t *line, const char *key)
{
	return (long long)json_integer_value(json_object_get(line, key));
}

static void print(const json_t *line)
{
	printf("dataset '%s': %lld rows restored from %lld stored batches",
	       json_string_value(json_object_get(line, "dataset")), number_of(line, "rows"),
	       number_of(line, "batches"));
	if (number_of(line, "present") > 0)
		printf(", %lld of which were there already", number_of(line, "present"));
	putchar('\n');
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	return order_run(options,
	                 json_pack("{s:s, s:s}", "command", "restore", "subject", options->arguments[0]),
	                 print, exit_status, error);
}

const struct command cmd_restore = {
    .name = "restore",
    .arguments = "[--json] DATASET",
    .summary = "rows from the object store back into an empty table",
    .details = "  Batch by batch, in the order in which they were stored. It may be interrupted and run again.\n"
               "  A table that was lost: drop what is left of it, run rowsieve rebuild DATASET, then this.\n",
    .flags = OPTIONS_JSON,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
