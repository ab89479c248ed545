// SPDX-License-Identifier: Apache-2.0
#include "fetch/handle.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "watch/settle.h"

static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

/* Takes the next part of the path into `part`; the rest, or NULL when that is no part. */
static const char *take_part(char part[HANDLE_PART_MAX + 1], const char *path)
{
	size_t length = strspn(path, PLAIN);
	bool is_dots = strspn(path, ".") == length;
	if (length == 0 || length > HANDLE_PART_MAX || is_dots ||
	    (path[length] != '/' && path[length] != '\0'))
		return NULL;
	memcpy(part, path, length);
	part[length] = '\0';
	return path[length] == '/' ? path + length + 1 : path + length;
}

static bool take_version(uint64_t *version, const char *text)
{
	static const char prefix[] = "versions/";
	if (strncmp(text, prefix, strlen(prefix)) == 0)
		text += strlen(prefix);
	size_t length = strspn(text, "0123456789");
	if (length == 0 || length > 9 || text[length] != '\0')
		return false;
	*version = strtoull(text, NULL, 10);
	return *version > 0;
}

static int hex_value(char digit)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = digit != '\0' ? strchr(digits, digit) : NULL;
	return at != NULL ? (int)(at - digits) % 16 : -1;
}

/* False when the name is longer than the file system takes. */
static bool decode(char out[HANDLE_FILE_MAX + 1], const char *text)
{
	size_t length = 0;
	for (; *text != '\0' && length < HANDLE_FILE_MAX; text++) {
		bool is_encoded = text[0] == '%' && hex_value(text[1]) >= 0 && hex_value(text[2]) >= 0;
		out[length++] = is_encoded ? (char)(hex_value(text[1]) * 16 + hex_value(text[2])) : text[0];
		text += is_encoded ? 2 : 0;
	}
	out[length] = '\0';
	return *text == '\0';
}

static enum result take_file(struct handle *handle, const char *file, struct error *error)
{
	if (!decode(handle->file, file) || handle->file[0] == '\0')
		return error_set(error, RESULT_CONFIG, "file '%s': not a name of 1 to %d bytes", file,
		                 HANDLE_FILE_MAX);
	const char *name = file_base_name(handle->file);
	if (name[0] == '\0' || settle_ignores(name))
		return error_set(error, RESULT_CONFIG, "file '%s': files of such a name are never taken",
		                 file);
	return RESULT_OK;
}

enum result handle_parse(struct handle *handle, const char *source, const char *file, struct error *error)
{
	static const char scheme[] = "kaggle:";
	const char *path = source;
	*handle = (struct handle){0};
	if (strncmp(path, scheme, strlen(scheme)) == 0)
		path += strlen(scheme);
	const char *rest = take_part(handle->owner, path);
	rest = rest != NULL ? take_part(handle->slug, rest) : NULL;
	bool is_right = rest != NULL && (*rest == '\0' || take_version(&handle->version, rest));
	if (!is_right) {
		error_set(error, RESULT_CONFIG, "source '%s': not of the form kaggle:owner/slug", source);
		error_hint(error, "a version may follow: kaggle:owner/slug/3");
		return RESULT_CONFIG;
	}
	return file != NULL ? take_file(handle, file, error) : RESULT_OK;
}

void handle_text(char text[HANDLE_TEXT_MAX], const struct handle *handle)
{
	snprintf(text, HANDLE_TEXT_MAX, "%s/%s", handle->owner, handle->slug);
}

char *handle_encode(const char *text)
{
	CLEANUP(buffer_free) struct buffer out = {0};
	for (; *text != '\0'; text++) {
		enum result result = strchr(PLAIN, *text) != NULL
		                         ? buffer_append(&out, text, 1)
		                         : buffer_printf(&out, "%%%02X", (unsigned char)*text);
		if (result != RESULT_OK)
			return NULL;
	}
	return buffer_append(&out, "", 1) == RESULT_OK ? STEAL(out.data) : NULL;
}

/* FNV-1a: a name that is too long for one is told from others by it. */
static uint64_t hash(const char *text)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325);
	for (; *text != '\0'; text++)
		value = (value ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return value;
}

char *handle_key(const struct handle *handle)
{
	char *key;
	int length = handle->file[0] == '\0' ? asprintf(&key, "%s+%s", handle->owner, handle->slug)
	                                     : asprintf(&key, "%s+%s+%016llx", handle->owner, handle->slug,
	                                                (unsigned long long)hash(handle->file));
	return length < 0 ? NULL : key;
}
