// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/uploader.h"
#include "status/control.h"

/* One run of the command: how the outcomes add up. */
struct session {
	const struct options *options;
	struct progress progress;
	int exit_status;
};

/* 69 wins over 1, which wins over 0. */
static void add_exit_status(struct session *session, int exit_status)
{
	if (exit_status > session->exit_status)
		session->exit_status = exit_status;
}

/* Prints one report and takes the reference. */
static void print_report(struct session *session, json_t *report)
{
	if (report == NULL)
		return;
	progress_clear(&session->progress);
	add_exit_status(session, report_exit_status(report, session->options->strict));
	bool is_done = strcmp(json_string_value(json_object_get(report, "status")), "done") == 0;
	char line[2 * ERROR_MESSAGE_MAX];
	report_line(line, sizeof line, report);
	if (!is_done || json_integer_value(json_object_get(report, "rejected")) > 0)
		log_warning("%s", line);
	else if (!session->options->json && isatty(STDOUT_FILENO))
		puts(line);
	if (session->options->json) {
		json_dumpf(report, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
		putchar('\n');
		fflush(stdout);
	}
	json_decref(report);
}

static void fail_file(struct session *session, const char *file, const struct error *error)
{
	print_report(session, report_failure_json(file, session->options->dataset, error));
	int exit_status = error_exit_status(error->result);
	add_exit_status(session, exit_status == 0 ? 1 : exit_status);
}

static void on_report(void *context, const struct ingest_report *report)
{
	print_report(context, report_json(report));
}

static void on_progress(void *context, const struct ingest_progress *progress)
{
	struct session *session = context;
	if (session->options->json || !isatty(STDERR_FILENO))
		return;
	json_t *state = report_progress_json(progress);
	progress_draw(&session->progress, state);
	json_decref(state);
}

/* What is wrong with the state concerns every file that is left; everything else is one file's matter. */
static bool ends_session(enum result result)
{
	return result == RESULT_STATE || result == RESULT_NO_SPACE || result == RESULT_STOPPED ||
	       result == RESULT_NO_MEMORY;
}

static enum result ingest_path(struct session *session, struct ingest *ingest, const char *path)
{
	CLEANUP_FD int fd = -1;
	struct error failure = {0};
	enum result result = input_open(path, &fd, &failure);
	if (result == RESULT_OK) {
		struct ingest_file file = {.path = path, .fd = fd, .dataset = session->options->dataset};
		result = ingest_one(ingest, &file, &failure);
		if (result == RESULT_INVALID)
			return RESULT_OK; /* reported by the engine */
	}
	if (result != RESULT_OK)
		fail_file(session, path, &failure);
	return result;
}

static enum result ingest_locally(struct session *session, const struct config *config, struct error *error)
{
	const struct options *options = session->options;
	struct app app;
	enum result result = app_open(&app, config, error);
	if (result != RESULT_OK)
		return result;
	struct ingest_options engine_options = app_ingest_options(&app);
	engine_options.dry_run = options->dry_run;
	engine_options.stop = interrupt_catch();
	engine_options.report = on_report;
	engine_options.progress = on_progress;
	engine_options.context = session;
	struct ingest *ingest = NULL;
	result = ingest_open(&ingest, &engine_options, error);
	bool is_storing = result == RESULT_OK && !options->dry_run;
	struct uploader *uploader = is_storing ? uploader_begin(&app, engine_options.stop) : NULL;
	for (int i = 0; result == RESULT_OK && i < options->argument_count; i++) {
		if (ends_session(ingest_path(session, ingest, options->arguments[i])))
			break;
	}
	progress_clear(&session->progress);
	ingest_close(ingest);
	app_close_sink(&app);
	uploader_finish(uploader);
	app_close(&app);
	return result;
}

/* Hands one file to the daemon: it reads through our descriptor, so it reads what we may read. */
static enum result ask_daemon(struct session *session, int socket_fd, const char *path, int fd,
                              struct error *error)
{
	const struct options *options = session->options;
	struct control_reader reader = {.fd = socket_fd};
	char name[4 * PATH_MAX]; /* for reading: what is read is the descriptor */
	error_quote(name, sizeof name, path);
	json_t *request = json_pack("{s:s, s:s, s:s?, s:b}", "command", "ingest", "file", name, "dataset",
	                            options->dataset, "dry_run", options->dry_run);
	enum result result = request == NULL
	                         ? error_set(error, RESULT_INVALID, "'%s': cannot make the request", path)
	                         : control_ask(socket_fd, request, fd, error);
	json_decref(request);
	json_t *line;
	while (result == RESULT_OK && (result = control_receive(&reader, &line, error)) == RESULT_OK) {
		json_t *exit_status = json_object_get(line, "exit_status");
		json_t *progress = json_object_get(line, "progress");
		const char *refusal = json_string_value(json_object_get(line, "error"));
		if (exit_status != NULL) {
			add_exit_status(session, (int)json_integer_value(exit_status));
			json_decref(line);
			control_reader_close(&reader);
			return RESULT_OK;
		}
		if (refusal != NULL) {
			result = error_set(error, RESULT_INVALID, "'%s': %s", path, refusal);
			json_decref(line);
			break;
		}
		if (progress != NULL) {
			if (!options->json)
				progress_draw(&session->progress, progress);
			json_decref(line);
		} else {
			print_report(session, line);
		}
	}
	control_reader_close(&reader);
	if (result == RESULT_END)
		error_set(error, RESULT_HELD, "'%s': the running rowsieve ended before it was done", path);
	return error->result;
}

static void ingest_remotely(struct session *session, const struct config *config, int first_socket)
{
	int socket_fd = first_socket;
	for (int i = 0; i < session->options->argument_count; i++) {
		const char *path = session->options->arguments[i];
		CLEANUP_FD int fd = -1;
		struct error failure = {0};
		enum result result = input_open(path, &fd, &failure);
		if (result == RESULT_OK && socket_fd < 0)
			result = control_connect(config->socket_path, &socket_fd, &failure);
		if (result == RESULT_END)
			result = error_set(&failure, RESULT_HELD, "the running rowsieve has ended");
		if (result == RESULT_OK)
			result = ask_daemon(session, cleanup_steal_fd(&socket_fd), path, fd, &failure);
		if (result != RESULT_OK)
			fail_file(session, path, &failure);
	}
	if (socket_fd >= 0)
		close(socket_fd);
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	struct session session = {.options = options};
	struct config *config;
	enum result result = config_load(&config, &options->config, error);
	if (result != RESULT_OK)
		return result;
	int socket_fd;
	result = control_connect(config->socket_path, &socket_fd, error);
	if (result == RESULT_OK)
		ingest_remotely(&session, config, socket_fd);
	else if (result == RESULT_END)
		result = ingest_locally(&session, config, error);
	config_free(config);
	*exit_status = session.exit_status;
	return result;
}

const struct command cmd_ingest = {
    .name = "ingest",
    .arguments = "[--dataset NAME] [--json] [--dry-run] [--strict] FILE...",
    .summary = "reads files now; each stays where it is",
    .details =
	"  --dataset NAME   the dataset that takes every member (else the patterns decide)\n"
	"  --json           one object per member, one a line\n"
	"  --dry-run        counts what would be new; stores nothing\n"
	"  --strict         rejected rows make the exit status 1\n\n"
	"exit status: 0 all done; 1 a delivery was rejected or failed; 64 wrong usage; 69 the sink cannot "
	"be\n"
	"reached; 73 the state cannot be written; 75 the state is held and its holder does not answer;\n"
	"78 configuration error\n",
    .flags = OPTIONS_DATASET | OPTIONS_JSON | OPTIONS_DRY_RUN | OPTIONS_STRICT,
    .min_arguments = 1,
    .max_arguments = -1,
    .run = run,
};
