// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_BASE_BUFFER_H
#define ROWSIEVE_BASE_BUFFER_H

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

/* A growing run of bytes. Zero-initialised is empty; buffer_free() makes it so again. */
struct buffer {
	char *data;
	size_t length;
	size_t capacity;
};

/* Makes room for `more` bytes behind the length; pointers into data may move. RESULT_NO_MEMORY leaves it as
 * it was. */
static inline enum result buffer_reserve(struct buffer *buffer, size_t more) WARN_UNUSED;
enum result buffer_append(struct buffer *buffer, const void *bytes, size_t count) WARN_UNUSED;
enum result buffer_append_string(struct buffer *buffer, const char *text) WARN_UNUSED;
enum result buffer_printf(struct buffer *buffer, const char *format, ...) WARN_UNUSED PRINTF_LIKE(2, 3);

/* Drops the first `count` bytes and moves the rest down. */
void buffer_consume(struct buffer *buffer, size_t count);
void buffer_free(struct buffer *buffer);

/* buffer_reserve() where there is no room yet. */
enum result buffer_grow(struct buffer *buffer, size_t more) WARN_UNUSED;

static inline enum result buffer_reserve(struct buffer *buffer, size_t more)
{
	return more <= buffer->capacity - buffer->length ? RESULT_OK : buffer_grow(buffer, more);
}

#endif
