// SPDX-License-Identifier: Apache-2.0
#include "ingest/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "schema/row.h"

enum { PIECE_SIZE = 1 << 18, ROW_MAX = 1 << 30, GZIP_WINDOW = 15 + 16 };

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

enum result segment_write(const char *path, const struct slice *rows, size_t count, uint64_t *bytes,
                          struct error *error)
{
	CLEANUP(buffer_free) struct buffer piece = {0};
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot write", path);
	*bytes = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t length = (uint32_t)rows[i].length;
		if (buffer_append(&piece, &length, sizeof length) != RESULT_OK ||
		    buffer_append(&piece, rows[i].data, length) != RESULT_OK)
			return no_memory(error);
		if (i + 1 < count && piece.length < PIECE_SIZE)
			continue;
		enum result result = file_write_all(fd, piece.data, piece.length, path, error);
		if (result != RESULT_OK)
			return result;
		*bytes += piece.length;
		piece.length = 0;
	}
	return file_sync(fd, path, error);
}

/* A gzip file in the making. */
struct writer {
	int fd;
	const char *path;
	struct libdeflate_compressor *compressor;
	struct buffer out;
};

static void writer_close(struct writer *writer)
{
	libdeflate_free_compressor(writer->compressor);
	buffer_free(&writer->out);
}

/* The text as a gzip member; it is empty then. */
static enum result write_member(struct writer *writer, struct buffer *text, struct error *error)
{
	struct buffer *out = &writer->out;
	if (buffer_reserve(out, libdeflate_gzip_compress_bound(writer->compressor, text->length)) !=
	    RESULT_OK)
		return no_memory(error);
	size_t length =
	    libdeflate_gzip_compress(writer->compressor, text->data, text->length, out->data, out->capacity);
	text->length = 0;
	return file_write_all(writer->fd, out->data, length, writer->path, error);
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static char *put_quoted(char *at, struct slice text)
{
	*at++ = '"';
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] == '"')
			*at++ = '"';
		*at++ = text.data[i];
	}
	*at++ = '"';
	return at;
}

/* Takes at most two bytes for each of the text's, and two. */
static char *put_text(char *at, struct slice text)
{
	static const bool asks_for_quotes[256] = {['"'] = true, [','] = true, ['\r'] = true, ['\n'] = true};
	if (text.length == 0 || is_blank(text.data[0]) || is_blank(text.data[text.length - 1]))
		return put_quoted(at, text);
	bool is_asked = false;
	for (size_t i = 0; i < text.length; i++) {
		at[i] = text.data[i];
		is_asked |= asks_for_quotes[(unsigned char)text.data[i]];
	}
	return is_asked ? put_quoted(at, text) : at + text.length;
}

static char *put_separator(char *at, size_t column, size_t count)
{
	*at++ = column + 1 < count ? ',' : '\n';
	return at;
}

static enum result append_header(struct buffer *out, const struct schema *schema)
{
	for (size_t i = 0; i < schema->count; i++) {
		struct slice name = slice_from_string(schema->columns[i].name);
		if (buffer_reserve(out, 2 * name.length + 3) != RESULT_OK)
			return RESULT_NO_MEMORY;
		char *at = put_text(out->data + out->length, name);
		out->length = (size_t)(put_separator(at, i, schema->count) - out->data);
	}
	return RESULT_OK;
}

/* One canonical row as a record. RESULT_INVALID: it is none of this schema's. */
static enum result append_row(struct buffer *out, const struct schema *schema, struct slice row)
{
	if (buffer_reserve(out, 2 * row.length + 3 * schema->count) != RESULT_OK)
		return RESULT_NO_MEMORY;
	char *at = out->data + out->length;
	size_t position = 0;
	struct row_cell cell;
	bool has_cell = row_next(row, &position, &cell);
	for (size_t i = 0; i < schema->count; i++) {
		if (has_cell && cell.ordinal == schema->columns[i].ordinal) {
			at = put_text(at, cell.text);
			has_cell = row_next(row, &position, &cell);
		}
		at = put_separator(at, i, schema->count);
	}
	out->length = (size_t)(at - out->data);
	return has_cell || position != row.length ? RESULT_INVALID : RESULT_OK;
}

