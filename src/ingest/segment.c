// SPDX-License-Identifier: Apache-2.0
#include "ingest/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "schema/row.h"

enum { PIECE_SIZE = 1 << 18, ROW_MAX = 1 << 30 };

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

static enum result write_rows(FILE *file, const struct slice *rows, size_t count, uint64_t *bytes)
{
	*bytes = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t length = (uint32_t)rows[i].length;
		if (fwrite(&length, sizeof length, 1, file) != 1 ||
		    fwrite(rows[i].data, 1, length, file) != length)
			return RESULT_IO;
		*bytes += sizeof length + length;
	}
	return fflush(file) == 0 ? RESULT_OK : RESULT_IO;
}

enum result segment_write(const char *path, const struct slice *rows, size_t count, uint64_t *bytes,
                          struct error *error)
{
	CLEANUP_FREE char *space = malloc(PIECE_SIZE);
	CLEANUP_FILE FILE *file = fopen(path, "we");
	if (file == NULL)
		return error_set_errno(error, RESULT_IO, "'%s': cannot write", path);
	if (space == NULL)
		return no_memory(error);
	setvbuf(file, space, _IOFBF, PIECE_SIZE);
	if (write_rows(file, rows, count, bytes) != RESULT_OK)
		return error_set_errno(error, RESULT_IO, "'%s': cannot write", path);
	return file_sync(fileno(file), path, error);
}

/* A gzip file in the making. */
struct writer {
	int fd;
	const char *path;
	z_stream stream;
	unsigned char *out;
};

static enum result writer_write(struct writer *writer, const void *bytes, size_t count, int flush,
                                struct error *error)
{
	writer->stream.next_in = (unsigned char *)bytes;
	writer->stream.avail_in = (unsigned)count;
	for (;;) {
		writer->stream.next_out = writer->out;
		writer->stream.avail_out = PIECE_SIZE;
		int code = deflate(&writer->stream, flush);
		enum result result = file_write_all(writer->fd, writer->out,
		                                    PIECE_SIZE - writer->stream.avail_out, writer->path, error);
		if (result != RESULT_OK)
			return result;
		if (code == Z_STREAM_END || (flush == Z_NO_FLUSH && writer->stream.avail_out > 0))
			return RESULT_OK;
	}
}

static bool needs_quotes(struct slice text)
{
	if (text.length == 0)
		return true;
	for (size_t i = 0; i < text.length; i++) {
		char byte = text.data[i];
		if (byte == '"' || byte == ',' || byte == '\r' || byte == '\n')
			return true;
	}
	char first = text.data[0];
	char last = text.data[text.length - 1];
	return first == ' ' || first == '\t' || last == ' ' || last == '\t';
}

static enum result append_text(struct buffer *out, struct slice text)
{
	if (buffer_reserve(out, 2 * text.length + 3) != RESULT_OK)
		return RESULT_NO_MEMORY;
	char *at = out->data + out->length;
	bool is_quoted = needs_quotes(text);
	if (is_quoted)
		*at++ = '"';
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] == '"')
			*at++ = '"';
		*at++ = text.data[i];
	}
	if (is_quoted)
		*at++ = '"';
	out->length = (size_t)(at - out->data);
	return RESULT_OK;
}

static enum result append_separator(struct buffer *out, size_t column, size_t count)
{
	return buffer_append(out, column + 1 < count ? "," : "\n", 1);
}

