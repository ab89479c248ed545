// SPDX-License-Identifier: Apache-2.0
#include "ingest/stream.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingest/piece.h"
#include "source/ahead.h"

/* A chunk in two sizes: large ones, and inside those that are not known small ones, so that one new row costs the
 * parsing of a small chunk only. */
static const struct cut_size large_size = {.least = 48 * 1024, .mean = 64 * 1024, .most = 256 * 1024};
static const struct cut_size small_size = {.least = 512, .mean = 1024, .most = 4 * 1024};

static_assert((int)DELIMITED_HEAD_SIZE <= (int)CONTENT_HEAD_SIZE, "what is given back is still here");

enum {
	BUFFER_SIZE = 1024 * 1024,
	PIECES_MAX = AHEAD_BYTES_MAX / 512 + AHEAD_CHUNKS_MAX, /* a span in pieces of small_size.least */
	/* After so many large chunks in a row of which nothing was known and nothing was new, the rows come in another
	 * order than before: small chunks will not be known either. */
	MISSES_MAX = 1024,
};

static_assert((int)PIECES_MAX <= (int)PIECE_COUNT_MAX && (int)AHEAD_CHUNKS_MAX <= (int)PIECE_COUNT_MAX,
              "they are looked up at once");

/* In the `rows` of a chunk record: they are on more or on fewer lines than there are rows. */
static const uint32_t UNEVEN_LINES = UINT32_C(1) << 31;

static const int64_t PROGRESS_INTERVAL_NS = 100000000;

/* A chunk that is being parsed, and where everything stood at its beginning. */
struct open_chunk {
	bool is_open; /* it began at a record boundary, and is worth a record */
	struct state_digest digest;
	uint64_t records;
	uint64_t rejected;
	uint64_t filtered;
	uint64_t line;
};

struct stream {
	const struct member_input *input;
	struct buffer bytes; /* of the source; given up to `begin` */
	size_t begin;
	size_t head;
	bool has_ended; /* the source */
	bool is_short;
	uint64_t position;            /* in the plain bytes, of what is given next */
	atomic_uint_least64_t packed; /* bytes of the file that were read, maybe ahead and by a thread */

