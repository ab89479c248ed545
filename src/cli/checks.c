// SPDX-License-Identifier: Apache-2.0
#include "cli/checks.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/upkeep.h"
#include "status/control.h"

/* Descriptors of deliveries under way, their reject files, state, sink, store and clients, with room to spare. */
enum { OPEN_FILES_MIN = 1024 };

/* A clock that is this far behind what it said before was set back. */
static const int64_t SETBACK_NS = 60000000000;

void checks_add(struct checks *checks, const char *name, enum result result, const struct error *error,
                const char *message)
{
	bool is_ok = result == RESULT_OK;
	json_array_append_new(checks->lines, json_pack("{s:s, s:b, s:s, s:s?}", "check", name, "ok", is_ok,
	                                               "message", is_ok ? message : error->message, "hint",
	                                               is_ok || error->hint[0] == '\0' ? NULL : error->hint));
	if (!is_ok && (checks->worst == RESULT_OK || result == RESULT_UNREACHABLE))
		checks->worst = result;
}

void checks_take(struct checks *checks, json_t *line)
{
	if (!json_is_true(json_object_get(line, "ok")) && checks->worst == RESULT_OK)
		checks->worst = RESULT_DISAGREES;
	json_array_append_new(checks->lines, line);
}

static void check_directory(struct checks *checks, const char *name, const char *path)
{
	struct error error = {0};
	enum result result = RESULT_OK;
	char message[ERROR_MESSAGE_MAX];
	snprintf(message, sizeof message, "'%s'", path);
	if (access(path, R_OK | W_OK | X_OK) != 0 && errno != ENOENT) {
		result = error_set_errno(&error, RESULT_STATE, "'%s'", path);
		error_hint(&error, "make it readable and writable for the user rowsieve runs as");
	} else if (access(path, F_OK) != 0) {
		snprintf(message, sizeof message, "'%s' will be made", path);
	}
	checks_add(checks, name, result, &error, message);
}

static void check_space(struct checks *checks, const struct config *config)
{
	if (access(config->data, F_OK) != 0)
		return;
	struct error error = {0};
	checks_add(checks, "space", upkeep_check_space(config, &error), &error,
	           "more is free than keep.min_free wants");
}

void checks_directories(struct checks *checks, const struct config *config)
{
	check_directory(checks, "drop", config->drop);
	check_directory(checks, "done", config->done);
	check_directory(checks, "rejected", config->rejected);
	check_space(checks, config);
}

void checks_ask(struct checks *checks, int fd, bool with_sinks)
{
	struct control_reader reader = {.fd = fd};
	struct error error = {0};
	json_t *line;
	json_t *request = json_pack("{s:s, s:b}", "command", "check", "with_sinks", with_sinks);
	enum result result = control_ask(fd, request, -1, &error);
	json_decref(request);
	while (result == RESULT_OK && (result = control_receive(&reader, &line, &error)) == RESULT_OK)
		checks_take(checks, line);
	control_reader_close(&reader);
	if (result != RESULT_END)
		checks_add(checks, "daemon", result, &error, NULL);
}

/* History, expiry and the order of deliveries go by the wall clock. */
static void check_clock(struct checks *checks, const struct config *config)
{
	struct error error = {0};
	struct stat status;
	CLEANUP_FREE char *data = file_join(config->state, "data.mdb");
	enum result result = RESULT_OK;
	if (data != NULL && stat(data, &status) == 0 &&
	    clock_wall_ns() < file_identity_of(&status).mtime_ns - SETBACK_NS) {
		result = error_set(&error, RESULT_IO, "it is earlier than the last change of '%s'", data);
		error_hint(&error, "set the clock, or have it set: timedatectl set-ntp true");
	}
	checks_add(checks, "clock", result, &error, "not behind the state");
}

static void check_open_files(struct checks *checks)
{
	struct error error = {0};
	struct rlimit limit;
	char message[64];
	enum result result = RESULT_OK;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		limit.rlim_cur = 0;
	if (limit.rlim_cur < OPEN_FILES_MIN) {
		result = error_set(&error, RESULT_IO, "only %ju files may be open at a time",
		                   (uintmax_t)limit.rlim_cur);
		error_hint(&error, "raise it to %d: ulimit -n, or LimitNOFILE= of the service",
		           OPEN_FILES_MIN);
	}
	snprintf(message, sizeof message, "%ju files may be open at a time", (uintmax_t)limit.rlim_cur);
	checks_add(checks, "limits", result, &error, message);
}

/* The kernel's figure of that name; 0 when it does not tell, as in a sandbox without /proc/sys. */
static uint64_t inotify_limit(const char *name)
{
	CLEANUP_FREE char *path = file_join("/proc/sys/fs/inotify", name);
	FILE *file = path != NULL ? fopen(path, "re") : NULL;
	uint64_t limit = 0;
	if (file == NULL)
		return 0;
	if (fscanf(file, "%" SCNu64, &limit) != 1)
		limit = 0;
	fclose(file);
	return limit;
}

/* The drop directory and each of its subdirectories is watched. */
static uint64_t count_watches(const char *drop)
{
	DIR *stream = opendir(drop);
	uint64_t count = 1;
	if (stream == NULL)
		return count;
	for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
		count += entry->d_type == DT_DIR && entry->d_name[0] != '.';
	closedir(stream);
	return count;
}

static void check_inotify(struct checks *checks, const struct config *config)
{
	struct error error = {0};
	char message[64];
	enum result result = RESULT_OK;
	uint64_t limit = inotify_limit("max_user_watches");
	uint64_t wanted = count_watches(config->drop);
	if (limit > 0 && limit < 2 * wanted) {
		result = error_set(&error, RESULT_IO, "%" PRIu64 " directories to watch, %" PRIu64 " allowed",
		                   wanted, limit);
		error_hint(&error, "run: sysctl fs.inotify.max_user_watches=%" PRIu64, 4 * wanted);
	}
	if (limit > 0)
		snprintf(message, sizeof message, "%" PRIu64 " directories to watch, %" PRIu64 " allowed",
		         wanted, limit);
	else
		snprintf(message, sizeof message, "%" PRIu64 " directories to watch", wanted);
	checks_add(checks, "inotify", result, &error, message);
}

void checks_machine(struct checks *checks, const struct config *config)
{
	check_clock(checks, config);
	check_open_files(checks);
	check_inotify(checks, config);
}