static enum result append_header(struct buffer *out, const struct schema *schema)
{
	for (size_t i = 0; i < schema->count; i++) {
		if (append_text(out, slice_from_string(schema->columns[i].name)) != RESULT_OK ||
		    append_separator(out, i, schema->count) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return RESULT_OK;
}

/* One canonical row as a record. RESULT_INVALID: it is none of this schema's. */
static enum result append_row(struct buffer *out, const struct schema *schema, struct slice row)
{
	size_t position = 0;
	struct row_cell cell;
	bool has_cell = row_next(row, &position, &cell);
	for (size_t i = 0; i < schema->count; i++) {
		if (has_cell && cell.ordinal == schema->columns[i].ordinal) {
			if (append_text(out, cell.text) != RESULT_OK)
				return RESULT_NO_MEMORY;
			has_cell = row_next(row, &position, &cell);
		}
		if (append_separator(out, i, schema->count) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return has_cell || position != row.length ? RESULT_INVALID : RESULT_OK;
}

static enum result fail_row(enum result result, const char *path, struct error *error)
{
	if (result == RESULT_NO_MEMORY)
		return no_memory(error);
	return error_set(error, RESULT_INVALID, "'%s' is damaged", path);
}

static enum result encode_rows(FILE *from, const char *path, const struct schema *schema,
                               struct writer *writer, struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = {0};
	CLEANUP(buffer_free) struct buffer row = {0};
	uint32_t length;
	enum result result = append_header(&text, schema);
	while (result == RESULT_OK && fread(&length, sizeof length, 1, from) == 1) {
		row.length = 0;
		if (length > ROW_MAX)
			return fail_row(RESULT_INVALID, path, error);
		result = buffer_reserve(&row, length + 1);
		if (result == RESULT_OK && fread(row.data, 1, length, from) != length)
			result = RESULT_INVALID;
		if (result == RESULT_OK)
			result = append_row(&text, schema, (struct slice){row.data, length});
		if (result != RESULT_OK)
			break;
		if (text.length >= PIECE_SIZE) {
			result = writer_write(writer, text.data, text.length, Z_NO_FLUSH, error);
			text.length = 0;
			if (result != RESULT_OK)
				return result;
		}
	}
	if (result != RESULT_OK)
		return fail_row(result, path, error);
	if (ferror(from))
		return error_set_errno(error, RESULT_IO, "'%s': cannot read", path);
	return writer_write(writer, text.data, text.length, Z_FINISH, error);
}

enum result segment_encode(const char *from, const char *to, const struct schema *schema, struct error *error)
{
	enum { GZIP_WINDOW = 15 + 16, MEMORY_LEVEL = 8 };
	CLEANUP_FILE FILE *file = fopen(from, "re");
	if (file == NULL)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", from);
	CLEANUP_FD int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot write", to);
	CLEANUP_FREE unsigned char *out = malloc(PIECE_SIZE);
	struct writer writer = {.fd = fd, .path = to, .out = out};
	if (out == NULL || deflateInit2(&writer.stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
	                                Z_DEFAULT_STRATEGY) != Z_OK)
		return no_memory(error);
	enum result result = encode_rows(file, from, schema, &writer, error);
	deflateEnd(&writer.stream);
	return result == RESULT_OK ? file_sync(fd, to, error) : result;
}

struct segment_reader {
	gzFile file;
	char *path;
	uint32_t *ordinals; /* of the fields */
	size_t count;
	struct buffer text;
};

enum field_end { FIELD_MORE, FIELD_LAST, FIELD_NONE, FIELD_DAMAGED };

/* One field into reader->text; *is_null where it is empty without quotes. */
static enum result read_field(struct segment_reader *reader, enum field_end *end, bool *is_null)
{
	reader->text.length = 0;
	bool is_quoted = false;
	bool is_open = false;
	for (;;) {
		int byte = gzgetc(reader->file);
		if (byte == '"' && !is_quoted && reader->text.length == 0) {
			is_quoted = is_open = true;
			continue;
		}
		if (byte == '"' && is_open) {
			byte = gzgetc(reader->file);
			is_open = byte == '"';
		}
		if (byte < 0 || (!is_open && (byte == ',' || byte == '\n'))) {
			bool is_nothing = byte < 0 && !is_quoted && reader->text.length == 0;
			*is_null = !is_quoted && reader->text.length == 0;
			*end = byte == ',' ? FIELD_MORE : byte == '\n' ? FIELD_LAST : FIELD_DAMAGED;
			if (is_nothing && gzeof(reader->file))
				*end = FIELD_NONE;
			return RESULT_OK;
		}
		char value = (char)byte;
		if (buffer_append(&reader->text, &value, 1) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
}

static uint32_t ordinal_of(const struct schema *schema, struct slice name)
{
	for (size_t i = 0; i < schema->count; i++) {
		if (slice_equal(slice_from_string(schema->columns[i].name), name))
			return schema->columns[i].ordinal;
	}
	return 0;
}

static enum result read_header(struct segment_reader *reader, const struct schema *schema,
                               struct error *error)
{
	enum field_end end = FIELD_MORE;
	bool is_null;
	while (end == FIELD_MORE) {
		if (read_field(reader, &end, &is_null) != RESULT_OK)
			return no_memory(error);
		uint32_t ordinal =
		    ordinal_of(schema, (struct slice){reader->text.data, reader->text.length});
		bool does_rise = reader->count == 0 || ordinal > reader->ordinals[reader->count - 1];
		if (ordinal == 0 || !does_rise || end == FIELD_NONE || end == FIELD_DAMAGED)
			return error_set(error, RESULT_INVALID, "'%s': its header is not of this schema",
			                 reader->path);
		reader->ordinals[reader->count++] = ordinal;
	}
	return RESULT_OK;
}

enum result segment_open(struct segment_reader **out, const char *path, const struct schema *schema,
                         struct error *error)
{
	struct segment_reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL)
		return no_memory(error);
	reader->path = strdup(path);
	reader->ordinals = calloc(schema->count + 1, sizeof *reader->ordinals);
	reader->file = gzopen(path, "rbe");
	enum result result;
	if (reader->file == NULL)
		result = error_set_errno(error, RESULT_IO, "'%s': cannot open", path);
	else if (reader->path == NULL || reader->ordinals == NULL)
		result = no_memory(error);
	else
		result = read_header(reader, schema, error);
	if (result != RESULT_OK) {
		segment_close(reader);
		return result;
	}
	*out = reader;
	return RESULT_OK;
}

void segment_close(struct segment_reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->file != NULL)
		gzclose(reader->file);
	buffer_free(&reader->text);
	free(reader->ordinals);
	free(reader->path);
	free(reader);
}

/* An end that the checksum in it confirms. */
static bool is_whole(struct segment_reader *reader)
{
	int code = Z_OK;
	gzerror(reader->file, &code);
	return code == Z_OK || code == Z_STREAM_END;
}

enum result segment_next(struct segment_reader *reader, struct buffer *row, struct error *error)
{
	for (size_t i = 0; i < reader->count; i++) {
		enum field_end end;
		bool is_null;
		enum result result = read_field(reader, &end, &is_null);
		if (result == RESULT_OK && end == FIELD_NONE && i == 0 && is_whole(reader))
			return RESULT_END;
		if (end != (i + 1 < reader->count ? FIELD_MORE : FIELD_LAST))
			return error_set(error, RESULT_INVALID, "'%s' is damaged", reader->path);
		if (result == RESULT_OK && !is_null)
			result = row_append(row, reader->ordinals[i],
			                    (struct slice){reader->text.data, reader->text.length});
		if (result != RESULT_OK)
			return no_memory(error);
	}
	return RESULT_OK;
}
