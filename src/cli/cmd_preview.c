// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/preview.h"
#include "cli/report.h"
#include "status/control.h"

/* A member is previewed first and reported later: the two are joined here. */
struct session {
	const struct options *options;
	struct sink *sink;
	json_t *previews; /* of the members that were not reported yet */
	int exit_status;
};

static json_t *take_preview(struct session *session, const json_t *member)
{
	size_t index;
	json_t *preview;
	json_array_foreach(session->previews, index, preview)
	{
		if (!json_equal(json_object_get(preview, "member"), member))
			continue;
		json_incref(preview);
		json_array_remove(session->previews, index);
		return preview;
	}
	return NULL;
}

static void add_exit_status(struct session *session, int exit_status)
{
	if (exit_status > session->exit_status)
		session->exit_status = exit_status;
}

/* Takes the reference. */
static void print(struct session *session, json_t *report)
{
	if (report == NULL)
		return;
	char line[2 * ERROR_MESSAGE_MAX];
	json_t *preview = take_preview(session, json_object_get(report, "member"));
	add_exit_status(session, report_exit_status(report, false));
	report_line(line, sizeof line, report);
	json_object_update_missing(report, preview);
	if (session->options->json) {
		json_dumpf(report, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
		putchar('\n');
	} else if (preview != NULL) {
		preview_print(stdout, report);
		printf("\n%s\n", line);
	} else {
		log_warning("%s", line);
	}
	json_decref(preview);
	json_decref(report);
}

static void on_preview(void *context, const struct ingest_preview *preview)
{
	struct session *session = context;
	json_t *object = preview_json(preview, session->sink);
	if (object != NULL)
		json_array_append_new(session->previews, object);
}

static void on_report(void *context, const struct ingest_report *report)
{
	print(context, report_json(report));
}

/* Only a database that is there is asked: a preview makes no file. */
static void connect_sink(const struct app *app)
{
	struct error ignored;
	bool is_there =
	    app->config->sink != CONFIG_SINK_SQLITE || access(app->config->sqlite_path, F_OK) == 0;
	if (is_there && app->sink->interface->connect(app->sink, &ignored) != RESULT_OK)
		log_warning("the sink cannot be asked: %s", ignored.message);
}

static enum result read_file(struct session *session, struct app *app, int fd, struct error *error)
{
	static atomic_bool never;
	struct ingest *ingest;
	struct ingest_options options = app_ingest_options(app);
	options.dry_run = true;
	options.stop = &never;
	options.report = on_report;
	options.preview = on_preview;
	options.context = session;
	session->sink = app->sink;
	enum result result = ingest_open(&ingest, &options, error);
	if (result != RESULT_OK)
		return result;
	const char *path = session->options->arguments[0];
	struct ingest_file file = {.path = path, .fd = fd, .dataset = session->options->dataset};
	result = ingest_read(ingest, &file, error);
	if (result == RESULT_OK)
		result = ingest_flush(ingest, error);
	ingest_close(ingest);
	return result == RESULT_INVALID ? RESULT_OK : result; /* reported */
}

static enum result preview_locally(struct session *session, const struct config *config, int fd,
                                   struct error *error)
{
	struct app app;
	enum result result = app_open(&app, config, error);
	if (result != RESULT_OK)
		return result;
	connect_sink(&app);
	result = read_file(session, &app, fd, error);
	app_close(&app);
	return result;
}

/* False: nothing follows. Takes the reference. */
static bool take_line(struct session *session, json_t *line, struct error *error)
{
	json_t *preview = json_object_get(line, "preview");
	const char *refusal = json_string_value(json_object_get(line, "error"));
	const json_t *exit_status = json_object_get(line, "exit_status");
	bool is_end = refusal != NULL || exit_status != NULL;
	add_exit_status(session, (int)json_integer_value(exit_status));
	if (refusal != NULL)
		error_set(error, RESULT_INVALID, "'%s': %s", session->options->arguments[0], refusal);
	else if (preview != NULL)
		json_array_append(session->previews, preview);
	else if (!is_end && json_object_get(line, "progress") == NULL)
		print(session, json_incref(line));
	json_decref(line);
	return !is_end;
}

/* The daemon holds the state; it reads through our descriptor. */
static enum result ask_daemon(struct session *session, int socket_fd, int fd, struct error *error)
{
	struct control_reader reader = {.fd = socket_fd};
	char name[4 * PATH_MAX];
	error_quote(name, sizeof name, session->options->arguments[0]);
	json_t *request = json_pack("{s:s, s:s, s:s?, s:b, s:b}", "command", "ingest", "file", name,
	                            "dataset", session->options->dataset, "dry_run", 1, "preview", 1);
	enum result result = request != NULL ? control_ask(socket_fd, request, fd, error)
	                                     : error_set(error, RESULT_NO_MEMORY, "out of memory");
	json_decref(request);
	json_t *line;
	error->result = result;
	while (result == RESULT_OK && (result = control_receive(&reader, &line, error)) == RESULT_OK)
		if (!take_line(session, line, error))
			break;
	control_reader_close(&reader);
	if (result == RESULT_END)
		return error_set(error, RESULT_HELD, "the running rowsieve ended before it was done");
	return result != RESULT_OK ? result : error->result;
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	struct session session = {.options = options, .previews = json_array()};
	struct config *config;
	CLEANUP_FD int fd = -1;
	enum result result = config_load(&config, &options->config, error);
	if (result != RESULT_OK)
		return result;
	result = input_open(options->arguments[0], &fd, error);
	int socket_fd;
	if (result == RESULT_OK)
		result = control_connect(config->socket_path, &socket_fd, error);
	if (result == RESULT_OK)
		result = ask_daemon(&session, socket_fd, fd, error);
	else if (result == RESULT_END)
		result = preview_locally(&session, config, fd, error);
	json_decref(session.previews);
	config_free(config);
	*exit_status = session.exit_status;
	return result;
}

const struct command cmd_preview = {
    .name = "preview",
    .arguments = "[--dataset NAME] [--json] FILE",
    .summary = "how a file is read, its schema, the SQL and the counts of an ingest",
    .details =
	"Nothing is stored. What is not declared is inferred as an ingest would:\n"
	"  delimiter   of , ; tab | the one under which most records of the first 64 KB have as many "
	"fields\n"
	"              as the first, which are at least two; a comma without any\n"
	"  encoding    UTF-8, or UTF-16 by its byte order mark\n"
	"  types       from every value of the delivery: plain integers and decimals, dates in ISO form "
	"or\n"
	"              with a month's name, datetimes in ISO form; everything else is text\n\n"
	"  --dataset NAME   the dataset that takes every member (else the patterns decide)\n"
	"  --json           one object per member, one a line: that of ingest --json, and dialect, "
	"columns,\n"
	"                   sql, sample\n",
    .flags = OPTIONS_DATASET | OPTIONS_JSON,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
