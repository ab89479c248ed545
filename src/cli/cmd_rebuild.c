// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli/command.h"
#include "cli/order.h"
#include "cli/report.h"

static long long number_of(const json_t *line, const char *key)
{
	return (long long)json_integer_value(json_object_get(line, key));
}

static void print(const json_t *line)
{
	const char *dataset = json_string_value(json_object_get(line, "dataset"));
	const char *table = json_string_value(json_object_get(line, "table"));
	const char *fault = json_string_value(json_object_get(line, "fault"));
	const json_t *refeed = json_object_get(line, "refeed");
	if (refeed != NULL) {
		printf("dataset '%s': %lld files are delivered again\n", dataset, number_of(line, "refeed"));
		return;
	}
	if (json_object_get(line, "delivery") != NULL) {
		char text[2 * ERROR_MESSAGE_MAX];
		report_line(text, sizeof text, line);
		puts(text);
		return;
	}
	if (json_is_true(json_object_get(line, "new_table")))
		printf("table '%s' was made anew, empty\n", table);
	printf("dataset '%s': %lld rows of table '%s' are %lld distinct ones, which are seen now\n", dataset,
	       number_of(line, "rows"), table, number_of(line, "distinct"));
	if (fault != NULL)
		printf("%lld rows hold what no delivery can bring, the first in %s\n",
		       number_of(line, "unfit"), fault);
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	return order_run(options,
	                 json_pack("{s:s, s:s, s:b}", "command", "rebuild", "subject", options->arguments[0],
	                           "refeed", options->refeed),
	                 print, exit_status, error);
}

const struct command cmd_rebuild = {
    .name = "rebuild",
    .arguments = "[--json] [--refeed] DATASET",
    .summary = "makes the seen-set anew from what the table holds",
    .details =
	"  The table is right: its rows are seen, others are not. It is taken over from whatever fed it\n"
	"  before, and files are read again as if for the first time. It may be interrupted and run "
        "again.\n\n"
	"  --refeed   delivers what was archived again: also to fill a table that is new, or another one\n",
    .flags = OPTIONS_JSON | OPTIONS_REFEED,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
