// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/upkeep.h"
#include "fetch/fetch.h"

/* One run of the command: what is fetched, and how the outcomes add up. */
struct session {
	const struct options *options;
	const struct config *config;
	struct fetch_options fetch;
	struct progress progress;
	const char *name; /* of what is being fetched, for the bar */
	int exit_status;
};

/* Source and file as the message names them: "owner/slug" or "owner/slug/file". */
static void title_of(char title[HANDLE_TEXT_MAX + HANDLE_FILE_MAX + 2], const struct handle *handle)
{
	char text[HANDLE_TEXT_MAX];
	handle_text(text, handle);
	snprintf(title, HANDLE_TEXT_MAX + HANDLE_FILE_MAX + 2, "%s%s%s", text,
	         handle->file[0] != '\0' ? "/" : "", handle->file);
}

static void on_progress(void *context, uint64_t received, int64_t total)
{
	struct session *session = context;
	if (!session->options->json)
		progress_draw_bytes(&session->progress, session->name, received, total);
}

static const char *or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static json_t *number_or_null(uint64_t value)
{
	return value != 0 ? json_integer((json_int_t)value) : json_null();
}

static void print_json(const char *title, const struct fetch_report *report, double seconds)
{
	char quoted[4 * (HANDLE_TEXT_MAX + HANDLE_FILE_MAX + 2)], file[4 * (HANDLE_FILE_MAX + 1)];
	error_quote(quoted, sizeof quoted, title);
	error_quote(file, sizeof file, report->file);
	json_t *line = json_pack(
	    "{s:s, s:s, s:o, s:o, s:s?, s:I, s:I, s:o, s:o, s:o, s:f, s:s?}", "source", quoted, "status",
	    fetch_outcome_text(report->outcome), "version", number_or_null(report->version), "former",
	    number_or_null(report->former), "file", or_null(file), "bytes", (json_int_t)report->received,
	    "wanted_bytes", (json_int_t)report->wanted, "total_bytes",
	    report->total >= 0 ? json_integer(report->total) : json_null(), "members",
	    number_or_null(report->members), "changed",
	    report->members != 0 ? json_integer((json_int_t)report->changed) : json_null(), "seconds",
	    seconds, "reason", or_null(report->error.message));
	json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	fflush(stdout);
	json_decref(line);
}

static void print_line(const char *title, const struct fetch_report *report)
{
	char part[64] = "";
	if (report->members > 0 && report->changed < report->members)
		snprintf(part, sizeof part, ", %zu of %zu members", report->changed, report->members);
	printf("%s: %s", title, fetch_outcome_text(report->outcome));
	if (report->version != 0)
		printf(", version %llu", (unsigned long long)report->version);
	if (report->outcome == FETCH_FETCHED)
		printf(", '%s', %.1f MB%s", report->file, (double)report->received / 1e6, part);
	else if (report->outcome == FETCH_WOULD)
		printf(", %.1f MB would be fetched%s", (double)report->wanted / 1e6, part);
	puts(report->error.message[0] != '\0' ? ":" : "");
	if (report->error.message[0] != '\0')
		printf("  %s\n", report->error.message);
}

/* The greatest exit status wins. */
static void report(struct session *session, const char *title, struct fetch_report *report, double seconds)
{
	int exit_status = report->outcome == FETCH_FAILED ? error_exit_status(report->error.result) : 0;
	if (exit_status > session->exit_status)
		session->exit_status = exit_status;
	progress_clear(&session->progress);
	if (session->options->json)
		print_json(title, report, seconds);
	else if (report->outcome != FETCH_FAILED && (isatty(STDOUT_FILENO) || session->options->dry_run))
		print_line(title, report);
	if (report->outcome != FETCH_FAILED)
		return;
	error_wrap(&report->error, "'%s'", title);
	log_error(&report->error);
}

static void fetch_source(struct session *session, const struct fetch_source *source)
{
	char title[HANDLE_TEXT_MAX + HANDLE_FILE_MAX + 2];
	struct fetch_report outcome = {.outcome = FETCH_FAILED, .total = -1};
	int64_t began = clock_monotonic_ns();
	title_of(title, &source->handle);
	session->name = title;
	session->progress = (struct progress){0};
	if (upkeep_check_space(session->config, &outcome.error) == RESULT_OK)
		fetch_run(&session->fetch, source, &outcome);
	if (outcome.outcome == FETCH_NOT_DUE)
		return;
	report(session, title, &outcome, (double)(clock_monotonic_ns() - began) / 1e9);
}

static enum result parse_section(struct fetch_source *source, const struct config_fetch *fetch,
                                 struct error *error)
{
	*source = (struct fetch_source){.every_ns = fetch->every_ns};
	enum result result = handle_parse(&source->handle, fetch->source, fetch->file, error);
	return result == RESULT_OK ? result : error_wrap(error, "fetch '%s'", fetch->name);
}

