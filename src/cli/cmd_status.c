// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/query.h"

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? text : otherwise;
}

static long long number_of(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static void print_rates(const json_t *rates)
{
	double bytes = json_number_value(json_object_get(rates, "bytes"));
	if (bytes < 1)
		return;
	printf("rate      %.1f rows/s, %.3f MB/s over the last minute, of which %.0f %% needed no parsing\n",
	       json_number_value(json_object_get(rates, "rows")), bytes / 1e6,
	       100 * json_number_value(json_object_get(rates, "bytes_skipped")) / bytes);
}

static void print_worker(const json_t *status)
{
	const json_t *worker = json_object_get(status, "worker");
	const json_t *progress = json_object_get(worker, "progress");
	if (!json_is_true(json_object_get(status, "running"))) {
		puts("daemon    not running");
		return;
	}
	printf("daemon    running, pid %lld, %lld files waiting\n", number_of(status, "pid"),
	       number_of(worker, "queue"));
	if (json_is_object(progress))
		printf("reading   '%s', %lld of %lld bytes\n", text_of(progress, "file", ""),
		       number_of(progress, "position"), number_of(progress, "size"));
	print_rates(json_object_get(status, "rates"));
	if (json_is_string(json_object_get(worker, "trouble")))
		printf("trouble   %s\n          since %s, %lld attempts, next at %s\n",
		       text_of(worker, "trouble", ""), text_of(worker, "trouble_since", ""),
		       number_of(worker, "attempts"), text_of(worker, "next_try", ""));
}

static void print_sink(const json_t *status)
{
	const json_t *worker = json_object_get(status, "worker");
	bool is_in_trouble = strcmp(text_of(worker, "trouble_kind", ""), "sink") == 0;
	printf("sink      %s", text_of(status, "sink", ""));
	if (is_in_trouble)
		printf(", not reached since %s", text_of(worker, "trouble_since", ""));
	puts("");
}

/* The last of them: more are in the journal. */
static void print_errors(const json_t *errors)
{
	enum { SHOWN = 3 };
	size_t count = json_array_size(errors);
	for (size_t i = count > SHOWN ? count - SHOWN : 0; i < count; i++) {
		const json_t *error = json_array_get(errors, i);
		printf("error     %s %s\n", text_of(error, "time", ""), text_of(error, "message", ""));
	}
}

static void print_outbox(const json_t *outbox)
{
	if (!json_is_object(outbox))
		return;
	printf("store     %s '%s', ", text_of(outbox, "store", ""), text_of(outbox, "place", ""));
	if (number_of(outbox, "owed") == 0)
		puts("nothing owed");
	else
		printf("%lld objects owed since %s\n", number_of(outbox, "owed"),
		       text_of(outbox, "oldest", ""));
	if (json_is_string(json_object_get(outbox, "trouble")))
		printf("          %s\n", text_of(outbox, "trouble", ""));
}

static void print_fetches(const json_t *fetches)
{
	size_t index;
	json_t *fetch;
	json_array_foreach(fetches, index, fetch)
	{
		const char *file = json_string_value(json_object_get(fetch, "file"));
		const char *message = json_string_value(json_object_get(fetch, "message"));
		printf("fetch     %s%s%s: version %lld of %s, asked at %s: %s%s%s\n",
		       text_of(fetch, "source", ""), file != NULL ? "/" : "", file != NULL ? file : "",
		       number_of(fetch, "version"), text_of(fetch, "fetched", "(none)"),
		       text_of(fetch, "asked", "(never)"), text_of(fetch, "outcome", ""),
		       message != NULL ? ": " : "", message != NULL ? message : "");
	}
}

static void print_overdue(const json_t *overdue)
{
	size_t index;
	json_t *dataset;
	json_array_foreach(overdue, index, dataset)
	    printf("overdue   %s: no delivery for %.1f hours\n", text_of(dataset, "dataset", ""),
	           json_real_value(json_object_get(dataset, "stale_after_seconds")) / 3600);
}

static void print_status(const json_t *status)
{
	print_worker(status);
	printf("data      %s\n", text_of(status, "data", ""));
	print_sink(status);
	const json_t *state = json_object_get(status, "state");
	printf("state     %.1f MB in use\n", (double)number_of(state, "used_bytes") / 1e6);
	print_outbox(json_object_get(status, "outbox"));
	print_fetches(json_object_get(status, "fetches"));
	print_overdue(json_object_get(status, "overdue"));
	print_errors(json_object_get(status, "errors"));
	const json_t *datasets = json_object_get(status, "datasets");
	if (json_array_size(datasets) == 0)
		return;
	printf("\n%-24s %-24s %-8s %14s %10s %6s %10s\n", "dataset", "table", "sink", "rows", "batches",
	       "runs", "bytes/row");
	size_t index;
	json_t *dataset;
	json_array_foreach(datasets, index, dataset)
	{
		printf("%-24s %-24s %-8s %14lld %10lld %6lld %10.1f\n", text_of(dataset, "name", ""),
		       text_of(dataset, "table", ""), text_of(dataset, "sink", "-"),
		       number_of(dataset, "rows"), number_of(dataset, "batches"), number_of(dataset, "runs"),
		       json_number_value(json_object_get(dataset, "bytes_per_row")));
	}
}

/* For monitoring: the daemon runs, nothing keeps it from its work or the store from taking its own, and every dataset
 * has had its deliveries. */
static bool is_healthy(const json_t *status)
{
	const json_t *worker = json_object_get(status, "worker");
	const json_t *outbox = json_object_get(status, "outbox");
	return json_is_true(json_object_get(status, "running")) &&
	       !json_is_string(json_object_get(worker, "trouble")) &&
	       !json_is_string(json_object_get(outbox, "trouble")) &&
	       json_array_size(json_object_get(status, "overdue")) == 0;
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	json_t *lines;
	const char *command = options->metrics ? "metrics" : "status";
	enum result result = query_run(options, json_pack("{s:s}", "command", command), &lines, error);
	if (result != RESULT_OK)
		return result;
	if (options->metrics) {
		fputs(text_of(json_array_get(lines, 0), "metrics", ""), stdout);
		json_decref(lines);
		return RESULT_OK;
	}
	*exit_status = options->check && !is_healthy(json_array_get(lines, 0)) ? 1 : 0;
	if (options->json)
		query_print_json(lines);
	else
		print_status(json_array_get(lines, 0));
	json_decref(lines);
	return RESULT_OK;
}

const struct command cmd_status = {
    .name = "status",
    .arguments = "[--json] [--check] [--metrics]",
    .summary = "what it is doing now, and what it remembers",
    .details = "  --check   exit status 1 unless the daemon runs, nothing keeps it from its work, and no "
               "dataset is\n"
	       "            without a delivery for longer than its stale_after\n"
	       "  --metrics the daemon's figures in Prometheus' text format\n",
    .flags = OPTIONS_JSON | OPTIONS_CHECK | OPTIONS_METRICS,
    .run = run,
};
