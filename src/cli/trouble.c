// SPDX-License-Identifier: Apache-2.0
#include "cli/trouble.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "status/metrics.h"

static const int64_t BACKOFF_FIRST_NS = 1000000000;
static const int64_t BACKOFF_LAST_NS = 60 * INT64_C(1000000000);

struct trouble {
	pthread_mutex_t mutex; /* of what trouble_describe() shows */
	struct error error;
	int64_t since_wall_ns;
	int64_t next_wall_ns;
	unsigned attempts;

	/* The worker's own. */
	int64_t retry_ns;
	int64_t backoff_ns; /* 0: no trouble */
};

enum result trouble_open(struct trouble **out, struct error *error)
{
	struct trouble *trouble = calloc(1, sizeof *trouble);
	if (trouble == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	pthread_mutex_init(&trouble->mutex, NULL);
	*out = trouble;
	return RESULT_OK;
}

void trouble_close(struct trouble *trouble)
{
	if (trouble == NULL)
		return;
	pthread_mutex_destroy(&trouble->mutex);
	free(trouble);
}

/* Between half of it and all of it, so that many daemons do not come back to one server together. */
static int64_t with_jitter(int64_t delay_ns)
{
	uint32_t random = 0;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = UINT32_MAX / 2;
	return delay_ns / 2 + (int64_t)((double)random / UINT32_MAX * (double)(delay_ns / 2));
}

void trouble_enter(struct trouble *trouble, const struct error *error)
{
	bool is_new = trouble->backoff_ns == 0;
	if (is_new || strcmp(trouble->error.message, error->message) != 0)
		log_error(error);
	trouble->backoff_ns = is_new ? BACKOFF_FIRST_NS : 2 * trouble->backoff_ns;
	if (trouble->backoff_ns > BACKOFF_LAST_NS)
		trouble->backoff_ns = BACKOFF_LAST_NS;
	int64_t wait_ns = with_jitter(trouble->backoff_ns);
	trouble->retry_ns = clock_monotonic_ns() + wait_ns;
	pthread_mutex_lock(&trouble->mutex);
	int64_t now = clock_wall_ns();
	trouble->error = *error;
	trouble->since_wall_ns = is_new ? now : trouble->since_wall_ns;
	trouble->next_wall_ns = now + wait_ns;
	trouble->attempts = is_new ? 1 : trouble->attempts + 1;
	pthread_mutex_unlock(&trouble->mutex);
}

int64_t trouble_retry_ns(const struct trouble *trouble)
{
	return trouble->retry_ns;
}

void trouble_try(struct trouble *trouble)
{
	trouble->retry_ns = 0;
}

void trouble_end(struct trouble *trouble)
{
	if (trouble->backoff_ns == 0 || trouble->retry_ns > 0)
		return;
	log_info("going on");
	trouble->backoff_ns = 0;
	pthread_mutex_lock(&trouble->mutex);
	trouble->attempts = 0;
	pthread_mutex_unlock(&trouble->mutex);
}

bool trouble_describe(struct trouble *trouble, json_t *object)
{
	char since[CLOCK_TEXT_MAX];
	char next[CLOCK_TEXT_MAX];
	pthread_mutex_lock(&trouble->mutex);
	bool is_there = trouble->attempts > 0;
	clock_text(since, trouble->since_wall_ns);
	clock_text(next, trouble->next_wall_ns);
	const char *hint = trouble->error.hint[0] != '\0' ? trouble->error.hint : NULL;
	json_t *fields =
	    json_pack("{s:s?, s:s?, s:s?, s:s?, s:s?, s:I}", "trouble",
	              is_there ? trouble->error.message : NULL, "trouble_kind",
	              is_there ? metrics_kind(trouble->error.result) : NULL, "trouble_hint", is_there ? hint : NULL, "trouble_since", is_there ? since : NULL,
	              "next_try", is_there ? next : NULL, "attempts", (json_int_t)trouble->attempts);
	pthread_mutex_unlock(&trouble->mutex);
	bool is_added = fields != NULL && json_object_update(object, fields) == 0;
	json_decref(fields);
	return is_added;
}
