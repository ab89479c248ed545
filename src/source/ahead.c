// SPDX-License-Identifier: Apache-2.0
#include "source/ahead.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "source/content.h"

/* Small enough that what is read is still in the processor's cache when it is cut and digested. */
enum { SPAN_SIZE = 2 * 1024 * 1024, READ_SIZE = 256 * 1024 };

struct span {
	struct buffer bytes; /* of SPAN_SIZE */
	size_t cut;          /* of them in chunks */
	struct ahead_chunk chunks[AHEAD_CHUNKS_MAX];
	size_t count;
	atomic_size_t begun; /* chunks that somebody digests, or has digested: both threads take from here */
	bool is_end;         /* there is none behind it */
	enum result result; /* of reading, then of digesting; while it is `work` only the thread touches it */
	struct error error;
};

struct ahead {
	struct ahead_options options;
	bool has_ended; /* the input */
	struct span spans[2];
	struct span *next; /* read, and digested or with the thread; NULL behind the last */

	bool has_thread;
	pthread_t thread;
	struct content *content;
	struct content *own_content; /* the thread's */
	pthread_mutex_t mutex;       /* of the two below */
	pthread_cond_t changed;
	struct span *work; /* the thread's until it is NULL again */
	bool is_closing;
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "no memory to read ahead");
}

/* Digests what nobody has begun to. */
static enum result digest_chunks(struct content *content, struct span *span, struct error *error)
{
	enum result result = RESULT_OK;
	size_t next;
	while (result == RESULT_OK && (next = atomic_fetch_add(&span->begun, 1)) < span->count) {
		struct ahead_chunk *chunk = &span->chunks[next];
		content_reset(content);
		result = content_update(content, chunk->bytes.data, chunk->bytes.length, error);
		if (result == RESULT_OK)
			result = content_finish(content, &chunk->digest, error);
	}
	return result;
}

static void *work(void *context)
{
	struct ahead *ahead = context;
	pthread_mutex_lock(&ahead->mutex);
	for (;;) {
		while (ahead->work == NULL && !ahead->is_closing)
			pthread_cond_wait(&ahead->changed, &ahead->mutex);
		if (ahead->work == NULL)
			break;
		struct span *span = ahead->work;
		pthread_mutex_unlock(&ahead->mutex);
		if (span->result == RESULT_OK)
			span->result = digest_chunks(ahead->own_content, span, &span->error);
		pthread_mutex_lock(&ahead->mutex);
		ahead->work = NULL;
		pthread_cond_signal(&ahead->changed);
	}
	pthread_mutex_unlock(&ahead->mutex);
	return NULL;
}

/* A single span is not worth a thread, and there may be none to be had: then finish() digests all of it. */
static void submit(struct ahead *ahead, struct span *span)
{
	if (!ahead->has_thread && !span->is_end)
		ahead->has_thread = pthread_create(&ahead->thread, NULL, work, ahead) == 0;
	if (!ahead->has_thread)
		return;
	pthread_mutex_lock(&ahead->mutex);
	ahead->work = span;
	pthread_cond_signal(&ahead->changed);
	pthread_mutex_unlock(&ahead->mutex);
}

/* Takes part in what the thread has not come to, and waits for the rest. */
static enum result finish(struct ahead *ahead, struct span *span, struct error *error)
{
	enum result result = digest_chunks(ahead->content, span, error);
	pthread_mutex_lock(&ahead->mutex);
	while (ahead->work != NULL)
		pthread_cond_wait(&ahead->changed, &ahead->mutex);
	pthread_mutex_unlock(&ahead->mutex);
	if (span->result == RESULT_OK && result != RESULT_OK) {
		span->result = result;
		span->error = *error;
	}
	if (span->result != RESULT_OK)
		*error = span->error;
	return span->result;
}

static struct slice uncut(const struct span *span)
{
	return (struct slice){span->bytes.data + span->cut, span->bytes.length - span->cut};
}

