// SPDX-License-Identifier: Apache-2.0
#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum result buffer_grow(struct buffer *buffer, size_t more)
{
	if (more > SIZE_MAX / 2 - buffer->length)
		return RESULT_NO_MEMORY;
	size_t capacity = buffer->capacity < 256 ? 256 : buffer->capacity;
	while (capacity - buffer->length < more)
		capacity += capacity / 2;
	char *data = realloc(buffer->data, capacity);
	if (data == NULL)
		return RESULT_NO_MEMORY;
	buffer->data = data;
	buffer->capacity = capacity;
	return RESULT_OK;
}

enum result buffer_append(struct buffer *buffer, const void *bytes, size_t count)
{
	if (buffer_reserve(buffer, count) != RESULT_OK)
		return RESULT_NO_MEMORY;
	if (count > 0)
		memcpy(buffer->data + buffer->length, bytes, count);
	buffer->length += count;
	return RESULT_OK;
}

enum result buffer_append_string(struct buffer *buffer, const char *text)
{
	return buffer_append(buffer, text, strlen(text));
}

enum result buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	char *text;
	int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		return RESULT_NO_MEMORY;
	enum result result = buffer_append(buffer, text, (size_t)length);
	free(text);
	return result;
}

void buffer_consume(struct buffer *buffer, size_t count)
{
	if (count < buffer->length)
		memmove(buffer->data, buffer->data + count, buffer->length - count);
	buffer->length -= count;
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){0};
}
