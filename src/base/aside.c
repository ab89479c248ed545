// SPDX-License-Identifier: Apache-2.0
#include "base/aside.h"

#include <signal.h>

static void *run(void *context)
{
	struct aside *aside = context;
	aside->result = aside->work(aside->context, &aside->error);
	return NULL;
}

bool aside_start(struct aside *aside, enum result (*work)(void *context, struct error *error), void *context)
{
	sigset_t all, before;
	sigfillset(&all);
	aside->work = work;
	aside->context = context;
	pthread_sigmask(SIG_SETMASK, &all, &before);
	aside->is_running = pthread_create(&aside->thread, NULL, run, aside) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return aside->is_running;
}

enum result aside_await(struct aside *aside, struct error *error)
{
	if (aside->is_running)
		pthread_join(aside->thread, NULL);
	aside->is_running = false;
	if (aside->result != RESULT_OK)
		*error = aside->error;
	return aside->result;
}
