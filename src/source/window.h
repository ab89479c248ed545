// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_WINDOW_H
#define ROWSIEVE_SOURCE_WINDOW_H

#include "source/record.h"

/*
 * What was read of an input and not taken yet. Zero-initialised but for read() and its context. Physical lines
 * end at LF, CRLF and a lone CR.
 */
struct window {
	record_read_fn *read;
	void *context;
	struct buffer bytes;
	size_t begin;     /* of what is not taken */
	size_t line_feed; /* in bytes: none stands between `begin` and here */
	size_t carriage_return;
	bool started; /* a byte order mark was looked for */
	bool input_ended;
};

enum { WINDOW_READ_SIZE = 256 * 1024 };

/* A physical line, as offsets from `begin`. Without a line end at the end of input, both are the same. */
struct window_line {
	size_t content; /* where its line end begins */
	size_t end;     /* where the next line begins */
	bool too_long;  /* it ends behind the limit */
};

/* What was not taken, with slack (base/slice.h); valid until the next call that reads. */
static inline struct slice window_rest(const struct window *window)
{
	return (struct slice){window->bytes.data + window->begin, window->bytes.length - window->begin};
}

/* Reads more; `begin` moves to the front. At the end input_ended is set. */
enum result window_refill(struct window *window, struct error *error) WARN_UNUSED;

/* Moves `begin` behind a UTF-8 byte order mark at the very beginning; says how many bytes that are. */
enum result window_start(struct window *window, size_t *passed, struct error *error) WARN_UNUSED;

/* The line that begins at `start`, as far as it was read; false if its end is not known yet. */
bool window_look(struct window *window, size_t start, struct window_line *line);

/* As window_look(), reading what is needed but no more than `limit` behind `begin`. */
enum result window_find(struct window *window, size_t start, size_t limit, struct window_line *line,
                        struct error *error) WARN_UNUSED;

/* Drops what was read behind the first `kept` bytes of a line whose end is not known; says how much. */
size_t window_cut(struct window *window, size_t kept);

/* The next search for a line end begins at `begin`, not where an earlier one stopped. */
void window_forget(struct window *window);

#endif