static enum result damaged(const char *path, struct error *error)
{
	return error_set(error, RESULT_INVALID, "'%s' is damaged", path);
}

/* The next row as it was written; RESULT_END after the last. */
static enum result read_row(FILE *from, const char *path, struct buffer *row, struct error *error)
{
	uint32_t length;
	row->length = 0;
	size_t count = fread(&length, 1, sizeof length, from);
	if (count == 0 && !ferror(from))
		return RESULT_END;
	if (count == sizeof length && length > ROW_MAX)
		return damaged(path, error);
	if (count == sizeof length && buffer_reserve(row, length + 1) != RESULT_OK)
		return no_memory(error);
	if (count == sizeof length)
		row->length = fread(row->data, 1, length, from);
	if (ferror(from))
		return error_set_errno(error, RESULT_IO, "'%s': cannot read", path);
	return count == sizeof length && row->length == length ? RESULT_OK : damaged(path, error);
}

static enum result encode_rows(FILE *from, const char *path, const struct schema *schema,
                               struct writer *writer, struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = {0};
	CLEANUP(buffer_free) struct buffer row = {0};
	enum result result = append_header(&text, schema) == RESULT_OK ? RESULT_OK : no_memory(error);
	while (result == RESULT_OK && (result = read_row(from, path, &row, error)) == RESULT_OK) {
		result = append_row(&text, schema, (struct slice){row.data, row.length});
		if (result != RESULT_OK)
			return result == RESULT_NO_MEMORY ? no_memory(error) : damaged(path, error);
		if (text.length >= PIECE_SIZE)
			result = write_member(writer, &text, error);
	}
	if (result == RESULT_END)
		result = text.length > 0 ? write_member(writer, &text, error) : RESULT_OK;
	return result == RESULT_OK ? write_member(writer, &text, error) : result;
}

enum result segment_encode(const char *from, const char *to, const struct schema *schema, struct error *error)
{
	enum { FASTEST = 1 };
	CLEANUP_FREE char *space = malloc(PIECE_SIZE);
	CLEANUP_FILE FILE *file = fopen(from, "re");
	if (file == NULL)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", from);
	CLEANUP_FD int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot write", to);
	CLEANUP(writer_close)
	struct writer writer = {.fd = fd, .path = to, .compressor = libdeflate_alloc_compressor(FASTEST)};
	if (space == NULL || writer.compressor == NULL)
		return no_memory(error);
	setvbuf(file, space, _IOFBF, PIECE_SIZE);
	__fsetlocking(file, FSETLOCKING_BYCALLER);
	enum result result = encode_rows(file, from, schema, &writer, error);
	return result == RESULT_OK ? file_sync(fd, to, error) : result;
}

struct segment_reader {
	int fd;
	char *path;
	uint32_t *ordinals; /* of the fields */
	size_t count;
	struct buffer text;
	/* Bytes of the gzip file, and what they stand for. */
	z_stream stream;
	unsigned char *in;
	unsigned char *out;
	size_t at;
	size_t length;
	uint64_t member_bytes; /* of the one under way, or of the last */
	bool is_in_member;
	bool is_damaged;
};

static bool read_more(struct segment_reader *reader)
{
	ssize_t count;
	do
		count = read(reader->fd, reader->in, PIECE_SIZE);
	while (count < 0 && errno == EINTR);
	reader->stream.next_in = reader->in;
	reader->stream.avail_in = count > 0 ? (unsigned)count : 0;
	reader->is_damaged |= count < 0 || (count == 0 && reader->is_in_member);
	return count > 0;
}

