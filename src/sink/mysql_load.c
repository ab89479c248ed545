// SPDX-License-Identifier: Apache-2.0
#include "sink/mysql_load.h"

#include <errmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sink/mysql_failure.h"
#include "sink/sql.h"

/* What the library reads the rows from: at most one row is formatted at a time. */
struct stream {
	const struct sink_batch *batch;
	struct slice *cells;
	size_t next;        /* row to format */
	struct buffer line; /* the row before it */
	size_t taken;       /* bytes of the line that the library has */
	enum result result; /* why reading ended early */
};

static enum result append_escaped(struct buffer *line, struct slice text)
{
	static const char letters[256] = {
	    ['\\'] = '\\', ['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r', ['\0'] = '0'};
	if (text.length > SIZE_MAX / 4 || buffer_reserve(line, 2 * text.length + 2) != RESULT_OK)
		return RESULT_NO_MEMORY;
	char *out = line->data + line->length;
	for (size_t i = 0; i < text.length; i++) {
		char letter = letters[(unsigned char)text.data[i]];
		if (letter != '\0')
			*out++ = '\\';
		*out++ = letter != '\0' ? letter : text.data[i];
	}
	line->length = (size_t)(out - line->data);
	return RESULT_OK;
}

static enum result format_next(struct stream *stream)
{
	const struct sink_batch *batch = stream->batch;
	if (!sql_cells(stream->cells, batch->schema, batch->rows[stream->next]))
		return RESULT_REFUSED;
	stream->line.length = 0;
	stream->taken = 0;
	for (size_t i = 0; i < batch->schema->count; i++) {
		struct slice cell = stream->cells[i];
		enum result result = cell.data == NULL ? buffer_append(&stream->line, "\\N", 2)
		                                       : append_escaped(&stream->line, cell);
		bool is_last = i + 1 == batch->schema->count;
		if (result != RESULT_OK ||
		    buffer_append(&stream->line, is_last ? "\n" : "\t", 1) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	stream->next++;
	return RESULT_OK;
}

/* The name that the server asks for is of no interest: it gets the batch. */
static int stream_open(void **stream, const char *name, void *context)
{
	(void)name;
	*stream = context;
	return 0;
}

static int stream_read(void *context, char *out, unsigned size)
{
	struct stream *stream = context;
	unsigned filled = 0;
	while (filled < size) {
		if (stream->taken == stream->line.length) {
			if (stream->next == stream->batch->row_count)
				break;
			stream->result = format_next(stream);
			if (stream->result != RESULT_OK)
				return -1;
		}
		size_t part = stream->line.length - stream->taken;
		if (part > size - filled)
			part = size - filled;
		memcpy(out + filled, stream->line.data + stream->taken, part);
		stream->taken += part;
		filled += (unsigned)part;
	}
	return (int)filled;
}

static void stream_end(void *stream)
{
	(void)stream;
}

static int stream_reason(void *stream, char *out, unsigned size)
{
	(void)stream;
	snprintf(out, size, "the rows could not be formatted");
	return CR_UNKNOWN_ERROR;
}

static enum result append_statement(struct buffer *sql, const struct sink_batch *batch)
{
	/* LOCAL alone means IGNORE: bad values would be bent to fit. REPLACE brings strictness back. */
	if (buffer_append_string(sql, "LOAD DATA LOCAL INFILE 'rowsieve' REPLACE INTO TABLE ") != RESULT_OK ||
	    sql_append_identifier(sql, batch->table, '`') != RESULT_OK ||
	    buffer_append_string(sql, " CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ENCLOSED BY '' "
	                              "ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (") != RESULT_OK ||
	    sql_append_columns(sql, batch->schema, '`') != RESULT_OK)
		return RESULT_NO_MEMORY;
	return buffer_append(sql, ")", 1);
}

/* "Records: 3  Deleted: 0  Skipped: 0  Warnings: 0", in the server's language. */
static bool parse_counts(const char *info, uint64_t counts[4])
{
	for (int i = 0; i < 4; i++) {
		info += strcspn(info, "0123456789");
		if (*info == '\0')
			return false;
		char *end;
		counts[i] = strtoull(info, &end, 10);
		info = end;
	}
	return true;
}

static enum result check_counts(struct mysql_session *session, const struct sink_batch *batch,
                                struct error *error)
{
	uint64_t counts[4];
	const char *info = mysql_info(session->handle);
	if (info == NULL || !parse_counts(info, counts))
		return error_set(error, RESULT_REFUSED, "%s: the server does not say what it has loaded",
		                 session->place);
	if (counts[0] != batch->row_count || counts[1] + counts[2] + counts[3] > 0)
		return mysql_session_refuse_warnings(session, info, error);
	return RESULT_OK;
}

/* What has arrived of a stream that broke off looks complete to the server: only closing is safe. */
static enum result refuse_stream(struct mysql_session *session, const struct stream *stream,
                                 struct error *error)
{
	mysql_session_close(session);
	if (stream->result == RESULT_NO_MEMORY)
		return sql_no_memory(error);
	return error_set(error, stream->result, "row %zu of the batch does not fit its schema",
	                 stream->next + 1);
}

static enum result send_rows(struct mysql_session *session, struct stream *stream, struct error *error)
{
	CLEANUP_BUFFER struct buffer sql = {0};
	if (append_statement(&sql, stream->batch) != RESULT_OK)
		return sql_no_memory(error);
	mysql_set_local_infile_handler(session->handle, stream_open, stream_read, stream_end, stream_reason,
	                               stream);
	int failed = mysql_real_query(session->handle, sql.data, sql.length);
	mysql_session_refuse_files(session);
	if (stream->result != RESULT_OK)
		return refuse_stream(session, stream, error);
	if (failed && mysql_failure_is_local_infile(mysql_errno(session->handle))) {
		session->local_infile = false;
		return error_set(error, RESULT_UNREACHABLE, "%s: %s", session->place,
		                 mysql_error(session->handle));
	}
	if (failed)
		return mysql_session_fail(session, error);
	return check_counts(session, stream->batch, error);
}

enum result mysql_load_rows(struct mysql_session *session, const struct sink_batch *batch,
                            struct error *error)
{
	if (session->handle == NULL)
		return error_set(error, RESULT_UNREACHABLE, "%s: not connected", session->place);
	struct stream stream = {.batch = batch,
	                        .cells = calloc(batch->schema->count + 1, sizeof *stream.cells)};
	if (stream.cells == NULL)
		return sql_no_memory(error);
	enum result result = send_rows(session, &stream, error);
	buffer_free(&stream.line);
	free(stream.cells);
	return result;
}

static enum result count_scratch(struct mysql_session *session, const char *expected, struct error *error)
{
	CLEANUP_ROWS MYSQL_RES *rows = NULL;
	enum result result =
	    mysql_session_query(session, SLICE("SELECT COUNT(*) FROM rowsieve_scratch"), &rows, error);
	if (result != RESULT_OK)
		return result;
	MYSQL_ROW row = mysql_fetch_row(rows);
	if (row == NULL || row[0] == NULL || strcmp(row[0], expected) != 0)
		return error_set(error, RESULT_REFUSED, "%s: LOAD DATA is not transactional", session->place);
	return RESULT_OK;
}

static enum result try_scratch(struct mysql_session *session, struct error *error)
{
	struct schema_column column = {.ordinal = 1, .name = "value", .type = {.kind = TYPE_INTEGER}};
	struct schema schema = {.version = 1, .columns = &column, .count = 1};
	const struct slice row = SLICE("\1\1"
	                               "7");
	const struct sink_batch batch = {
	    .table = "rowsieve_scratch", .schema = &schema, .rows = &row, .row_count = 1};
	enum result result = mysql_session_run(
	    session,
	    SLICE("CREATE TEMPORARY TABLE rowsieve_scratch (value BIGINT PRIMARY KEY) ENGINE=InnoDB"), NULL,
	    error);
	if (result == RESULT_OK)
		result = mysql_session_run(session, SLICE("START TRANSACTION"), NULL, error);
	if (result == RESULT_OK)
		result = mysql_load_rows(session, &batch, error);
	if (result == RESULT_OK)
		result = count_scratch(session, "1", error);
	if (result == RESULT_OK)
		result = mysql_session_run(session, SLICE("ROLLBACK"), NULL, error);
	if (result == RESULT_OK)
		result = count_scratch(session, "0", error);
	return result;
}

enum result mysql_load_probe(struct mysql_session *session, struct error *error)
{
	struct error reason = {0};
	session->local_infile = true;
	session->local_infile = try_scratch(session, &reason) == RESULT_OK;
	if (session->handle == NULL) {
		if (error != NULL)
			*error = reason;
		return reason.result;
	}
	if (!session->local_infile)
		log_info("rows go by INSERT, which is slower than LOAD DATA LOCAL: %s", reason.message);
	mysql_session_rollback(session);
	return mysql_session_run(session, SLICE("DROP TEMPORARY TABLE IF EXISTS rowsieve_scratch"), NULL,
	                         error);
}
