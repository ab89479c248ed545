// SPDX-License-Identifier: Apache-2.0
#include "ingest/committer.h"

#include <signal.h>

static void *work(void *context)
{
	struct committer *committer = context;
	committer->result = parcel_store(committer->parcel, &committer->error);
	return NULL;
}

bool committer_give(struct committer *committer, struct parcel *parcel)
{
	sigset_t all, before;
	sigfillset(&all);
	committer->parcel = parcel;
	pthread_sigmask(SIG_SETMASK, &all, &before);
	bool is_given = pthread_create(&committer->thread, NULL, work, committer) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!is_given)
		committer->parcel = NULL;
	return is_given;
}

enum result committer_await(struct committer *committer, struct error *error)
{
	if (committer->parcel == NULL)
		return RESULT_END;
	pthread_join(committer->thread, NULL);
	committer->parcel = NULL;
	if (committer->result != RESULT_OK)
		*error = committer->error;
	return committer->result;
}
