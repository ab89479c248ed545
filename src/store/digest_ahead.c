// SPDX-License-Identifier: Apache-2.0
#include "store/digest_ahead.h"

#include <pthread.h>
#include <stdlib.h>

struct digest_ahead {
	pthread_t thread;
	struct digest_range range;
	/* The thread's until it is joined. */
	struct digest_pair digests;
	enum result result;
	struct error error;
};

static void *work(void *context)
{
	struct digest_ahead *ahead = context;
	ahead->result = digest_both(&ahead->digests, &ahead->range, &ahead->error);
	return NULL;
}

enum result digest_ahead_start(struct digest_ahead **out, const struct digest_range *range,
                               struct error *error)
{
	struct digest_ahead *ahead = calloc(1, sizeof *ahead);
	if (ahead == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	ahead->range = *range;
	if (pthread_create(&ahead->thread, NULL, work, ahead) != 0) {
		free(ahead);
		return error_set(error, RESULT_NO_MEMORY, "cannot start a thread for digests");
	}
	*out = ahead;
	return RESULT_OK;
}

enum result digest_ahead_finish(struct digest_ahead *ahead, struct digest_pair *out, struct error *error)
{
	pthread_join(ahead->thread, NULL);
	enum result result = ahead->result;
	if (result == RESULT_OK)
		*out = ahead->digests;
	else
		*error = ahead->error;
	free(ahead);
	return result;
}

void digest_ahead_drop(struct digest_ahead *ahead)
{
	if (ahead == NULL)
		return;
	pthread_join(ahead->thread, NULL);
	free(ahead);
}
