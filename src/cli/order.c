// SPDX-License-Identifier: Apache-2.0
#include "cli/order.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/query.h"
#include "cli/task.h"
#include "status/control.h"

struct order {
	const struct options *options;
	void (*print)(const json_t *line);
	struct progress progress;
	bool is_ended; /* the daemon has said how it ended */
	int exit_status;
};

static void on_line(void *context, json_t *line)
{
	struct order *order = context;
	if (line == NULL)
		return;
	progress_clear(&order->progress);
	if (order->options->json) {
		json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
		putchar('\n');
	} else {
		order->print(line);
	}
	fflush(stdout);
	json_decref(line);
}

static void on_progress(void *context, json_t *progress)
{
	struct order *order = context;
	if (!order->options->json)
		progress_draw(&order->progress, progress);
	json_decref(progress);
}

/* Without a daemon nobody watches the drop directory. */
static void on_release(void *context, const char *path)
{
	(void)context;
	(void)path;
}

static enum result do_here(struct order *order, const struct config *config, const json_t *request,
                           struct error *error)
{
	struct app app;
	enum result result = app_open(&app, config, error);
	if (result != RESULT_OK)
		return result;
	struct task task = {&app, interrupt_catch(), false, on_line, on_progress, on_release, order};
	result = task_run(&task, request, &order->exit_status, error);
	app_close(&app);
	return result;
}

/* The result that ends with this exit status. */
static enum result result_of(int exit_status)
{
	static const enum result results[] = {RESULT_USAGE, RESULT_UNREACHABLE, RESULT_STATE, RESULT_HELD,
	                                      RESULT_CONFIG};
	for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
		if (error_exit_status(results[i]) == exit_status)
			return results[i];
	}
	return RESULT_INVALID;
}

/* One line of the daemon; takes the reference. */
static enum result take_line(struct order *order, json_t *line, struct error *error)
{
	json_t *progress = json_object_get(line, "progress");
	json_t *exit_status = json_object_get(line, "exit_status");
	const char *failure = json_string_value(json_object_get(line, "error"));
	const char *hint = json_string_value(json_object_get(line, "hint"));
	enum result result = RESULT_OK;
	if (exit_status != NULL)
		order->exit_status = (int)json_integer_value(exit_status);
	if (failure != NULL) {
		result = error_set(error, result_of(order->exit_status), "%s", failure);
		if (hint != NULL)
			error_hint(error, "%s", hint);
	} else if (progress != NULL) {
		on_progress(order, json_incref(progress));
	} else if (exit_status != NULL) {
		order->is_ended = true;
	} else {
		on_line(order, json_incref(line));
	}
	json_decref(line);
	return result;
}

static enum result ask_daemon(struct order *order, int fd, const json_t *request, struct error *error)
{
	struct control_reader reader = {.fd = fd};
	json_t *line;
	enum result result = control_ask(fd, request, -1, error);
	while (result == RESULT_OK && !order->is_ended &&
	       (result = control_receive(&reader, &line, error)) == RESULT_OK)
		result = take_line(order, line, error);
	control_reader_close(&reader);
	if (result == RESULT_END)
		return error_set(error, RESULT_HELD, "the running rowsieve ended before it was done");
	return result;
}

enum result order_run(const struct options *options, json_t *request, void (*print)(const json_t *line),
                      int *exit_status, struct error *error)
{
	struct order order = {.options = options, .print = print};
	struct config *config = NULL;
	int fd;
	enum result result = config_load(&config, &options->config, error);
	if (result == RESULT_OK && request == NULL)
		result = error_set(error, RESULT_USAGE, "an argument is not UTF-8");
	if (result == RESULT_OK) {
		result = control_connect(config->socket_path, &fd, error);
		if (result == RESULT_OK)
			result = ask_daemon(&order, fd, request, error);
		else if (result == RESULT_END)
			result = do_here(&order, config, request, error);
	}
	progress_clear(&order.progress);
	json_decref(request);
	config_free(config);
	*exit_status = order.exit_status;
	return result;
}

char *order_subject(const char *argument)
{
	bool is_file = strchr(argument, '/') != NULL || access(argument, F_OK) == 0;
	return is_file ? query_whole_path(argument) : strdup(argument);
}
