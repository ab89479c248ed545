// SPDX-License-Identifier: Apache-2.0
#include "mend/rejects_list.h"

#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { FIELDS = 6, CHUNK_SIZE = 1 << 16 };

struct reading {
	const char *path;
	struct buffer fields[FIELDS]; /* each with a NUL behind it */
	size_t count;
	bool is_behind_header;
	enum result result;
	enum result (*each)(void *context, const struct rejects_entry *entry, struct error *error);
	void *context;
	struct error *error;
};

static void on_field(void *data, size_t length, void *context)
{
	struct reading *reading = context;
	size_t place = reading->count++;
	if (reading->result != RESULT_OK || place >= FIELDS)
		return;
	struct buffer *field = &reading->fields[place];
	field->length = 0;
	if (buffer_append(field, data, length) != RESULT_OK || buffer_append(field, "", 1) != RESULT_OK)
		reading->result = error_set(reading->error, RESULT_NO_MEMORY, "out of memory");
}

static struct slice bytes_of(const struct buffer *field)
{
	return (struct slice){field->data, field->length - 1};
}

static void on_row(int end, void *context)
{
	struct reading *reading = context;
	size_t count = reading->count;
	(void)end;
	reading->count = 0;
	if (reading->result != RESULT_OK)
		return;
	if (count != FIELDS) {
		reading->result =
		    error_set(reading->error, RESULT_INVALID, "'%s': is no reject file", reading->path);
		return;
	}
	if (!reading->is_behind_header) {
		reading->is_behind_header = true;
		return;
	}
	struct rejects_entry entry = {
	    .member = reading->fields[0].data,
	    .line = strtoull(reading->fields[1].data, NULL, 10),
	    .column = reading->fields[2].data,
	    .reason = reading->fields[3].data,
	    .record = bytes_of(&reading->fields[4]),
	    .header = bytes_of(&reading->fields[5]),
	};
	reading->result = reading->each(reading->context, &entry, reading->error);
}

static void parse(struct reading *reading, struct csv_parser *parser, int fd, char *chunk)
{
	while (reading->result == RESULT_OK) {
		ssize_t length = read(fd, chunk, CHUNK_SIZE);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			reading->result =
			    error_set_errno(reading->error, RESULT_IO, "'%s': cannot read", reading->path);
		if (length <= 0)
			break;
		if (csv_parse(parser, chunk, (size_t)length, on_field, on_row, reading) != (size_t)length)
			reading->result = error_set(reading->error, RESULT_NO_MEMORY, "out of memory");
	}
	if (reading->result == RESULT_OK)
		csv_fini(parser, on_field, on_row, reading);
}

enum result rejects_list_read(const char *path,
                              enum result (*each)(void *context, const struct rejects_entry *entry,
                                                  struct error *error),
                              void *context, struct error *error)
{
	struct reading reading = {.path = path, .each = each, .context = context, .error = error};
	struct csv_parser parser;
	CLEANUP_FREE char *chunk = malloc(CHUNK_SIZE);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", path);
	if (chunk == NULL || csv_init(&parser, CSV_APPEND_NULL) != 0)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	parse(&reading, &parser, fd, chunk);
	csv_free(&parser);
	for (size_t i = 0; i < FIELDS; i++)
		buffer_free(&reading.fields[i]);
	return reading.result;
}
