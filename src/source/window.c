// SPDX-License-Identifier: Apache-2.0
#include "source/window.h"

#include <string.h>

static size_t saturating_subtract(size_t from, size_t amount)
{
	return from > amount ? from - amount : 0;
}

enum result window_refill(struct window *window, struct error *error)
{
	struct buffer *bytes = &window->bytes;
	if (window->begin > 0) {
		buffer_consume(bytes, window->begin);
		window->line_feed = saturating_subtract(window->line_feed, window->begin);
		window->carriage_return = saturating_subtract(window->carriage_return, window->begin);
		window->begin = 0;
	}
	if (buffer_reserve(bytes, WINDOW_READ_SIZE + SLICE_SLACK) != RESULT_OK)
		return error_set(error, RESULT_NO_MEMORY, "no memory for a record");
	size_t count = 0;
	enum result result =
	    window->read(window->context, bytes->data + bytes->length, WINDOW_READ_SIZE, &count, error);
	if (result != RESULT_OK)
		return result;
	bytes->length += count;
	window->input_ended = count == 0;
	return RESULT_OK;
}

enum result window_start(struct window *window, size_t *passed, struct error *error)
{
	static const char mark[] = {'\xef', '\xbb', '\xbf'};
	*passed = 0;
	while (window->bytes.length < sizeof(mark) && !window->input_ended) {
		enum result result = window_refill(window, error);
		if (result != RESULT_OK)
			return result;
	}
	if (window->bytes.length >= sizeof(mark) && memcmp(window->bytes.data, mark, sizeof(mark)) == 0)
		window->begin = *passed = sizeof(mark);
	window->started = true;
	return RESULT_OK;
}

/* Where the next such byte stands at or behind `from`, or the length. *mark remembers how far was
 * looked. */
static size_t next_byte(const struct buffer *bytes, size_t *mark, size_t from, char byte)
{
	size_t at = *mark > from ? *mark : from;
	if (at < bytes->length && bytes->data[at] != byte) {
		const char *found = memchr(bytes->data + at, byte, bytes->length - at);
		at = found != NULL ? (size_t)(found - bytes->data) : bytes->length;
	}
	*mark = at;
	return at;
}

bool window_look(struct window *window, size_t start, struct window_line *line)
{
	const struct buffer *bytes = &window->bytes;
	size_t from = window->begin + start;
	size_t line_feed = next_byte(bytes, &window->line_feed, from, '\n');
	size_t carriage_return = next_byte(bytes, &window->carriage_return, from, '\r');
	size_t content = line_feed < carriage_return ? line_feed : carriage_return;
	size_t end = content;
	bool known = content < bytes->length || window->input_ended;
	if (content < bytes->length)
		end++;
	if (carriage_return < line_feed) {
		if (end == bytes->length)
			known = window->input_ended;
		else if (end == line_feed)
			end++;
	}
	*line = (struct window_line){.content = content - window->begin, .end = end - window->begin};
	return known;
}

enum result window_find(struct window *window, size_t start, size_t limit, struct window_line *line,
                        struct error *error)
{
	while (!window_look(window, start, line) && line->end <= limit) {
		enum result result = window_refill(window, error);
		if (result != RESULT_OK)
			return result;
	}
	line->too_long = line->end > limit;
	return RESULT_OK;
}

size_t window_cut(struct window *window, size_t kept)
{
	struct buffer *bytes = &window->bytes;
	/* A carriage return at the very end stays until it is known whether a line feed follows. */
	if (bytes->data[bytes->length - 1] == '\r')
		return 0;
	size_t dropped = bytes->length - (window->begin + kept);
	bytes->length = window->begin + kept;
	window->line_feed = bytes->length;
	window->carriage_return = bytes->length;
	return dropped;
}

void window_forget(struct window *window)
{
	window->line_feed = window->begin;
	window->carriage_return = window->begin;
}
