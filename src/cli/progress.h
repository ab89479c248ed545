// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_PROGRESS_H
#define ROWSIEVE_CLI_PROGRESS_H

#include <jansson.h>
#include <stdint.h>

/* A progress bar on standard error, drawn only where that is a terminal. Zero-initialised is "nothing drawn
 * yet". */
struct progress {
	int64_t started_ns;
	int64_t drawn_ns;
	json_int_t first_position;
	json_int_t last_position;
	int width; /* of what is drawn now */
};

/* `state` is in the form of report_progress_json(). */
void progress_draw(struct progress *progress, const json_t *state);

/* Of a transfer; `size` is -1 where it is not known. Drawn a few times a second, however often it is
 * called. */
void progress_draw_bytes(struct progress *progress, const char *name, uint64_t position, int64_t size);

/* Wipes the bar, so that a line can be printed. */
void progress_clear(struct progress *progress);

#endif
