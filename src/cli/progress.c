// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum { BAR_WIDTH = 20 };

static const char BAR[] = "####################";
static const int64_t DRAW_EVERY_NS = 100000000;

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

/* Puts the line over the last one. */
static void put_line(struct progress *progress, const char *line, int length)
{
	if (length > line_limit())
		length = line_limit();
	int blank = progress->width > length ? progress->width - length : 0;
	fprintf(stderr, "\r%.*s%*s", length, line, blank, "");
	progress->width = length;
}

/* Seconds since the bar of this file began. */
static double take_time(struct progress *progress, json_int_t position)
{
	int64_t now = clock_monotonic_ns();
	if (progress->started_ns == 0 || position < progress->last_position)
		*progress = (struct progress){
		    .started_ns = now, .first_position = position, .width = progress->width};
	progress->last_position = position;
	return (double)(now - progress->started_ns) / 1e9;
}

void progress_draw(struct progress *progress, const json_t *state)
{
	if (!isatty(STDERR_FILENO))
		return;
	json_int_t position = json_integer_value(json_object_get(state, "position"));
	double seconds = take_time(progress, position);
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
	    file != NULL ? file_base_name(file) : "", filled, BAR, BAR_WIDTH - filled, "", 100 * part,
	    (double)position * rate / 1e6, number_of(state, "rows") * rate, number_of(state, "new"),
	    number_of(state, "duplicate"), left);
	put_line(progress, line, length);
}

void progress_draw_bytes(struct progress *progress, const char *name, uint64_t position, int64_t size)
{
	char line[256];
	int64_t now = clock_monotonic_ns();
	bool is_end = size >= 0 && position == (uint64_t)size;
	if (!isatty(STDERR_FILENO) || (!is_end && now - progress->drawn_ns < DRAW_EVERY_NS))
		return;
	double seconds = take_time(progress, (json_int_t)position);
	progress->drawn_ns = now;
	double part = size > 0 ? (double)position / (double)size : 0;
	double rate = seconds > 0 ? ((double)position - (double)progress->first_position) / seconds : 0;
	int filled = (int)(part * BAR_WIDTH);
	double left = rate > 0 ? ((double)size - (double)position) / rate : 0;
	int length = size < 0
	                 ? snprintf(line, sizeof line, "%-24.24s %.1f MB  %.1f MB/s", name,
	                            (double)position / 1e6, rate / 1e6)
	                 : snprintf(line, sizeof line,
	                            "%-24.24s [%.*s%*s] %3.0f %%  %.1f MB/s  %.0f s left  %.1f of %.1f MB",
	                            name, filled, BAR, BAR_WIDTH - filled, "", 100 * part, rate / 1e6, left,
	                            (double)position / 1e6, (double)size / 1e6);
	put_line(progress, line, length);
}
