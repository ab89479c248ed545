// SPDX-License-Identifier: Apache-2.0
#include "ingest/rejects.h"

#include <csv.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static const char SUFFIX[] = ".rejects.csv";
static const char HEADER[] = "member,line,column,reason,record,header\n";

/* Written out when this much waits. */
enum { BUFFER_LIMIT = 1 << 20 };

struct rejects {
	char *directory;
	char *path;
	int fd;          /* -1 while there is no reject */
	uint64_t length; /* of the file, what waits included */
	struct buffer waiting;
	bool is_synced;
};

static enum result open_file(struct rejects *rejects, uint64_t length, struct error *error)
{
	rejects->fd = open(rejects->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (rejects->fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", rejects->path);
	struct stat status;
	if (fstat(rejects->fd, &status) != 0 || (uint64_t)status.st_size < length)
		return error_set(error, RESULT_IO, "'%s': shorter than the %llu bytes that were made durable",
		                 rejects->path, (unsigned long long)length);
	if (ftruncate(rejects->fd, (off_t)length) != 0 || lseek(rejects->fd, (off_t)length, SEEK_SET) < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot cut", rejects->path);
	rejects->length = length;
	return RESULT_OK;
}

enum result rejects_open(struct rejects **out, const char *directory, struct id delivery, uint64_t length,
                         struct error *error)
{
	struct rejects *rejects = calloc(1, sizeof *rejects);
	if (rejects == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	rejects->fd = -1;
	rejects->is_synced = true;
	char name[ID_TEXT_MAX + sizeof SUFFIX];
	id_text(name, delivery);
	strcat(name, SUFFIX);
	rejects->directory = strdup(directory);
	rejects->path = file_join(directory, name);
	enum result result = RESULT_OK;
	if (rejects->directory == NULL || rejects->path == NULL)
		result = error_set(error, RESULT_NO_MEMORY, "out of memory");
	else if (length > 0)
		result = open_file(rejects, length, error);
	else if (unlink(rejects->path) != 0 && errno != ENOENT)
		result = error_set_errno(error, RESULT_IO, "'%s': cannot remove", rejects->path);
	if (result != RESULT_OK) {
		rejects_close(rejects);
		return result;
	}
	*out = rejects;
	return RESULT_OK;
}

void rejects_close(struct rejects *rejects)
{
	if (rejects == NULL)
		return;
	if (rejects->fd >= 0)
		close(rejects->fd);
	buffer_free(&rejects->waiting);
	free(rejects->directory);
	free(rejects->path);
	free(rejects);
}

static enum result write_waiting(struct rejects *rejects, struct error *error)
{
	enum result result =
	    file_write_all(rejects->fd, rejects->waiting.data, rejects->waiting.length, rejects->path, error);
	rejects->waiting.length = 0;
	return result;
}

static enum result append_field(struct buffer *out, const char *data, size_t length, char separator)
{
	/* Every byte may need doubling, two quotes and the separator. */
	if (buffer_reserve(out, 2 * length + 3) != RESULT_OK)
		return RESULT_NO_MEMORY;
	out->length += csv_write(out->data + out->length, 2 * length + 2, data, length);
	out->data[out->length++] = separator;
	return RESULT_OK;
}

static struct slice without_line_end(struct slice record)
{
	if (record.length > 0 && record.data[record.length - 1] == '\n')
		record.length--;
	if (record.length > 0 && record.data[record.length - 1] == '\r')
		record.length--;
	return record;
}

static enum result append_row(struct buffer *out, const struct rejects_row *row)
{
	char line[24];
	const char *member = row->member != NULL ? row->member : "";
	const char *column = row->column != NULL ? row->column : "";
	int digits = snprintf(line, sizeof line, "%llu,", (unsigned long long)row->line);
	struct slice record = without_line_end(row->record);
	if (append_field(out, member, strlen(member), ',') != RESULT_OK ||
	    buffer_append(out, line, (size_t)digits) != RESULT_OK ||
	    append_field(out, column, strlen(column), ',') != RESULT_OK ||
	    append_field(out, row->reason, strlen(row->reason), ',') != RESULT_OK)
		return RESULT_NO_MEMORY;
	if (append_field(out, record.data, record.length, ',') != RESULT_OK)
		return RESULT_NO_MEMORY;
	struct slice header = without_line_end(row->header);
	return append_field(out, header.data, header.length, '\n');
}

enum result rejects_add(struct rejects *rejects, const struct rejects_row *row, struct error *error)
{
	size_t before = rejects->waiting.length;
	if (rejects->fd < 0) {
		enum result result = open_file(rejects, 0, error);
		if (result == RESULT_OK)
			result = file_sync_directory(rejects->directory, error);
		if (result != RESULT_OK)
			return result;
		if (buffer_append_string(&rejects->waiting, HEADER) != RESULT_OK)
			return error_set(error, RESULT_NO_MEMORY, "out of memory");
	}
	if (append_row(&rejects->waiting, row) != RESULT_OK)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	rejects->length += rejects->waiting.length - before;
	rejects->is_synced = false;
	return rejects->waiting.length < BUFFER_LIMIT ? RESULT_OK : write_waiting(rejects, error);
}

enum result rejects_sync(struct rejects *rejects, uint64_t *length, struct error *error)
{
	*length = rejects->length;
	if (rejects->is_synced)
		return RESULT_OK;
	enum result result = write_waiting(rejects, error);
	if (result == RESULT_OK)
		result = file_sync(rejects->fd, rejects->path, error);
	rejects->is_synced = result == RESULT_OK;
	return result;
}

bool rejects_delivery(const char *name, struct id *delivery)
{
	char text[ID_TEXT_MAX];
	if (strlen(name) != 2 * ID_SIZE + sizeof SUFFIX - 1 || strcmp(name + 2 * ID_SIZE, SUFFIX) != 0)
		return false;
	memcpy(text, name, 2 * ID_SIZE);
	text[2 * ID_SIZE] = '\0';
	return id_parse(delivery, text);
}

enum result rejects_sweep(const char *directory, bool (*is_known)(void *context, struct id delivery),
                          void *context, struct error *error)
{
	DIR *stream = opendir(directory);
	if (stream == NULL)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", directory);
	enum result result = RESULT_OK;
	for (struct dirent *entry; result == RESULT_OK && (entry = readdir(stream)) != NULL;) {
		struct id delivery;
		if (!rejects_delivery(entry->d_name, &delivery) || is_known(context, delivery))
			continue;
		if (unlinkat(dirfd(stream), entry->d_name, 0) != 0 && errno != ENOENT)
			result = error_set_errno(error, RESULT_IO, "'%s/%s': cannot remove", directory,
			                         entry->d_name);
	}
	closedir(stream);
	return result;
}
