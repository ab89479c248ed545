// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli/command.h"
#include "cli/order.h"
#include "cli/report.h"

static void print(const json_t *line)
{
	const json_t *replayed = json_object_get(line, "replayed");
	char text[2 * ERROR_MESSAGE_MAX];
	if (replayed == NULL) {
		report_line(text, sizeof text, line);
		puts(text);
	} else {
		printf("the rejects of %lld deliveries were replayed\n",
		       (long long)json_integer_value(replayed));
	}
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	return order_run(options,
	                 json_pack("{s:s, s:s}", "command", "replay", "subject", options->arguments[0]),
	                 print, exit_status, error);
}

const struct command cmd_replay = {
    .name = "replay",
    .arguments = "[--json] DATASET|DELIVERY",
    .summary = "feeds rejected rows again, after the configuration was mended",
    .details =
	"  They are a delivery of their own; what still fails is in its rejects. What was replayed is\n"
	"  kept as <delivery>.replayed.csv, and not replayed again.\n",
    .flags = OPTIONS_JSON,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
