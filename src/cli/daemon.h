// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_DAEMON_H
#define ROWSIEVE_CLI_DAEMON_H

#include <systemd/sd-event.h>

#include "cli/journal.h"
#include "cli/options.h"
#include "cli/uploader.h"
#include "cli/worker.h"
#include "status/control.h"
#include "watch/watch.h"

/* The daemon's parts, all of the event loop's thread. */
struct daemon {
	const struct options *options;
	struct config *config;
	struct config *next_config; /* to go on with after LOOP_RELOAD, if it can be opened */
	struct app app;
	struct worker *worker;
	struct uploader *uploader; /* NULL: nothing is kept for a store */
	struct watch *watch;
	struct control *control;
	struct journal journal;
	struct metrics *metrics;
	sd_event *event;
	sd_event_source *watch_timer;
	sd_event_source *status_timer;
	sd_event_source *metrics_timer;
	char status[2 * ERROR_MESSAGE_MAX]; /* to be sent when status_timer fires */
	bool metrics_were_written;          /* the last time; each failure is told once */
	char watch_complaint[ERROR_MESSAGE_MAX];
	uint64_t last_heartbeat;
};

#endif
