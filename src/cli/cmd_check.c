// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/app.h"
#include "cli/checks.h"
#include "cli/checks_identity.h"
#include "cli/checks_tables.h"
#include "cli/command.h"
#include "cli/query.h"
#include "fetch/account.h"
#include "fetch/endpoint.h"
#include "fetch/handle.h"
#include "status/control.h"

static void check_sink(struct checks *checks, const struct config *config)
{
	struct app app = {.config = config};
	struct error error = {0};
	enum result result = RESULT_OK;
	if (config->sink == CONFIG_SINK_SQLITE && access(config->sqlite_path, F_OK) != 0) {
		checks_add(checks, "sink", RESULT_OK, NULL, "sqlite, to be made");
		return;
	}
	result = app_make_sink(&app, &error);
	if (result == RESULT_OK)
		result = app.sink->interface->connect(app.sink, &error);
	checks_add(checks, "sink", result, &error,
	           config->sink == CONFIG_SINK_SQLITE ? "sqlite" : "mysql, connected");
	if (result == RESULT_OK)
		checks_tables(checks, config, app.sink);
	app_close(&app);
}

static enum result ignore_object(void *context, const struct store_object *object, struct error *error)
{
	(void)context;
	(void)object;
	(void)error;
	return RESULT_OK;
}

/* Asks for objects that cannot be: keys, bucket, region, certificate and clock must be right for the answer. */
static void check_store(struct checks *checks, const struct config *config)
{
	static const atomic_bool never;
	struct store *store;
	struct error error = {0};
	if (app_spool_options(config).directory == NULL)
		return;
	enum result result = app_check_store(config, &error);
	if (result == RESULT_OK)
		result = app_make_store(config, &never, &store, &error);
	if (result == RESULT_OK) {
		result = store->interface->list(store, "rowsieve-check/", ignore_object, NULL, &error);
		store->interface->close(store);
	}
	char message[ERROR_MESSAGE_MAX];
	bool has_s3 = config->s3.bucket != NULL;
	snprintf(message, sizeof message, "%s '%s'", has_s3 ? "s3, bucket" : "directory",
	         has_s3 ? config->s3.bucket : config->backup.dir);
	checks_add(checks, "store", result, &error, message);
}

static void check_state(struct checks *checks, const struct config *config)
{
	struct error error = {0};
	struct app app = {0};
	enum result result = app_open_state(&app, config, &error);
	if (result == RESULT_END)
		checks_add(checks, "state", RESULT_OK, NULL, "to be made");
	else
		checks_add(checks, "state", result, &error, "opens");
	if (result == RESULT_OK)
		checks_identity(checks, config, app.state);
	app_close(&app);
}

/* Somebody else's daemon: its passwords and keys are none of this user's. */
static bool is_foreign(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	return geteuid() != 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       peer.uid != geteuid();
}

/* What the daemon sees counts, where one runs: it is its permissions that matter. true: sink and store too. */
static bool ask_daemon(struct checks *checks, const struct config *config)
{
	struct error error = {0};
	int fd;
	if (control_connect(config->socket_path, &fd, &error) != RESULT_OK) {
		checks_directories(checks, config);
		checks_machine(checks, config);
		check_state(checks, config);
		return false;
	}
	bool with_sinks = is_foreign(fd);
	checks_add(checks, "state", RESULT_OK, NULL, "held by the running daemon");
	checks_ask(checks, fd, with_sinks);
	return with_sinks;
}

/* Sources, endpoint and credentials; nobody is asked. */
static enum result judge_fetches(const struct config *config, struct error *error)
{
	CLEANUP(account_free) struct account account = {0};
	struct endpoint *endpoint = NULL;
	struct handle handle;
	enum result result = endpoint_open(&endpoint, config->kaggle.endpoint, error);
	endpoint_close(endpoint);
	for (size_t i = 0; result == RESULT_OK && i < config->fetch_count; i++) {
		const struct config_fetch *fetch = &config->fetches[i];
		result = handle_parse(&handle, fetch->source, fetch->file, error);
		if (result == RESULT_CONFIG)
			error_wrap(error, "fetch '%s'", fetch->name);
	}
	return result == RESULT_OK ? account_find(&account, error) : result;
}

static void check_fetches(struct checks *checks, const struct config *config)
{
	struct error error = {0};
	char message[64];
	if (config->fetch_count == 0)
		return;
	snprintf(message, sizeof message, "%zu data sets of Kaggle", config->fetch_count);
	checks_add(checks, "fetch", judge_fetches(config, &error), &error, message);
}

static void print_checks(const json_t *lines)
{
	size_t index;
	json_t *line;
	json_array_foreach(lines, index, line)
	{
		const char *hint = json_string_value(json_object_get(line, "hint"));
		printf("%-6s %-10s %s%s%s%s\n", json_is_true(json_object_get(line, "ok")) ? "ok" : "FAILED",
		       json_string_value(json_object_get(line, "check")),
		       json_string_value(json_object_get(line, "message")), hint != NULL ? " (" : "",
		       hint != NULL ? hint : "", hint != NULL ? ")" : "");
	}
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	struct config *config;
	enum result result = config_load(&config, &options->config, error);
	if (result != RESULT_OK)
		return result;
	struct checks checks = {.lines = json_array()};
	char message[ERROR_MESSAGE_MAX];
	snprintf(message, sizeof message, "%s%s%s, %zu datasets", config->path != NULL ? "'" : "",
	         config->path != NULL ? config->path : "none, defaults", config->path != NULL ? "'" : "",
	         config->dataset_count);
	checks_add(&checks, "config", RESULT_OK, NULL, message);
	if (!ask_daemon(&checks, config)) {
		check_sink(&checks, config);
		check_store(&checks, config);
	}
	check_fetches(&checks, config);
	if (options->json)
		query_print_json(checks.lines);
	else
		print_checks(checks.lines);
	json_decref(checks.lines);
	config_free(config);
	*exit_status = error_exit_status(checks.worst);
	return RESULT_OK;
}

const struct command cmd_check = {
    .name = "check",
    .arguments = "[--json]",
    .summary = "configuration, permissions, sink, state, clock, limits, disk",
    .flags = OPTIONS_JSON,
    .run = run,
};