	/* with chunks: */
	struct record_reader *reader;
	struct cut_rule rule;
	uint8_t key[ROW_KEY_SIZE];
	struct ahead *ahead;
	struct ahead_span span;
	struct piece *larges; /* its chunks */
	size_t next_large;
	struct slice rest;       /* of the large chunk that is being given */
	uint64_t parsed;         /* bytes given since the chunks began */
	struct open_chunk large; /* what is being given */
	struct open_chunk small;
	size_t left;          /* of what is being given now */
	struct piece *pieces; /* of the span's large chunks that are not known, one after the other */
	size_t piece_count;
	size_t next_piece;
	size_t piece_end;                    /* of those of the large chunk that is being given */
	size_t piece_ends[AHEAD_CHUNKS_MAX]; /* of those of each */
	unsigned misses;                     /* in a row */
	uint64_t known_new;
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

static size_t available(const struct stream *stream)
{
	return stream->bytes.length - stream->begin;
}

static enum result read_source(void *context, void *bytes, size_t size, size_t *count, struct error *error)
{
	struct stream *stream = context;
	enum result result = source_read(stream->input->source, bytes, size, count, error);
	atomic_store(&stream->packed, source_position(stream->input->source));
	return result;
}

/* Reads until so many bytes are there, or the source ends. */
static enum result fill(struct stream *stream, size_t wanted, struct error *error)
{
	struct buffer *bytes = &stream->bytes;
	if (available(stream) >= wanted || stream->has_ended)
		return RESULT_OK;
	buffer_consume(bytes, stream->begin);
	stream->begin = 0;
	while (bytes->length < wanted && !stream->has_ended) {
		size_t count;
		enum result result = read_source(stream, bytes->data + bytes->length,
		                                 BUFFER_SIZE - bytes->length, &count, error);
		if (result != RESULT_OK)
			return result;
		bytes->length += count;
		stream->has_ended = count == 0;
	}
	return RESULT_OK;
}

enum result stream_open(struct stream **out, const struct member_input *input, struct error *error)
{
	struct stream *stream = calloc(1, sizeof *stream);
	if (stream == NULL || buffer_reserve(&stream->bytes, BUFFER_SIZE) != RESULT_OK) {
		stream_close(stream);
		return no_memory(error);
	}
	stream->input = input;
	enum result result = fill(stream, CONTENT_HEAD_SIZE + 1, error);
	stream->is_short = stream->bytes.length <= CONTENT_HEAD_SIZE;
	stream->head = stream->bytes.length < CONTENT_HEAD_SIZE ? stream->bytes.length : CONTENT_HEAD_SIZE;
	if (result != RESULT_OK) {
		stream_close(stream);
		return result;
	}
	*out = stream;
	return RESULT_OK;
}

void stream_close(struct stream *stream)
{
	if (stream == NULL)
		return;
	if (stream->input != NULL)
		chunks_release(&stream->input->ingest->chunks);
	sodium_memzero(stream->key, sizeof stream->key);
	ahead_close(stream->ahead);
	buffer_free(&stream->bytes);
	free(stream->larges);
	free(stream->pieces);
	free(stream);
}

struct slice stream_head(const struct stream *stream)
{
	return (struct slice){stream->bytes.data, stream->head};
}

bool stream_is_short(const struct stream *stream)
{
	return stream->is_short;
}

static void report_progress(const struct stream *stream)
{
	const struct member_input *input = stream->input;
	struct ingest *ingest = input->ingest;
	int64_t now = clock_monotonic_ns();
	if (ingest->options.progress == NULL || now < ingest->progress_due_ns)
		return;
	ingest->progress_due_ns = now + PROGRESS_INTERVAL_NS;
	struct ingest_progress progress = {
	    .ticket = input->delivery->ticket,
	    .file = input->delivery->record.path,
	    .position = atomic_load(&stream->packed),
	    .size = input->delivery->identity.size,
	    .counts = delivery_counts(input->delivery),
	};
	ingest->options.progress(ingest->options.context, &progress);
}

/* Is it still wanted? */
static enum result go_on(const struct stream *stream, struct error *error)
{
	if (atomic_load(stream->input->ingest->options.stop))
		return error_set(error, RESULT_STOPPED, "stopped");
	report_progress(stream);
	return RESULT_OK;
}

/* Before the chunks begin, or without any. */
static enum result read_plain(struct stream *stream, void *bytes, size_t size, size_t *count,
                              struct error *error)
{
	enum result result = fill(stream, 1, error);
	if (result != RESULT_OK)
		return result;
	*count = available(stream) < size ? available(stream) : size;
	memcpy(bytes, stream->bytes.data + stream->begin, *count);
	stream->begin += *count;
	stream->position += *count;
	return content_update(stream->input->ingest->content, bytes, *count, error);
}

static struct open_chunk open_chunk(const struct stream *stream, struct state_digest digest)
{
	const struct delivery_member *member = stream->input->member;
	return (struct open_chunk){
	    .is_open = true,
	    .digest = digest,
	    .records = member->records,
	    .rejected = member->mark.member.counts.rejected,
	    .filtered = member->mark.member.counts.filtered,
	    .line = record_line(stream->reader),
	};
}

/* C1 and C2: what was parsed from one record boundary to another, all of whose rows were taken, is worth knowing. */
static void close_chunk(struct stream *stream, struct open_chunk *chunk, bool is_at_boundary)
{
	const struct delivery_member *member = stream->input->member;
	const struct state_counts *counts = &member->mark.member.counts;
	bool is_open = chunk->is_open;
	chunk->is_open = false;
	if (!is_open || !is_at_boundary || stream->input->ingest->options.dry_run ||
	    counts->rejected != chunk->rejected)
		return;
	uint64_t rows = member->records - chunk->records;
	uint64_t lines = record_line(stream->reader) - chunk->line;
	struct state_chunk record = {
	    .digest = chunk->digest,
	    .rows = (uint32_t)rows,
	    .filtered = (uint32_t)(counts->filtered - chunk->filtered),
	};
	if (lines != rows)
		record.rows |= UNEVEN_LINES;
	chunks_add(&stream->input->ingest->chunks, &record);
}

/* What was given or passed over is behind us. */
static void step(struct stream *stream, size_t length)
{
	stream->rest.data += length;
	stream->rest.length -= length;
	stream->position += length;
}

/* C5: the rows of a chunk that is not parsed are counted as they were. */
static void pass(struct stream *stream, size_t length, const struct state_chunk *known)
{
	struct delivery_member *member = stream->input->member;
	struct state_member *record = &member->mark.member;
	struct slice bytes = {stream->rest.data, length};
	uint64_t rows = known->rows & ~UNEVEN_LINES;
	uint64_t lines = (known->rows & UNEVEN_LINES) != 0 ? cut_count_lines(bytes) : rows;
	record_pass(stream->reader, length, rows, lines);
	step(stream, length);
	stream->misses = 0;
	record->counts.rows += rows;
	record->counts.filtered += known->filtered;
	record->counts.duplicate += rows - known->filtered;
	record->bytes = stream->position;
	record->bytes_skipped += length;
	record->lines = record_line(stream->reader) - 1;
	member->records += rows;
	member->is_dirty = true;
}

static enum result look_up(struct stream *stream, struct piece *pieces, size_t count, struct error *error)
{
	struct ingest *ingest = stream->input->ingest;
	struct piece_look look = {&ingest->chunks, ingest->options.state,
	                          stream->input->member->dataset->record.id};
	return piece_find(&look, pieces, count, error);
}

/* Where nothing of the rows around was known nor new, small chunks cost more than they save. */
static bool are_pieces_worth_it(struct stream *stream)
{
	uint64_t new = stream->input->member->mark.member.counts.new;
	if (new != stream->known_new)
		stream->misses = 0;
	stream->known_new = new;
	return stream->misses++ < MISSES_MAX;
}

/* Without a line end it is one only at the end of all bytes: elsewhere its last record goes on. Nor is one what was taken
 * before a restart. */
static bool is_chunk(const struct stream *stream, size_t large, uint64_t position)
{
	struct slice bytes = stream->span.chunks[large].bytes;
	bool is_last = stream->span.is_last && large + 1 == stream->span.count;
	return (is_last || bytes.data[bytes.length - 1] == '\n') &&
	       position >= stream->input->member->resume_at;
}

/* Cuts the large chunks of the span that are not known into pieces, and looks up all of these. */
static enum result cut_span(struct stream *stream, struct error *error)
{
	const struct piece_cutting cutting = {&stream->rule, &small_size, stream->input->ingest->content,
	                                      stream->key};
	uint64_t position = stream->position;
	stream->piece_count = stream->next_piece = stream->piece_end = 0;
	for (size_t i = 0; i < stream->span.count; i++) {
		struct slice bytes = stream->span.chunks[i].bytes;
		size_t count = 0;
		enum result result = RESULT_OK;
		if (!stream->larges[i].is_known && bytes.length > small_size.most &&
		    is_chunk(stream, i, position) && are_pieces_worth_it(stream))
			result =
			    piece_cut(&cutting, bytes, stream->pieces + stream->piece_count, &count, error);
		if (result != RESULT_OK)
			return result;
		stream->piece_ends[i] = stream->piece_count += count;
		position += bytes.length;
	}
	return look_up(stream, stream->pieces, stream->piece_count, error);
}

/* The next chunks of the source, and what is known of them. */
static enum result read_span(struct stream *stream, struct error *error)
{
	enum result result = go_on(stream, error);
	if (result == RESULT_OK)
		result = ahead_next(stream->ahead, &stream->span, error);
	if (result != RESULT_OK)
		return result;
	stream->next_large = 0;
	for (size_t i = 0; i < stream->span.count; i++) {
		const struct ahead_chunk *chunk = &stream->span.chunks[i];
		stream->larges[i] = (struct piece){.length = chunk->bytes.length, .content = chunk->digest};
		piece_set_meaning(&stream->larges[i], stream->key);
	}
	result = look_up(stream, stream->larges, stream->span.count, error);
	return result == RESULT_OK ? cut_span(stream, error) : result;
}

/* The next large chunk is passed over when it is known, else given: piece by piece where it was cut. */
static void begin_large(struct stream *stream, bool is_at_boundary)
{
	size_t next = stream->next_large++;
	const struct piece *large = &stream->larges[next];
	stream->rest = stream->span.chunks[next].bytes;
	stream->piece_end = stream->piece_ends[next];
	bool may_pass = is_at_boundary && is_chunk(stream, next, stream->position);
	if (may_pass && large->is_known) {
		pass(stream, large->length, &large->known);
		return;
	}
	if (may_pass)
		stream->large = open_chunk(stream, large->digest);
	if (stream->next_piece == stream->piece_end)
		stream->left = large->length;
}

static bool is_at_end(const struct stream *stream)
{
	return stream->span.is_last && stream->next_large == stream->span.count &&
	       stream->next_piece == stream->piece_end;
}

static void begin_piece(struct stream *stream, bool is_at_boundary)
{
	const struct piece *piece = &stream->pieces[stream->next_piece++];
	/* As in begin_large(): a known piece may be the end of a file that was cut off, and here its last record goes on. */
	bool is_chunk = is_at_boundary && (stream->rest.data[piece->length - 1] == '\n' || is_at_end(stream));
	if (is_chunk && piece->is_known) {
		pass(stream, piece->length, &piece->known);
		return;
	}
	if (is_chunk)
		stream->small = open_chunk(stream, piece->digest);
	stream->left = piece->length;
}

/* What comes next is passed over, or given. The reader has taken all that it could of what it was given; where a cut
 * fell into a record it has not, and nothing is a chunk until it has. */
static enum result advance(struct stream *stream, struct error *error)
{
	bool is_at_boundary = record_at_boundary(stream->reader);
	close_chunk(stream, &stream->small, is_at_boundary);
	if (stream->next_piece < stream->piece_end) {
		begin_piece(stream, is_at_boundary);
		return RESULT_OK;
	}
	close_chunk(stream, &stream->large, is_at_boundary);
	enum result result = RESULT_OK;
	if (stream->next_large == stream->span.count)
		result = read_span(stream, error);
	if (result == RESULT_OK)
		begin_large(stream, is_at_boundary);
	return result;
}

static enum result read_chunks(struct stream *stream, void *bytes, size_t size, size_t *count,
                               struct error *error)
{
	while (stream->left == 0) {
		/* The last record may have no line end: stream_end_chunks() closes the last chunk. */
		if (is_at_end(stream))
			return RESULT_OK;
		enum result result = advance(stream, error);
		if (result != RESULT_OK)
			return result == RESULT_END ? RESULT_OK : result;
	}
	*count = stream->left < size ? stream->left : size;
	memcpy(bytes, stream->rest.data, *count);
	step(stream, *count);
	stream->left -= *count;
	stream->parsed += *count;
	return RESULT_OK;
}

enum result stream_read(void *context, void *bytes, size_t size, size_t *count, struct error *error)
{
	struct stream *stream = context;
	*count = 0;
	enum result result = go_on(stream, error);
	if (result != RESULT_OK)
		return result;
	if (stream->reader == NULL)
		return read_plain(stream, bytes, size, count, error);
	return read_chunks(stream, bytes, size, count, error);
}

static void derive_cut_key(struct stream *stream)
{
	static const char label[] = "rowsieve cut";
	const uint8_t *secret = state_secret(stream->input->ingest->options.state);
	uint8_t key[16];
	crypto_generichash(key, sizeof key, (const unsigned char *)label, sizeof label, secret, 32);
	for (size_t i = 0; i < sizeof key; i++)
		stream->rule.key[i / 8] |= (uint64_t)key[i] << 8 * (i % 8);
	sodium_memzero(key, sizeof key);
}

void stream_change_meaning(struct stream *stream, const struct id *meaning)
{
	static const char label[] = "rowsieve chunk";
	crypto_generichash_state hash;
	crypto_generichash_init(&hash, state_secret(stream->input->ingest->options.state), 32, ROW_KEY_SIZE);
	crypto_generichash_update(&hash, (const unsigned char *)label, sizeof label);
	crypto_generichash_update(&hash, meaning->bytes, sizeof meaning->bytes);
	crypto_generichash_final(&hash, stream->key, sizeof stream->key);
	stream->large.is_open = false;
	stream->small.is_open = false;
	for (size_t i = stream->next_piece; i < stream->piece_count; i++)
		piece_set_meaning(&stream->pieces[i], stream->key);
	for (size_t i = stream->next_large; i < stream->span.count; i++)
		piece_set_meaning(&stream->larges[i], stream->key);
}

/* From here on the source is read ahead of what is given. */
static enum result open_ahead(struct stream *stream, struct error *error)
{
	struct ahead_options options = {
	    .read = read_source,
	    .context = stream,
	    .first = {stream->bytes.data + stream->begin, available(stream)},
	    .rule = stream->rule,
	    .size = large_size,
	    .secret = state_secret(stream->input->ingest->options.state),
	};
	enum result result = ahead_open(&stream->ahead, &options, error);
	buffer_free(&stream->bytes);
	return result;
}

enum result stream_begin_chunks(struct stream *stream, const struct stream_chunks *chunks,
                                struct error *error)
{
	stream->larges = calloc(AHEAD_CHUNKS_MAX, sizeof *stream->larges);
	stream->pieces = calloc(PIECES_MAX, sizeof *stream->pieces);
	if (stream->larges == NULL || stream->pieces == NULL)
		return no_memory(error);
	stream->reader = delimited_reader(chunks->records);
	stream->rule = (struct cut_rule){.quote = chunks->quote};
	derive_cut_key(stream);
	stream_change_meaning(stream, &chunks->meaning);
	size_t back = delimited_give_back(chunks->records);
	stream->begin -= back;
	stream->position -= back;
	return open_ahead(stream, error);
}

bool stream_has_chunks(const struct stream *stream)
{
	return stream->reader != NULL;
}

void stream_end_chunks(struct stream *stream)
{
	close_chunk(stream, &stream->small, true);
	close_chunk(stream, &stream->large, true);
	struct state_member *record = &stream->input->member->mark.member;
	if (stream->parsed == 0 && record->bytes_skipped > 0)
		record->bytes_skipped = record->bytes; /* its header was known too */
}