/* Cuts off what is certain by now. */
static void cut_chunks(const struct ahead *ahead, struct span *span)
{
	const struct cut_size *size = &ahead->options.size;
	for (; span->count < AHEAD_CHUNKS_MAX; span->count++) {
		struct slice rest = uncut(span);
		rest.length = cut_find(&ahead->options.rule, size, rest, ahead->has_ended);
		if (rest.length == 0)
			break;
		span->chunks[span->count] = (struct ahead_chunk){.bytes = rest};
		span->cut += rest.length;
	}
}

static void fill(struct ahead *ahead, struct span *span)
{
	while (span->result == RESULT_OK && !ahead->has_ended && span->bytes.length < SPAN_SIZE) {
		size_t room = SPAN_SIZE - span->bytes.length;
		size_t count = 0;
		span->result =
		    ahead->options.read(ahead->options.context, span->bytes.data + span->bytes.length,
		                        room < READ_SIZE ? room : READ_SIZE, &count, &span->error);
		span->bytes.length += count;
		ahead->has_ended = span->result == RESULT_OK && count == 0;
		cut_chunks(ahead, span);
	}
}

/* From bytes that were read and not cut, and from those that follow. */
static void make_span(struct ahead *ahead, struct span *span, struct slice left)
{
	memcpy(span->bytes.data, left.data, left.length);
	span->bytes.length = left.length;
	span->cut = 0;
	span->count = 0;
	atomic_store(&span->begun, 0);
	span->result = RESULT_OK;
	fill(ahead, span);
	cut_chunks(ahead, span); /* nothing may have been left to read */
	bool is_last = ahead->has_ended && span->cut == span->bytes.length;
	span->is_end = is_last || span->result != RESULT_OK;
}

enum result ahead_open(struct ahead **out, const struct ahead_options *options, struct error *error)
{
	struct ahead *ahead = calloc(1, sizeof *ahead);
	if (ahead == NULL)
		return no_memory(error);
	ahead->options = *options;
	pthread_mutex_init(&ahead->mutex, NULL);
	pthread_cond_init(&ahead->changed, NULL);
	ahead->next = &ahead->spans[0];
	enum result result = content_open(&ahead->content, options->secret, error);
	if (result == RESULT_OK)
		result = content_open(&ahead->own_content, options->secret, error);
	for (int i = 0; result == RESULT_OK && i < 2; i++) {
		if (buffer_reserve(&ahead->spans[i].bytes, SPAN_SIZE) != RESULT_OK)
			result = no_memory(error);
	}
	if (result != RESULT_OK) {
		ahead_close(ahead);
		return result;
	}
	make_span(ahead, ahead->next, options->first);
	submit(ahead, ahead->next);
	*out = ahead;
	return RESULT_OK;
}

enum result ahead_next(struct ahead *ahead, struct ahead_span *out, struct error *error)
{
	struct span *span = ahead->next;
	if (span == NULL)
		return RESULT_END;
	struct span *behind = span->is_end ? NULL : &ahead->spans[span == &ahead->spans[0]];
	if (behind != NULL)
		make_span(ahead, behind, uncut(span));
	enum result result = finish(ahead, span, error);
	if (result != RESULT_OK)
		return result;
	if (behind != NULL)
		submit(ahead, behind);
	ahead->next = behind;
	*out = (struct ahead_span){span->chunks, span->count, behind == NULL};
	return span->count > 0 ? RESULT_OK : RESULT_END;
}

void ahead_close(struct ahead *ahead)
{
	if (ahead == NULL)
		return;
	if (ahead->has_thread) {
		pthread_mutex_lock(&ahead->mutex);
		ahead->is_closing = true;
		pthread_cond_signal(&ahead->changed);
		pthread_mutex_unlock(&ahead->mutex);
		pthread_join(ahead->thread, NULL);
	}
	pthread_cond_destroy(&ahead->changed);
	pthread_mutex_destroy(&ahead->mutex);
	content_close(ahead->content);
	content_close(ahead->own_content);
	for (int i = 0; i < 2; i++)
		buffer_free(&ahead->spans[i].bytes);
	free(ahead);
}
