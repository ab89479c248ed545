// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/daemon_request.h"
#include "cli/exposition.h"

/* Within this the worker leaves by itself; a batch in the hands of the sink may take longer, and is judged by
 * the next start whatever becomes of it. */
static const int64_t STOP_PATIENCE_NS = 1500000000;

/* How the event loop ended. */
enum { LOOP_STOP = 1, LOOP_RELOAD = 2 };

/* Between two notifications of what was done last: sending one waits for its listener. */
static const uint64_t STATUS_INTERVAL_USEC = 1000000;

/* Between two pages of figures in the configured file. */
static const uint64_t METRICS_INTERVAL_USEC = 15000000;

static void arm_watch_timer(struct daemon *daemon)
{
	sd_event_source_set_time(daemon->watch_timer, (uint64_t)(watch_deadline(daemon->watch) / 1000) + 1);
	sd_event_source_set_enabled(daemon->watch_timer, SD_EVENT_ONESHOT);
}

/* The name of a subdirectory decides, where there can be a dataset of that name. */
static const char *dataset_of(const struct daemon *daemon, const struct watch_file *file,
                              char name[SCHEMA_NAME_MAX + 1])
{
	struct match_rules rules = app_match_rules(&daemon->app);
	struct error error;
	if (file->subdirectory == NULL || match_name(&rules, file->subdirectory, name, &error) != RESULT_OK)
		return NULL;
	return name;
}

static void submit(struct daemon *daemon, const struct watch_file *file)
{
	char name[SCHEMA_NAME_MAX + 1];
	struct worker_job job = {.path = file->path, .dataset = dataset_of(daemon, file, name), .fd = -1};
	if (worker_submit(daemon->worker, &job) != RESULT_OK)
		watch_release(daemon->watch, file->path, clock_monotonic_ns() + daemon->config->rescan_ns);
}

static void take_settled(struct daemon *daemon)
{
	struct error error = {0};
	/* Every scan meets the same obstacle again. */
	if (watch_advance(daemon->watch, clock_monotonic_ns(), &error) != RESULT_OK &&
	    strcmp(daemon->watch_complaint, error.message) != 0) {
		log_error(&error);
		snprintf(daemon->watch_complaint, sizeof daemon->watch_complaint, "%s", error.message);
	}
	struct watch_file file;
	while (watch_next(daemon->watch, &file)) {
		if (file.verdict == WATCH_SETTLED)
			submit(daemon, &file);
		else
			log_warning("'%s' is not readable and stays; run: chmod a+r '%s'", file.path,
			            file.path);
	}
	arm_watch_timer(daemon);
}

static int on_watch(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)source;
	(void)fd;
	(void)events;
	take_settled(context);
	return 0;
}

static int on_watch_timer(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	take_settled(context);
	return 0;
}

static int on_status_timer(sd_event_source *source, uint64_t usec, void *context)
{
	const struct daemon *daemon = context;
	(void)source;
	(void)usec;
	sd_notifyf(0, "STATUS=%s", daemon->status);
	return 0;
}

/* The latest line wins. */
static void tell_status(struct daemon *daemon, const char *line)
{
	snprintf(daemon->status, sizeof daemon->status, "%s", line);
	if (sd_event_source_get_enabled(daemon->status_timer, NULL) > 0)
		return;
	uint64_t now = (uint64_t)(clock_monotonic_ns() / 1000);
	sd_event_source_set_time(daemon->status_timer, now + STATUS_INTERVAL_USEC);
	sd_event_source_set_enabled(daemon->status_timer, SD_EVENT_ONESHOT);
}

/* What the worker says at one time is one group for the journal. */
static void hear_worker(struct daemon *daemon)
{
	char line[2 * ERROR_MESSAGE_MAX];
	worker_dispatch(daemon->worker);
	if (journal_flush(&daemon->journal, line, sizeof line))
		tell_status(daemon, line);
}

static int on_worker(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)source;
	(void)fd;
	(void)events;
	hear_worker(context);
	return 0;
}

static void on_reported(void *context, uint64_t client, const json_t *report)
{
	struct daemon *daemon = context;
	uploader_poke(daemon->uploader);
	journal_add(&daemon->journal, report);
	if (client != 0)
		control_send(daemon->control, client, json_incref((json_t *)report));
}

static void on_progressed(void *context, uint64_t client, const json_t *progress)
{
	struct daemon *daemon = context;
	control_send(daemon->control, client, json_pack("{s:O}", "progress", progress));
}

static void on_answered(void *context, uint64_t client, const json_t *line)
{
	struct daemon *daemon = context;
	control_send(daemon->control, client, json_incref((json_t *)line));
}

static void on_ended(void *context, uint64_t client, const char *path, int exit_status)
{
	struct daemon *daemon = context;
	(void)path;
	if (client == 0)
		return;
	control_send(daemon->control, client, json_pack("{s:i}", "exit_status", exit_status));
	control_finish(daemon->control, client);
}

