// SPDX-License-Identifier: Apache-2.0
#include "cli/daemon_request.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/answer.h"
#include "cli/checks_identity.h"
#include "cli/task.h"

static void take_client_file(struct daemon *daemon, uint64_t client, const json_t *request, int fd)
{
	struct worker_job job = {
	    .path = json_string_value(json_object_get(request, "file")),
	    .dataset = json_string_value(json_object_get(request, "dataset")),
	    .client = client,
	    .fd = fd,
	    .dry_run = json_is_true(json_object_get(request, "dry_run")),
	    .preview = json_is_true(json_object_get(request, "preview")),
	};
	if (job.path != NULL && fd >= 0 && worker_submit(daemon->worker, &job) == RESULT_OK)
		return;
	if (fd >= 0 && job.path == NULL)
		close(fd);
	control_send(daemon->control, client,
	             json_pack("{s:s}", "error", "ingest needs a file and its descriptor"));
	control_finish(daemon->control, client);
}

static void take_task(struct daemon *daemon, uint64_t client, const json_t *request)
{
	struct worker_job job = {
	    .path = task_subject(request), .client = client, .fd = -1, .request = request};
	if (worker_submit(daemon->worker, &job) == RESULT_OK)
		return;
	control_send(daemon->control, client, json_pack("{s:s}", "error", "out of memory"));
	control_finish(daemon->control, client);
}

json_t *daemon_request_answer(struct daemon *daemon, const json_t *request)
{
	struct match_rules rules = app_match_rules(&daemon->app);
	struct answer_source source = {
	    .config = daemon->config,
	    .rules = &rules,
	    .state = worker_lock_state(daemon->worker),
	    .worker = daemon->worker,
	    .metrics = daemon->metrics,
	    .uploader = daemon->uploader,
	};
	json_t *lines = answer_request(&source, request);
	worker_unlock_state(daemon->worker);
	return lines;
}

/* How sink and store have been of late. */
static void check_sinks(struct daemon *daemon, struct checks *checks)
{
	struct error error = {.result = RESULT_UNREACHABLE};
	json_t *status = worker_status(daemon->worker);
	const char *kind = json_string_value(json_object_get(status, "trouble_kind"));
	const char *trouble = json_string_value(json_object_get(status, "trouble"));
	bool is_away = kind != NULL && trouble != NULL && strcmp(kind, "sink") == 0;
	snprintf(error.message, sizeof error.message, "%s", is_away ? trouble : "");
	checks_add(checks, "sink", is_away ? RESULT_UNREACHABLE : RESULT_OK, &error,
	           "the daemon knows of no trouble");
	json_decref(status);
	is_away = daemon->uploader != NULL && uploader_trouble(daemon->uploader, error.message);
	checks_add(checks, "store", is_away ? RESULT_UNREACHABLE : RESULT_OK, &error,
	           "the daemon knows of no trouble");
}

/* What a reload would meet: the configuration as it is written now against machine and state. */
static json_t *check(struct daemon *daemon, bool with_sinks)
{
	struct checks checks = {.lines = json_array()};
	struct error error = {0};
	struct config *config = NULL;
	enum result result = config_load(&config, &daemon->options->config, &error);
	if (result != RESULT_OK) {
		checks_add(&checks, "config", result, &error, NULL);
		return checks.lines;
	}
	checks_directories(&checks, config);
	checks_machine(&checks, config);
	struct state *state = worker_lock_state(daemon->worker);
	if (state != NULL)
		checks_identity(&checks, config, state);
	worker_unlock_state(daemon->worker);
	if (with_sinks)
		check_sinks(daemon, &checks);
	config_free(config);
	return checks.lines;
}

void daemon_request_take(void *context, uint64_t client, const json_t *request, int fd)
{
	struct daemon *daemon = context;
	const char *command = json_string_value(json_object_get(request, "command"));
	if (command != NULL && strcmp(command, "ingest") == 0) {
		take_client_file(daemon, client, request, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (task_is_one(request)) {
		take_task(daemon, client, request);
		return;
	}
	bool is_check = command != NULL && strcmp(command, "check") == 0;
	bool with_sinks = json_is_true(json_object_get(request, "with_sinks"));
	json_t *lines = is_check ? check(daemon, with_sinks) : daemon_request_answer(daemon, request);
	size_t index;
	json_t *line;
	json_array_foreach(lines, index, line) control_send(daemon->control, client, json_incref(line));
	json_decref(lines);
	control_finish(daemon->control, client);
}
