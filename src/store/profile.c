// SPDX-License-Identifier: Apache-2.0
#include "store/profile.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"

enum { FILE_SIZE_MAX = 1 << 20 };

static struct slice trim(const char *begin, const char *end)
{
	while (begin < end && isspace((unsigned char)*begin))
		begin++;
	while (end > begin && isspace((unsigned char)end[-1]))
		end--;
	return (struct slice){begin, (size_t)(end - begin)};
}

static bool is_section(struct slice line, const char *section)
{
	return line.length >= 2 && line.data[line.length - 1] == ']' &&
	       slice_equal(trim(line.data + 1, line.data + line.length - 1), slice_from_string(section));
}

/* The value of `key` in the section; data NULL for none. The last one counts, as in AWS's own tools. */
static struct slice find(const struct buffer *text, const char *section, const char *key)
{
	struct slice found = {NULL, 0};
	bool is_inside = false;
	const char *end = text->data + text->length;
	for (const char *line = text->data; line < end;) {
		const char *line_end = memchr(line, '\n', (size_t)(end - line));
		line_end = line_end != NULL ? line_end : end;
		struct slice content = trim(line, line_end);
		bool is_nested = line < line_end && isspace((unsigned char)*line);
		line = line_end + 1;
		if (content.length == 0 || content.data[0] == '#' || content.data[0] == ';')
			continue;
		if (content.data[0] == '[')
			is_inside = is_section(content, section);
		const char *equals = memchr(content.data, '=', content.length);
		if (!is_inside || is_nested || equals == NULL ||
		    !slice_equal(trim(content.data, equals), slice_from_string(key)))
			continue;
		found = trim(equals + 1, content.data + content.length);
	}
	return found;
}

static void wipe(struct buffer *text)
{
	if (text->data != NULL)
		explicit_bzero(text->data, text->capacity);
	buffer_free(text);
}

enum result profile_read(const char *path, const char *section, const char *key, char *out, size_t size,
                         struct error *error)
{
	CLEANUP(wipe) struct buffer text = {0};
	if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return RESULT_END;
	enum result result = file_read(path, FILE_SIZE_MAX, &text, error);
	if (result != RESULT_OK)
		return error->result = RESULT_CONFIG;
	struct slice value = find(&text, section, key);
	if (value.data == NULL)
		return RESULT_END;
	if (value.length >= size)
		return error_set(error, RESULT_CONFIG, "'%s': %s in [%s] is too long", path, key, section);
	memcpy(out, value.data, value.length);
	out[value.length] = '\0';
	return RESULT_OK;
}