static void on_released(void *context, const char *path, int64_t delay_ns)
{
	struct daemon *daemon = context;
	watch_release(daemon->watch, path, clock_monotonic_ns() + delay_ns);
	arm_watch_timer(daemon);
}

static int on_metrics_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct daemon *daemon = context;
	struct error error = {0};
	json_t *request = json_pack("{s:s}", "command", "status");
	json_t *lines = request != NULL ? daemon_request_answer(daemon, request) : NULL;
	bool is_written = exposition_write(daemon->metrics, json_array_get(lines, 0), daemon->config->metrics,
	                                   &error) == RESULT_OK;
	if (!is_written && daemon->metrics_were_written)
		log_error(&error);
	daemon->metrics_were_written = is_written;
	json_decref(lines);
	json_decref(request);
	sd_event_source_set_time(source, usec + METRICS_INTERVAL_USEC);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct daemon *daemon = context;
	(void)source;
	(void)info;
	sd_notify(0, "STOPPING=1");
	return sd_event_exit(daemon->event, LOOP_STOP);
}

/* The new configuration, or the old one and an error. */
static int on_reload_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct daemon *daemon = context;
	(void)source;
	(void)info;
	struct config *config;
	struct error error = {0};
	if (config_load(&config, &daemon->options->config, &error) != RESULT_OK) {
		log_error(&error);
		log_warning("the configuration stays as it was");
		return 0;
	}
	if (strcmp(config->state, daemon->config->state) != 0 ||
	    strcmp(config->socket_path, daemon->config->socket_path) != 0) {
		log_warning(
		    "data and state can only be changed by a restart; the configuration stays as it was");
		config_free(config);
		return 0;
	}
	config_free(daemon->next_config);
	daemon->next_config = config;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(clock_monotonic_ns() / 1000));
	return sd_event_exit(daemon->event, LOOP_RELOAD);
}

