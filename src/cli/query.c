// SPDX-License-Identifier: Apache-2.0
#include "cli/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/answer.h"
#include "status/control.h"

static enum result ask_daemon(int fd, const json_t *request, json_t *lines, struct error *error)
{
	struct control_reader reader = {.fd = fd};
	json_t *line;
	enum result result = control_ask(fd, request, -1, error);
	while (result == RESULT_OK && (result = control_receive(&reader, &line, error)) == RESULT_OK) {
		if (json_array_append_new(lines, line) != 0)
			result = error_set(error, RESULT_NO_MEMORY, "out of memory");
	}
	control_reader_close(&reader);
	if (result != RESULT_END)
		return result;
	/* Only lists can be empty. */
	const char *command = json_string_value(json_object_get(request, "command"));
	bool may_be_empty = strcmp(command, "history") == 0 || strcmp(command, "rejects") == 0;
	if (json_array_size(lines) == 0 && !may_be_empty)
		return error_set(error, RESULT_HELD, "the running rowsieve ended before it answered");
	return RESULT_OK;
}

static enum result answer_here(const struct config *config, const json_t *request, json_t *lines,
                               struct error *error)
{
	struct app app;
	enum result result = app_open_state(&app, config, error);
	if (result != RESULT_OK && result != RESULT_END)
		return result;
	struct match_rules rules = app_match_rules(&app);
	struct answer_source source = {.config = config, .rules = &rules, .state = app.state};
	json_t *answer = answer_request(&source, request);
	app_close(&app);
	if (answer == NULL || json_array_extend(lines, answer) != 0) {
		json_decref(answer);
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	}
	json_decref(answer);
	return RESULT_OK;
}

static enum result ask(const struct config *config, const json_t *request, json_t *lines, struct error *error)
{
	int fd;
	enum result result = control_connect(config->socket_path, &fd, error);
	if (result == RESULT_OK)
		result = ask_daemon(fd, request, lines, error);
	else if (result == RESULT_END)
		result = answer_here(config, request, lines, error);
	const char *refusal = json_string_value(json_object_get(json_array_get(lines, 0), "error"));
	if (result == RESULT_OK && refusal != NULL)
		return error_set(error, RESULT_STATE, "%s", refusal);
	return result;
}

enum result query_run(const struct options *options, json_t *request, json_t **lines, struct error *error)
{
	struct config *config = NULL;
	*lines = json_array();
	enum result result = config_load(&config, &options->config, error);
	if (result == RESULT_OK && (request == NULL || *lines == NULL))
		result = error_set(error, RESULT_USAGE, "an argument is not UTF-8");
	if (result == RESULT_OK)
		result = ask(config, request, *lines, error);
	json_decref(request);
	config_free(config);
	if (result != RESULT_OK) {
		json_decref(*lines);
		*lines = NULL;
	}
	return result;
}

char *query_whole_path(const char *path)
{
	const char *name = file_base_name(path);
	CLEANUP_FREE char *parent = name == path ? strdup(".") : strndup(path, (size_t)(name - path));
	CLEANUP_FREE char *directory = parent != NULL ? realpath(parent, NULL) : NULL;
	return directory != NULL ? file_join(directory, name) : strdup(path);
}

void query_print_json(const json_t *lines)
{
	size_t index;
	json_t *line;
	json_array_foreach(lines, index, line)
	{
		json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
		putchar('\n');
	}
}