/* The section of that name, or the data set itself. */
static enum result parse_argument(struct fetch_source *source, const struct config *config,
                                  const char *argument, struct error *error)
{
	for (size_t i = 0; i < config->fetch_count; i++)
		if (strcmp(config->fetches[i].name, argument) == 0)
			return parse_section(source, &config->fetches[i], error);
	*source = (struct fetch_source){0};
	enum result result = handle_parse(&source->handle, argument, NULL, error);
	if (result != RESULT_CONFIG)
		return result;
	error_set(error, RESULT_USAGE, "'%s': neither a fetch section nor of the form owner/slug", argument);
	return RESULT_USAGE;
}

/* Everything is understood before anything is asked for. */
static enum result collect(struct fetch_source **out, size_t *count, const struct session *session,
                           struct error *error)
{
	const struct config *config = session->config;
	const struct options *options = session->options;
	size_t arguments = (size_t)options->argument_count;
	size_t size = arguments > 0 ? arguments : config->fetch_count;
	struct fetch_source *sources = calloc(size + 1, sizeof *sources);
	enum result result = RESULT_OK;
	if (sources == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	if (size == 0 && !options->due) {
		result = error_set(error, RESULT_USAGE, "nothing to fetch");
		error_hint(
		    error,
		    "name owner/slug, or configure: fetch \"name\" { source = \"kaggle:owner/slug\" }");
	}
	for (size_t i = 0; result == RESULT_OK && i < size; i++)
		result = arguments > 0 ? parse_argument(&sources[i], config, options->arguments[i], error)
		                       : parse_section(&sources[i], &config->fetches[i], error);
	*out = sources;
	*count = size;
	return result;
}

static enum result fetch_all(struct session *session, const struct fetch_source *sources, size_t count,
                             struct error *error)
{
	const struct config *config = session->config;
	CLEANUP(account_free) struct account account = {0};
	CLEANUP_FREE char *logbooks = app_logbooks(config);
	struct kaggle_options options = {
	    .endpoint = config->kaggle.endpoint, .ca = config->kaggle.ca, .account = &account};
	struct kaggle *kaggle = NULL;
	if (logbooks == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result = account_find(&account, error);
	if (result == RESULT_OK)
		result = app_become_owner(config->state, error);
	if (result == RESULT_OK)
		result = kaggle_open(&kaggle, &options, error);
	if (result != RESULT_OK)
		return result;
	session->fetch = (struct fetch_options){
	    .kaggle = kaggle,
	    .drop = config->drop,
	    .logbooks = logbooks,
	    .keeps_files = config->on_done == CONFIG_ON_DONE_KEEP,
	    .dry_run = session->options->dry_run,
	    .only_due = session->options->due,
	    .progress = on_progress,
	    .context = session,
	};
	for (size_t i = 0; i < count; i++)
		fetch_source(session, &sources[i]);
	kaggle_close(kaggle);
	return RESULT_OK;
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	struct session session = {.options = options};
	CLEANUP_FREE struct fetch_source *sources = NULL;
	struct config *config;
	size_t count = 0;
	enum result result = config_load(&config, &options->config, error);
	if (result != RESULT_OK)
		return result;
	session.config = config;
	result = collect(&sources, &count, &session, error);
	if (result == RESULT_OK)
		result = file_make_directory(config->data, 0755, error);
	if (result == RESULT_OK && count > 0)
		result = fetch_all(&session, sources, count, error);
	config_free(config);
	*exit_status = session.exit_status;
	return result;
}

const struct command cmd_fetch = {
    .name = "fetch",
    .arguments = "[--due] [--dry-run] [--json] [NAME|OWNER/SLUG...]",
    .summary = "newer versions from Kaggle into the drop directory",
    .details = "  NAME         a fetch section of the configuration; without arguments, every one\n"
	       "  OWNER/SLUG   a data set; OWNER/SLUG/3 for its version 3\n"
	       "  --due        only what was not asked for within its `every`, for timers\n"
	       "  --dry-run    says what would be fetched, and how many bytes; fetches nothing\n"
	       "  --json       one object per data set, one a line\n\n"
	       "Of a version that is newer only the changed members of its archive come over the net. "
	       "Credentials are\n"
	       "found where Kaggle's own client looks: KAGGLE_API_TOKEN, ~/.kaggle/access_token, "
	       "~/.kaggle/kaggle.json,\n"
	       "KAGGLE_USERNAME and KAGGLE_KEY; public data sets need none.\n\n"
	       "exit status: 0 fetched, or nothing newer, or a newer version that is not ready yet; 1 it "
	       "failed; 64 wrong\n"
	       "usage; 69 the server cannot be reached or asks for patience; 73 the disk is full or the "
	       "state cannot be\n"
	       "written; 75 another fetch of it is at work; 78 configuration or credentials are wrong\n",
    .flags = OPTIONS_JSON | OPTIONS_DRY_RUN | OPTIONS_DUE,
    .max_arguments = -1,
    .run = run,
};
