// SPDX-License-Identifier: Apache-2.0
#include "source/ahead.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "source/content.h"

/* Behind the last certain cut of a span stands less than a chunk of the largest size. */
enum { SPANS = 3, LEFT_MAX = 256 * 1024 + CUT_AHEAD, SPAN_SIZE = AHEAD_BYTES_MAX - LEFT_MAX };

struct span {
	struct buffer
	    bytes;  /* LEFT_MAX for what the span before leaves uncut, then SPAN_SIZE for what is read */
	size_t end; /* of what was read */
	size_t cut; /* from here on it is not in chunks yet */
	struct ahead_chunk chunks[AHEAD_CHUNKS_MAX];
	size_t count;
	bool is_end;        /* there is none behind it */
	enum result result; /* of reading, then of digesting */
	struct error error;
};

struct ahead {
	struct ahead_options options;
	struct content *content;
	struct span spans[SPANS]; /* number n is in n % SPANS */
	bool has_thread;
	pthread_t thread;
	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t changed;
	uint64_t current; /* number of the span that the caller uses: those behind it are the reader's */
	uint64_t read;    /* spans that were read */
	bool is_reading;  /* somebody reads number `read` */
	bool has_ended;   /* the input, or it failed */
	bool is_closing;
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "no memory to read ahead");
}

static void fill(const struct ahead *ahead, struct span *span)
{
	while (!span->is_end && span->end < LEFT_MAX + SPAN_SIZE) {
		size_t count = 0;
		span->result = ahead->options.read(ahead->options.context, span->bytes.data + span->end,
		                                   LEFT_MAX + SPAN_SIZE - span->end, &count, &span->error);
		span->end += count;
		span->is_end = span->result != RESULT_OK || count == 0;
	}
}

static bool may_read(const struct ahead *ahead)
{
	return !ahead->is_reading && !ahead->has_ended && ahead->read < ahead->current + SPANS;
}

/* Within the mutex, but for the reading itself. */
static void read_span(struct ahead *ahead)
{
	struct span *span = &ahead->spans[ahead->read % SPANS];
	ahead->is_reading = true;
	pthread_mutex_unlock(&ahead->mutex);
	span->end = LEFT_MAX;
	span->cut = LEFT_MAX;
	span->count = 0;
	fill(ahead, span);
	pthread_mutex_lock(&ahead->mutex);
	ahead->is_reading = false;
	ahead->has_ended = span->is_end;
	ahead->read++;
	pthread_cond_broadcast(&ahead->changed);
}

static void *work(void *context)
{
	struct ahead *ahead = context;
	pthread_mutex_lock(&ahead->mutex);
	while (!ahead->is_closing) {
		if (may_read(ahead))
			read_span(ahead);
		else
			pthread_cond_wait(&ahead->changed, &ahead->mutex);
	}
	pthread_mutex_unlock(&ahead->mutex);
	return NULL;
}

/* Goes on to the next span, with what the current one has left. */
static struct span *move_on(struct ahead *ahead)
{
	struct span *span = &ahead->spans[ahead->current % SPANS];
	struct span *next = &ahead->spans[(ahead->current + 1) % SPANS];
	pthread_mutex_lock(&ahead->mutex);
	while (ahead->read <= ahead->current + 1) {
		if (may_read(ahead))
			read_span(ahead);
		else
			pthread_cond_wait(&ahead->changed, &ahead->mutex);
	}
	size_t left = span->end - span->cut;
	next->cut = LEFT_MAX - left;
	memcpy(next->bytes.data + next->cut, span->bytes.data + span->cut, left);
	ahead->current++;
	pthread_cond_broadcast(&ahead->changed);
	pthread_mutex_unlock(&ahead->mutex);
	return next;
}