/* Tells the service manager that we live, but only while the worker gets on. */
static void feed_watchdog(struct daemon *daemon)
{
	uint64_t heartbeat = worker_heartbeat(daemon->worker);
	if (heartbeat != daemon->last_heartbeat)
		sd_notify(0, "WATCHDOG=1");
	daemon->last_heartbeat = heartbeat;
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *context)
{
	feed_watchdog(context);
	uint64_t interval = 0;
	if (sd_watchdog_enabled(0, &interval) > 0) {
		sd_event_source_set_time(source, usec + interval / 4);
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	return 0;
}

static bool add_sources(struct daemon *daemon)
{
	sd_event *event = daemon->event;
	uint64_t now = (uint64_t)(clock_monotonic_ns() / 1000);
	uint64_t interval = 0;
	return sd_event_add_signal(event, NULL, SIGTERM, on_stop_signal, daemon) >= 0 &&
	       sd_event_add_signal(event, NULL, SIGINT, on_stop_signal, daemon) >= 0 &&
	       sd_event_add_signal(event, NULL, SIGHUP, on_reload_signal, daemon) >= 0 &&
	       sd_event_add_io(event, NULL, worker_fd(daemon->worker), EPOLLIN, on_worker, daemon) >= 0 &&
	       sd_event_add_io(event, NULL, watch_fd(daemon->watch), EPOLLIN, on_watch, daemon) >= 0 &&
	       sd_event_add_time(event, &daemon->watch_timer, CLOCK_MONOTONIC, now, 1000, on_watch_timer,
	                         daemon) >= 0 &&
	       sd_event_add_time(event, &daemon->status_timer, CLOCK_MONOTONIC, UINT64_MAX, 0,
	                         on_status_timer, daemon) >= 0 &&
	       sd_event_source_set_enabled(daemon->status_timer, SD_EVENT_OFF) >= 0 &&
	       (daemon->config->metrics == NULL ||
	        sd_event_add_time(event, &daemon->metrics_timer, CLOCK_MONOTONIC, now, 0, on_metrics_timer,
	                          daemon) >= 0) &&
	       (sd_watchdog_enabled(0, &interval) <= 0 ||
	        sd_event_add_time(event, NULL, CLOCK_MONOTONIC, now, 0, on_watchdog, daemon) >= 0);
}

static struct state *lock_state(void *context)
{
	return worker_lock_state(context);
}

static void unlock_state(void *context)
{
	worker_unlock_state(context);
}

static enum result open_uploader(struct daemon *daemon, struct error *error)
{
	struct upload_state state = {lock_state, unlock_state, daemon->worker};
	return uploader_start(&daemon->uploader, daemon->config, &state, error);
}

static enum result open_parts(struct daemon *daemon, struct error *error)
{
	struct worker_callbacks callbacks = {on_reported, on_progressed, on_answered,
	                                     on_ended,    on_released,   daemon};
	struct watch_options watch_options = {daemon->config->drop, daemon->config->settle_ns,
	                                      daemon->config->rescan_ns};
	enum result result = app_open(&daemon->app, daemon->config, error);
	if (result == RESULT_OK)
		result = watch_open(&daemon->watch, &watch_options, error);
	if (result == RESULT_OK && sd_event_new(&daemon->event) < 0)
		result = error_set(error, RESULT_NO_MEMORY, "cannot make the event loop");
	if (result == RESULT_OK)
		result = worker_start(&daemon->worker, &daemon->app, &callbacks, daemon->metrics, error);
	if (result == RESULT_OK)
		result = open_uploader(daemon, error);
	if (result == RESULT_OK)
		result = control_open(&daemon->control, daemon->event, daemon->config->socket_path,
		                      daemon_request_take, daemon, error);
	if (result == RESULT_OK && !add_sources(daemon))
		result = error_set(error, RESULT_NO_MEMORY, "cannot watch what the event loop must watch");
	return result;
}

static bool is_stop_pending(void)
{
	sigset_t pending;
	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* A daemon that goes on has the time to wait for its worker. False: the worker is still busy. */
static bool stop_worker(struct daemon *daemon, bool goes_on)
{
	bool has_left = daemon->worker == NULL || worker_stop(daemon->worker, STOP_PATIENCE_NS);
	while (!has_left && goes_on && !is_stop_pending()) {
		feed_watchdog(daemon);
		has_left = worker_stop(daemon->worker, STOP_PATIENCE_NS);
	}
	return has_left;
}

/* Does not return when the worker is still busy: nothing may be taken from under it. */
static void close_parts(struct daemon *daemon, bool goes_on)
{
	uploader_stop(daemon->uploader);
	bool has_left = stop_worker(daemon, goes_on);
	if (has_left && daemon->worker != NULL)
		hear_worker(daemon);
	control_close(daemon->control);
	daemon->control = NULL;
	if (!has_left) {
		log_warning("a batch is still under way; the next start settles it");
		_exit(0);
	}
	uploader_free(daemon->uploader);
	worker_free(daemon->worker);
	watch_close(daemon->watch);
	sd_event_source_unref(daemon->watch_timer);
	sd_event_source_unref(daemon->status_timer);
	sd_event_source_unref(daemon->metrics_timer);
	sd_event_unref(daemon->event);
	app_close(&daemon->app);
	daemon->uploader = NULL;
	daemon->worker = NULL;
	daemon->watch = NULL;
	daemon->watch_timer = NULL;
	daemon->status_timer = NULL;
	daemon->metrics_timer = NULL;
	daemon->event = NULL;
}

/* With the new configuration, where there is one that can be opened; the old one is kept until then. */
static enum result open_with_next(struct daemon *daemon, struct error *error)
{
	if (daemon->next_config == NULL)
		return open_parts(daemon, error);
	struct config *old_config = daemon->config;
	daemon->config = STEAL(daemon->next_config);
	enum result result = open_parts(daemon, error);
	if (result == RESULT_OK) {
		config_free(old_config);
		log_info("configuration reloaded");
		return RESULT_OK;
	}
	log_error(error);
	log_warning("the configuration stays as it was");
	close_parts(daemon, true);
	config_free(daemon->config);
	daemon->config = old_config;
	return open_parts(daemon, error);
}

static enum result run_once(struct daemon *daemon, int *how, struct error *error)
{
	enum result result = open_with_next(daemon, error);
	if (result == RESULT_OK) {
		log_info("watching '%s'", daemon->config->drop);
		sd_notifyf(0, "READY=1\nSTATUS=watching '%s'", daemon->config->drop);
		*how = sd_event_loop(daemon->event);
	}
	close_parts(daemon, *how == LOOP_RELOAD);
	return result;
}

static void block_signals(void)
{
	/* sd-event reads them from a signalfd: no thread may take them. A client that hangs up must not kill
	 * us. */
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static enum result run(const struct options *options, int *exit_status, struct error *error)
{
	struct daemon daemon = {.options = options, .metrics_were_written = true};
	enum result result = config_load(&daemon.config, &options->config, error);
	if (result == RESULT_OK)
		result = metrics_open(&daemon.metrics, error);
	if (result != RESULT_OK) {
		config_free(daemon.config);
		return result;
	}
	log_open(false);
	block_signals();
	int how = LOOP_RELOAD;
	while (result == RESULT_OK && how == LOOP_RELOAD) {
		how = LOOP_STOP;
		result = run_once(&daemon, &how, error);
	}
	config_free(daemon.config);
	config_free(daemon.next_config);
	journal_free(&daemon.journal);
	metrics_close(daemon.metrics);
	*exit_status = 0;
	return result;
}

const struct command cmd_run = {
    .name = "run",
    .arguments = "",
    .summary = "the daemon, in the foreground: takes files from the drop directory",
    .details =
	"  SIGTERM ends it within two seconds, in the middle of a file too; the next start goes on from "
	"there.\n"
	"  SIGHUP reads the configuration again, and keeps the old one when the new one has an error.\n",
    .run = run,
};
