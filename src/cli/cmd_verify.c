// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli/command.h"
#include "cli/order.h"

static long long number_of(const json_t *line, const char *key)
{
	return (long long)json_integer_value(json_object_get(line, key));
}

static void print_store(const json_t *line)
{
	const char *problem = json_string_value(json_object_get(line, "problem"));
	printf("store: %lld manifests name %lld objects of %lld bytes", number_of(line, "manifests"),
	       number_of(line, "objects"), number_of(line, "bytes"));
	if (json_is_true(json_object_get(line, "agrees")))
		puts(", all of which are there");
	else
		printf("; %lld are missing, %lld are different\n  %s\n", number_of(line, "missing"),
		       number_of(line, "different"), problem);
	if (number_of(line, "unnamed") > 0)
		printf("  %lld objects are named by no manifest yet\n", number_of(line, "unnamed"));
}

static void print(const json_t *line)
{
	if (json_object_get(line, "manifests") != NULL) {
		print_store(line);
		return;
	}
	const char *problem = json_string_value(json_object_get(line, "problem"));
	printf("dataset '%s', table '%s': %s\n", json_string_value(json_object_get(line, "dataset")),
	       json_string_value(json_object_get(line, "table")),
	       json_is_true(json_object_get(line, "agrees")) ? "state and table agree"
	                                                     : "state and table do not agree");
	if (problem != NULL)
		printf("  %s\n", problem);
	printf("  %lld rows in the table, %lld distinct, %lld of which are not in the seen-set\n",
	       number_of(line, "rows"), number_of(line, "distinct"), number_of(line, "unknown"));
	printf("  %lld rows in the seen-set, %lld of which are not in the table\n", number_of(line, "seen"),
	       number_of(line, "missing"));
	printf("  %lld batches in the ledger, %lld rows\n", number_of(line, "batches"),
	       number_of(line, "ledger_rows"));
	if (number_of(line, "unfit") > 0)
		printf("  %lld rows hold what no delivery can bring\n", number_of(line, "unfit"));
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	return order_run(options,
	                 json_pack("{s:s, s:s, s:b}", "command", "verify", "subject", options->arguments[0],
	                           "store", options->store),
	                 print, exit_status, error);
}

const struct command cmd_verify = {
    .name = "verify",
    .arguments = "[--json] [--store] DATASET",
    .summary = "compares table, head, ledger and seen-set, row by row",
    .details = "  --store   compares the manifests of its deliveries with the object store too\n\n"
               "exit status: 0 they agree; 1 they do not\n",
    .flags = OPTIONS_JSON | OPTIONS_STORE,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
