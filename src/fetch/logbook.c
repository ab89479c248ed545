// SPDX-License-Identifier: Apache-2.0
#include "fetch/logbook.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

enum { LOGBOOK_MAX = 64 * 1024 * 1024 };

static const char ENDING[] = ".json";

struct logbook {
	char *directory;
	char *path;
	char *fresh; /* the next version of it, until it is renamed */
	int lock;
	json_t *root;
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

static enum result name_files(struct logbook *logbook, const char *directory, const struct handle *handle,
                              char **lock_path)
{
	CLEANUP_FREE char *key = handle_key(handle);
	logbook->directory = strdup(directory);
	*lock_path = NULL;
	if (key == NULL || logbook->directory == NULL)
		return RESULT_NO_MEMORY;
	if (asprintf(&logbook->path, "%s/%s%s", directory, key, ENDING) < 0)
		logbook->path = NULL;
	if (asprintf(&logbook->fresh, "%s/%s.new", directory, key) < 0)
		logbook->fresh = NULL;
	if (asprintf(lock_path, "%s/%s.lock", directory, key) < 0)
		*lock_path = NULL;
	return logbook->path != NULL && logbook->fresh != NULL && *lock_path != NULL ? RESULT_OK
	                                                                             : RESULT_NO_MEMORY;
}

/* The lock file stays: to remove it would let two hold two of them. */
static enum result take_lock(struct logbook *logbook, const char *path, struct error *error)
{
	logbook->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (logbook->lock < 0)
		return error_set_errno(error, RESULT_STATE, "'%s': cannot open", path);
	if (flock(logbook->lock, LOCK_EX | LOCK_NB) == 0)
		return RESULT_OK;
	if (errno == EWOULDBLOCK)
		return error_set(error, RESULT_HELD, "another fetch of it is at work");
	return error_set_errno(error, RESULT_STATE, "'%s': cannot lock", path);
}

static enum result load(json_t **root, const char *path, struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = {0};
	if (access(path, F_OK) != 0 && errno == ENOENT) {
		*root = json_object();
		return *root != NULL ? RESULT_OK : no_memory(error);
	}
	enum result result = file_read(path, LOGBOOK_MAX, &text, error);
	if (result == RESULT_NO_MEMORY)
		return result;
	if (result != RESULT_OK)
		return error->result = RESULT_STATE;
	*root = json_loadb(text.data, text.length, 0, NULL);
	if (*root != NULL)
		return RESULT_OK;
	error_set(error, RESULT_STATE, "'%s': damaged", path);
	error_hint(error, "remove it: everything is fetched again then, and no row is stored twice");
	return RESULT_STATE;
}

enum result logbook_open(struct logbook **out, const char *directory, const struct handle *handle,
                         struct error *error)
{
	struct logbook *logbook = calloc(1, sizeof *logbook);
	if (logbook == NULL)
		return no_memory(error);
	CLEANUP_FREE char *lock_path = NULL;
	logbook->lock = -1;
	enum result result = file_make_directory(directory, 0755, error);
	if (result != RESULT_OK)
		result = error->result = RESULT_STATE;
	if (result == RESULT_OK && name_files(logbook, directory, handle, &lock_path) != RESULT_OK)
		result = no_memory(error);
	if (result == RESULT_OK)
		result = take_lock(logbook, lock_path, error);
	if (result == RESULT_OK)
		result = load(&logbook->root, logbook->path, error);
	if (result != RESULT_OK) {
		logbook_close(logbook);
		return result;
	}
	char name[HANDLE_TEXT_MAX];
	handle_text(name, handle);
	logbook_set_text(logbook, "source", name);
	logbook_set_text(logbook, "file", handle->file[0] != '\0' ? handle->file : NULL);
	*out = logbook;
	return RESULT_OK;
}

void logbook_close(struct logbook *logbook)
{
	if (logbook == NULL)
		return;
	if (logbook->lock >= 0)
		close(logbook->lock);
	json_decref(logbook->root);
	free(logbook->directory);
	free(logbook->path);
	free(logbook->fresh);
	free(logbook);
}

json_t *logbook_root(const struct logbook *logbook)
{
	return logbook->root;
}

int64_t logbook_number(const struct logbook *logbook, const char *key)
{
	return json_integer_value(json_object_get(logbook->root, key));
}

void logbook_set_number(struct logbook *logbook, const char *key, int64_t value)
{
	json_object_set_new(logbook->root, key, json_integer(value));
}

void logbook_set_text(struct logbook *logbook, const char *key, const char *text)
{
	char quoted[ERROR_MESSAGE_MAX];
	if (text == NULL) {
		json_object_del(logbook->root, key);
		return;
	}
	error_quote(quoted, sizeof quoted, text); /* JSON takes nothing but UTF-8 */
	json_object_set_new(logbook->root, key, json_string(quoted));
}

enum result logbook_save(struct logbook *logbook, struct error *error)
{
	CLEANUP_FREE char *text = json_dumps(logbook->root, JSON_COMPACT);
	if (text == NULL)
		return no_memory(error);
	CLEANUP_FD int fd = open(logbook->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_set_errno(error, RESULT_STATE, "'%s': cannot make", logbook->fresh);
	enum result result = file_write_all(fd, text, strlen(text), logbook->fresh, error);
	if (result == RESULT_OK)
		result = file_sync(fd, logbook->fresh, error);
	if (result == RESULT_OK && rename(logbook->fresh, logbook->path) != 0)
		result = error_set_errno(error, RESULT_STATE, "'%s': cannot rename", logbook->fresh);
	if (result == RESULT_OK)
		result = file_sync_directory(logbook->directory, error);
	return result == RESULT_IO ? (error->result = RESULT_STATE) : result;
}

static void take_text(char out[WEB_TEXT_MAX], const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	snprintf(out, WEB_TEXT_MAX, "%s", text != NULL ? text : "");
}

bool logbook_part(const struct logbook *logbook, uint64_t version, const char *mode,
                  struct remote_identity *identity)
{
	const json_t *part = json_object_get(logbook->root, "part");
	const char *kept_mode = json_string_value(json_object_get(part, "mode"));
	*identity = (struct remote_identity){.total = -1};
	if (kept_mode == NULL || strcmp(kept_mode, mode) != 0 ||
	    (uint64_t)json_integer_value(json_object_get(part, "version")) != version)
		return false;
	identity->total = json_integer_value(json_object_get(part, "total"));
	take_text(identity->etag, part, "etag");
	take_text(identity->modified, part, "modified");
	take_text(identity->md5, part, "md5");
	take_text(identity->crc32c, part, "crc32c");
	return true;
}

enum result logbook_begin_part(struct logbook *logbook, uint64_t version, const char *mode,
                               const struct remote_identity *identity, struct error *error)
{
	char etag[WEB_TEXT_MAX], modified[WEB_TEXT_MAX];
	error_quote(etag, sizeof etag, identity->etag);
	error_quote(modified, sizeof modified, identity->modified);
	json_t *part = json_pack("{s:I, s:s, s:I, s:s, s:s, s:s, s:s}", "version", (json_int_t)version,
	                         "mode", mode, "total", (json_int_t)identity->total, "etag", etag, "modified",
	                         modified, "md5", identity->md5, "crc32c", identity->crc32c);
	if (part == NULL)
		json_object_del(logbook->root,
		                "part"); /* a server that sends no text: nothing to go on from */
	else
		json_object_set_new(logbook->root, "part", part);
	return logbook_save(logbook, error);
}

static json_t *time_text(const json_t *root, const char *key)
{
	char text[CLOCK_TEXT_MAX];
	json_int_t seconds = json_integer_value(json_object_get(root, key));
	if (seconds == 0)
		return json_null();
	clock_text(text, seconds * INT64_C(1000000000));
	return json_string(text);
}

static json_t *summary(const json_t *root)
{
	return json_pack("{s:O?, s:O?, s:O?, s:o, s:o, s:O?, s:O?, s:o, s:O?, s:O?}", "source",
	                 json_object_get(root, "source"), "file", json_object_get(root, "file"), "version",
	                 json_object_get(root, "version"), "fetched", time_text(root, "fetched"), "asked",
	                 time_text(root, "asked"), "outcome", json_object_get(root, "outcome"), "message",
	                 json_object_get(root, "message"), "not_before", time_text(root, "not_before"),
	                 "dropped", json_object_get(root, "dropped"), "bytes",
	                 json_object_get(root, "bytes"));
}

static int is_logbook(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name), ending = strlen(ENDING);
	return length > ending && strcmp(entry->d_name + length - ending, ENDING) == 0;
}

json_t *logbook_summaries(const char *directory)
{
	struct dirent **entries = NULL;
	json_t *all = json_array();
	int count = scandir(directory, &entries, is_logbook, alphasort);
	for (int i = 0; i < count; i++) {
		CLEANUP_FREE char *path = file_join(directory, entries[i]->d_name);
		json_t *root = NULL;
		struct error ignored = {0};
		if (path != NULL && load(&root, path, &ignored) == RESULT_OK)
			json_array_append_new(all, summary(root));
		json_decref(root);
		free(entries[i]);
	}
	free(entries);
	return all;
}
