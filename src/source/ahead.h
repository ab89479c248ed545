// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_AHEAD_H
#define ROWSIEVE_SOURCE_AHEAD_H

#include "base/id.h"
#include "source/cut.h"
#include "source/record.h"

/*
 * Plain bytes read ahead: cut into chunks (source/cut.h), each with the digest of its bytes (source/content.h). They come
 * by the span, a dozen or two at once. A thread reads, some spans ahead of the caller, who cuts and digests; where
 * he comes before the thread does, or there is none to be had, he reads too. Never do both at once. Where the cuts are
 * depends on the bytes alone, and on the rule.
 */
struct ahead;

/* Of a span. */
enum { AHEAD_CHUNKS_MAX = 256, AHEAD_BYTES_MAX = 1280 * 1024 + CUT_AHEAD };

struct ahead_options {
	record_read_fn *read; /* by either thread, until ahead_close() */
	void *context;
	struct slice first; /* stands in front of what is read, and is copied: at most a mebibyte */
	struct cut_rule rule;
	struct cut_size size;  /* `most` at most 256 KiB */
	const uint8_t *secret; /* of 32 bytes, for the digests */
};

struct ahead_chunk {
	struct slice bytes;
	struct id digest;
};

struct ahead_span {
	const struct ahead_chunk *chunks;
	size_t count;
	bool is_last; /* nothing follows */
};

enum result ahead_open(struct ahead **out, const struct ahead_options *options,
                       struct error *error) WARN_UNUSED;

/* The chunks that come next; they live until the next call. RESULT_END behind the last. What the reading fails with is
 * told when all that was whole before has been given, and is told again from then on. */
enum result ahead_next(struct ahead *ahead, struct ahead_span *span, struct error *error) WARN_UNUSED;

/* Waits for the thread. NULL is fine. */
void ahead_close(struct ahead *ahead);

#endif