/* Cuts off what is certain by now. */
static void cut_chunks(const struct ahead *ahead, struct span *span)
{
	for (span->count = 0; span->count < AHEAD_CHUNKS_MAX; span->count++) {
		struct slice rest = {span->bytes.data + span->cut, span->end - span->cut};
		rest.length = cut_find(&ahead->options.rule, &ahead->options.size, rest, span->is_end);
		if (rest.length == 0)
			break;
		span->chunks[span->count] = (struct ahead_chunk){.bytes = rest};
		span->cut += rest.length;
	}
}

static enum result digest_chunks(struct content *content, struct span *span)
{
	enum result result = RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i < span->count; i++) {
		struct ahead_chunk *chunk = &span->chunks[i];
		content_reset(content);
		result = content_update(content, chunk->bytes.data, chunk->bytes.length, &span->error);
		if (result == RESULT_OK)
			result = content_finish(content, &chunk->digest, &span->error);
	}
	return result;
}

static bool has_two_processors(void)
{
	cpu_set_t processors;
	return sched_getaffinity(0, sizeof processors, &processors) != 0 || CPU_COUNT(&processors) > 1;
}

/* A single span is not worth a thread, and where there is one processor only it would but take turns with the caller. */
static void start_thread(struct ahead *ahead)
{
	if (!ahead->has_ended && has_two_processors())
		ahead->has_thread = pthread_create(&ahead->thread, NULL, work, ahead) == 0;
}

enum result ahead_open(struct ahead **out, const struct ahead_options *options, struct error *error)
{
	struct ahead *ahead = calloc(1, sizeof *ahead);
	if (ahead == NULL)
		return no_memory(error);
	ahead->options = *options;
	pthread_mutex_init(&ahead->mutex, NULL);
	pthread_cond_init(&ahead->changed, NULL);
	enum result result = content_open(&ahead->content, options->secret, error);
	for (int i = 0; result == RESULT_OK && i < SPANS; i++) {
		if (buffer_reserve(&ahead->spans[i].bytes, LEFT_MAX + SPAN_SIZE) != RESULT_OK)
			result = no_memory(error);
	}
	if (result != RESULT_OK) {
		ahead_close(ahead);
		return result;
	}
	struct span *first = &ahead->spans[0];
	memcpy(first->bytes.data + LEFT_MAX, options->first.data, options->first.length);
	first->cut = LEFT_MAX;
	first->end = LEFT_MAX + options->first.length;
	fill(ahead, first);
	ahead->read = 1;
	ahead->has_ended = first->is_end;
	start_thread(ahead);
	*out = ahead;
	return RESULT_OK;
}

enum result ahead_next(struct ahead *ahead, struct ahead_span *out, struct error *error)
{
	struct span *span = &ahead->spans[ahead->current % SPANS];
	cut_chunks(ahead, span);
	if (span->count == 0 && !span->is_end) {
		span = move_on(ahead);
		cut_chunks(ahead, span);
	}
	if (span->result == RESULT_OK)
		span->result = digest_chunks(ahead->content, span);
	if (span->result != RESULT_OK) {
		span->is_end = true; /* nothing comes behind what failed */
		*error = span->error;
		return span->result;
	}
	*out = (struct ahead_span){span->chunks, span->count, span->is_end && span->cut == span->end};
	return span->count > 0 ? RESULT_OK : RESULT_END;
}

void ahead_close(struct ahead *ahead)
{
	if (ahead == NULL)
		return;
	if (ahead->has_thread) {
		pthread_mutex_lock(&ahead->mutex);
		ahead->is_closing = true;
		pthread_cond_broadcast(&ahead->changed);
		pthread_mutex_unlock(&ahead->mutex);
		pthread_join(ahead->thread, NULL);
	}
	pthread_cond_destroy(&ahead->changed);
	pthread_mutex_destroy(&ahead->mutex);
	content_close(ahead->content);
	for (int i = 0; i < SPANS; i++)
		buffer_free(&ahead->spans[i].bytes);
	free(ahead);
}