/* More of the text, out of one member. False at the end of it, and where the file is damaged. */
static bool inflate_more(struct segment_reader *reader)
{
	reader->at = reader->length = 0;
	while (reader->length == 0 && (reader->stream.avail_in > 0 || read_more(reader))) {
		if (!reader->is_in_member)
			reader->member_bytes = 0;
		reader->stream.next_out = reader->out;
		reader->stream.avail_out = PIECE_SIZE;
		int code = inflate(&reader->stream, Z_NO_FLUSH);
		reader->length = PIECE_SIZE - reader->stream.avail_out;
		reader->member_bytes += reader->length;
		reader->is_in_member = code != Z_STREAM_END;
		reader->is_damaged |= code != Z_OK && code != Z_STREAM_END;
		if (reader->is_damaged || (code == Z_STREAM_END && inflateReset(&reader->stream) != Z_OK))
			return false;
	}
	return reader->length > 0;
}

/* -1 at the end, and where the file is damaged. */
static inline int next_byte(struct segment_reader *reader)
{
	if (reader->at == reader->length && !inflate_more(reader))
		return -1;
	return reader->out[reader->at++];
}

enum field_end { FIELD_MORE, FIELD_LAST, FIELD_NONE, FIELD_DAMAGED };

/* One field into reader->text; *is_null where it is empty without quotes. */
static enum result read_field(struct segment_reader *reader, enum field_end *end, bool *is_null)
{
	reader->text.length = 0;
	bool is_quoted = false;
	bool is_open = false;
	for (;;) {
		int byte = next_byte(reader);
		if (byte == '"' && !is_quoted && reader->text.length == 0) {
			is_quoted = is_open = true;
			continue;
		}
		if (byte == '"' && is_open) {
			byte = next_byte(reader);
			is_open = byte == '"';
		}
		if (byte < 0 || (!is_open && (byte == ',' || byte == '\n'))) {
			bool is_nothing = byte < 0 && !is_quoted && reader->text.length == 0;
			*is_null = !is_quoted && reader->text.length == 0;
			*end = byte == ',' ? FIELD_MORE : byte == '\n' ? FIELD_LAST : FIELD_DAMAGED;
			if (is_nothing && !reader->is_damaged)
				*end = FIELD_NONE;
			return RESULT_OK;
		}
		char value = (char)byte;
		if (reader->text.length == ROW_MAX) {
			*end = FIELD_DAMAGED;
			return RESULT_OK;
		}
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
	reader->in = malloc(PIECE_SIZE);
	reader->out = malloc(PIECE_SIZE);
	reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum result result;
	if (reader->fd < 0)
		result = error_set_errno(error, RESULT_IO, "'%s': cannot open", path);
	else if (reader->path == NULL || reader->ordinals == NULL || reader->in == NULL ||
	         reader->out == NULL || inflateInit2(&reader->stream, GZIP_WINDOW) != Z_OK)
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
	inflateEnd(&reader->stream);
	if (reader->fd >= 0)
		close(reader->fd);
	buffer_free(&reader->text);
	free(reader->in);
	free(reader->out);
	free(reader->ordinals);
	free(reader->path);
	free(reader);
}

/* What ends between two members was cut off, unless the last is empty. */
static bool is_whole(const struct segment_reader *reader)
{
	return reader->member_bytes == 0;
}

enum result segment_next(struct segment_reader *reader, struct buffer *row, struct error *error)
{
	for (size_t i = 0; i < reader->count; i++) {
		enum field_end end;
		bool is_null;
		enum result result = read_field(reader, &end, &is_null);
		if (result != RESULT_OK)
			return no_memory(error);
		if (end == FIELD_NONE && i == 0 && is_whole(reader))
			return RESULT_END;
		if (end != (i + 1 < reader->count ? FIELD_MORE : FIELD_LAST))
			return error_set(error, RESULT_INVALID, "'%s' is damaged", reader->path);
		if (!is_null)
			result = row_append(row, reader->ordinals[i],
			                    (struct slice){reader->text.data, reader->text.length});
		if (result != RESULT_OK)
			return no_memory(error);
	}
	return RESULT_OK;
}
