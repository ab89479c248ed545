// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_STREAM_H
#define ROWSIEVE_INGEST_STREAM_H

#include "ingest/member.h"
#include "source/cut.h"
#include "source/delimited.h"

/*
 * The plain bytes of a member on their way to the record reader. Either all of them are given and digested
 * (source/content.h); or, from stream_begin_chunks() on, chunks of them that are known are passed over. The rules that
 * keep this exact are C1 to C6 in DESIGN.
 */
struct stream;

enum result stream_open(struct stream **out, const struct member_input *input,
                        struct error *error) WARN_UNUSED;
void stream_close(struct stream *stream); /* NULL is fine */

/* The first bytes, at most CONTENT_HEAD_SIZE, until something is read; are they all there is? */
struct slice stream_head(const struct stream *stream);
bool stream_is_short(const struct stream *stream);

/* For the record reader; context is the stream. */
enum result stream_read(void *context, void *bytes, size_t size, size_t *count, struct error *error);

struct stream_chunks {
	struct delimited *records; /* that read this stream; the first record was read, and no other */
	struct id meaning; /* digest of what decides, beside the bytes of a chunk, which rows they are */
	char quote;
};

enum result stream_begin_chunks(struct stream *stream, const struct stream_chunks *chunks,
                                struct error *error) WARN_UNUSED;
bool stream_has_chunks(const struct stream *stream);

/* From here on the same bytes are other rows. */
void stream_change_meaning(struct stream *stream, const struct id *meaning);

/* The reader has come to the end: the last chunk is known too. */
void stream_end_chunks(struct stream *stream);

#endif
