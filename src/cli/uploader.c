// SPDX-License-Identifier: Apache-2.0
#include "cli/uploader.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

static const int64_t SECOND_NS = 1000000000;
static const int64_t IDLE_NS = 2 * SECOND_NS;
static const int64_t IDLE_OF_COMMAND_NS = SECOND_NS / 200; /* nobody pokes, and its end waits for what is owed */
static const int64_t BACKOFF_FIRST_NS = SECOND_NS;
static const int64_t BACKOFF_LAST_NS = 60 * SECOND_NS;

struct uploader {
	struct store *store;
	struct upload *upload;
	pthread_t thread;
	atomic_bool own_stop;
	const atomic_bool *stop; /* its own, or the command's */
	const char *spool;       /* of a command that ends, which hears of trouble at its end; else NULL */

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool is_poked;
	bool is_finishing;
	char trouble[ERROR_MESSAGE_MAX];
};

/* Half of the delay for certain, the other by chance: many machines do not come back at once. */
static int64_t with_jitter(int64_t delay_ns)
{
	uint32_t random = UINT32_MAX / 2;
	(void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
	return delay_ns / 2 + (int64_t)((double)random / UINT32_MAX * (double)(delay_ns / 2));
}

/* True when it is news. */
static bool set_trouble(struct uploader *uploader, const char *text)
{
	pthread_mutex_lock(&uploader->mutex);
	bool is_new = strcmp(uploader->trouble, text) != 0;
	snprintf(uploader->trouble, sizeof uploader->trouble, "%s", text);
	pthread_mutex_unlock(&uploader->mutex);
	return is_new;
}

static bool is_finishing(struct uploader *uploader)
{
	pthread_mutex_lock(&uploader->mutex);
	bool is_so = uploader->is_finishing;
	pthread_mutex_unlock(&uploader->mutex);
	return is_so;
}

/* A poke ends the wait, but for a store in trouble. */
static void wait_for(struct uploader *uploader, int64_t delay_ns, bool is_in_trouble)
{
	int64_t deadline = clock_monotonic_ns() + delay_ns;
	struct timespec until = {.tv_sec = deadline / SECOND_NS, .tv_nsec = deadline % SECOND_NS};
	pthread_mutex_lock(&uploader->mutex);
	while (!atomic_load(uploader->stop) && !uploader->is_finishing &&
	       (is_in_trouble || !uploader->is_poked) &&
	       pthread_cond_timedwait(&uploader->changed, &uploader->mutex, &until) == 0)
		;
	uploader->is_poked = false;
	pthread_mutex_unlock(&uploader->mutex);
}

static void tell_trouble(struct uploader *uploader, const struct error *error, bool is_last)
{
	bool is_news = set_trouble(uploader, error->message);
	if (uploader->spool == NULL && is_news)
		log_error(error);
	if (!is_last)
		return;
	struct error last = *error;
	error_wrap(&last, "what is owed to the store stays in '%s'", uploader->spool);
	log_error(&last);
}

static void *work(void *context)
{
	struct uploader *uploader = context;
	int64_t backoff_ns = 0;
	while (!atomic_load(uploader->stop)) {
		struct error error = {0};
		bool is_last = is_finishing(uploader);
		enum result result = upload_some(uploader->upload, &error);
		if (result == RESULT_OK || result == RESULT_END) {
			if (backoff_ns != 0 && set_trouble(uploader, "") && uploader->spool == NULL)
				log_info("the store takes what is owed again");
			backoff_ns = 0;
			if (result == RESULT_END && is_last)
				break;
			if (result == RESULT_END)
				wait_for(uploader, uploader->spool == NULL ? IDLE_NS : IDLE_OF_COMMAND_NS, false);
			continue;
		}
		if (result == RESULT_STOPPED)
			break;
		/* A store that is in trouble now would not take what has come in the meantime. */
		is_last |= result != RESULT_REFUSED && is_finishing(uploader);
		tell_trouble(uploader, &error, is_last);
		if (is_last)
			break;
		backoff_ns = backoff_ns == 0 ? BACKOFF_FIRST_NS : 2 * backoff_ns;
		backoff_ns = backoff_ns > BACKOFF_LAST_NS ? BACKOFF_LAST_NS : backoff_ns;
		wait_for(uploader, with_jitter(backoff_ns), true);
	}
	return NULL;
}

static void release(struct uploader *uploader)
{
	upload_close(uploader->upload);
	if (uploader->store != NULL)
		uploader->store->interface->close(uploader->store);
	pthread_cond_destroy(&uploader->changed);
	pthread_mutex_destroy(&uploader->mutex);
	free(uploader);
}

static struct uploader *make(void)
{
	struct uploader *uploader = calloc(1, sizeof *uploader);
	if (uploader == NULL)
		return NULL;
	uploader->stop = &uploader->own_stop;
	pthread_mutex_init(&uploader->mutex, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&uploader->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return uploader;
}

/* Starts the thread, or frees the uploader. */
static enum result start(struct uploader *uploader, const struct config *config, const struct upload_state *state,
                         struct error *error)
{
	enum result result = app_make_store(config, uploader->stop, &uploader->store, error);
	struct upload_options options = {uploader->store, *state, config->spool, config->done, config->rejected};
	if (result == RESULT_OK)
		result = upload_open(&uploader->upload, &options, error);
	if (result == RESULT_OK && pthread_create(&uploader->thread, NULL, work, uploader) != 0)
		result = error_set(error, RESULT_NO_MEMORY, "cannot start the uploading thread");
	if (result != RESULT_OK)
		release(uploader);
	return result;
}

enum result uploader_start(struct uploader **out, const struct config *config,
                           const struct upload_state *state, struct error *error)
{
	*out = NULL;
	if (app_spool_options(config).directory == NULL)
		return RESULT_OK;
	struct uploader *uploader = make();
	if (uploader == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result = start(uploader, config, state, error);
	if (result == RESULT_OK)
		*out = uploader;
	return result;
}

void uploader_poke(struct uploader *uploader)
{
	if (uploader == NULL)
		return;
	pthread_mutex_lock(&uploader->mutex);
	uploader->is_poked = true;
	pthread_cond_broadcast(&uploader->changed);
	pthread_mutex_unlock(&uploader->mutex);
}

void uploader_stop(struct uploader *uploader)
{
	if (uploader == NULL)
		return;
	atomic_store(&uploader->own_stop, true);
	uploader_poke(uploader);
}

void uploader_free(struct uploader *uploader)
{
	if (uploader == NULL)
		return;
	pthread_join(uploader->thread, NULL);
	release(uploader);
}

bool uploader_trouble(struct uploader *uploader, char text[ERROR_MESSAGE_MAX])
{
	text[0] = '\0';
	if (uploader == NULL)
		return false;
	pthread_mutex_lock(&uploader->mutex);
	snprintf(text, ERROR_MESSAGE_MAX, "%s", uploader->trouble);
	pthread_mutex_unlock(&uploader->mutex);
	return text[0] != '\0';
}

static struct state *give_state(void *context)
{
	return ((const struct app *)context)->state;
}

static void take_state_back(void *context)
{
	(void)context;
}

struct uploader *uploader_begin(const struct app *app, const atomic_bool *stop)
{
	const struct config *config = app->config;
	struct upload_state state = {give_state, take_state_back, (void *)app};
	struct error error = {0};
	if (app_spool_options(config).directory == NULL)
		return NULL;
	struct uploader *uploader = make();
	enum result result = RESULT_OK;
	if (uploader == NULL) {
		result = error_set(&error, RESULT_NO_MEMORY, "out of memory");
	} else {
		uploader->stop = stop;
		uploader->spool = config->spool;
		result = start(uploader, config, &state, &error);
	}
	if (result == RESULT_OK)
		return uploader;
	error_wrap(&error, "what is owed to the store stays in '%s'", config->spool);
	log_error(&error);
	return NULL;
}

void uploader_finish(struct uploader *uploader)
{
	if (uploader == NULL)
		return;
	pthread_mutex_lock(&uploader->mutex);
	uploader->is_finishing = true;
	pthread_cond_broadcast(&uploader->changed);
	pthread_mutex_unlock(&uploader->mutex);
	uploader_free(uploader);
}
