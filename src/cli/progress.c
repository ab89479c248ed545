// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum { BAR_WIDTH = 20 };

static double number_of(const json_t *state, const char *key)
{
	return (double)json_integer_value(json_object_get(state, key));
}

void progress_clear(struct progress *progress)
{
	if (progress->width > 0)
		fprintf(stderr, "\r%*s\r", progress->width, "");
	progress->width = 0;
}

/* One less than the terminal has, so that the line does not wrap. */
static int line_limit(void)
{
	struct winsize size;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
		return 79;
	return size.ws_col - 1;
}

void progress_draw(struct progress *progress, const json_t *state)
{
	if (!isatty(STDERR_FILENO))
		return;
	int64_t now = clock_monotonic_ns();
	json_int_t position = json_integer_value(json_object_get(state, "position"));
	if (progress->started_ns == 0 || position < progress->last_position)
		progress->started_ns = now;
	progress->last_position = position;

	double seconds = (double)(now - progress->started_ns) / 1e9;
	double size = number_of(state, "size");
	double part = size > 0 && (double)position <= size ? (double)position / size : 1;
	double rate = seconds > 0 ? 1 / seconds : 0;
	double left = part > 0 && seconds > 0 ? seconds * (1 - part) / part : 0;
	int filled = (int)(part * BAR_WIDTH);
	const char *file = json_string_value(json_object_get(state, "file"));
	char line[256];
	int length = snprintf(
	    line, sizeof line,
	    "%-24.24s [%.*s%*s] %3.0f %%  %.1f MB/s  %.0f rows/s  %.0f new  %.0f duplicate  %.0f s left",
	    file != NULL ? file_base_name(file) : "", filled, "####################", BAR_WIDTH - filled, "",
	    100 * part, (double)position * rate / 1e6, number_of(state, "rows") * rate,
	    number_of(state, "new"), number_of(state, "duplicate"), left);
	if (length > line_limit())
		length = line_limit();
	int blank = progress->width > length ? progress->width - length : 0;
	fprintf(stderr, "\r%.*s%*s", length, line, blank, "");
	progress->width = length;
}
