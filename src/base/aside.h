// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_BASE_ASIDE_H
#define ROWSIEVE_BASE_ASIDE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/error.h"

/*
 * Work that is done beside the caller, by a thread that lives as long as that takes and takes no signals. Zero is at
 * rest.
 */
struct aside {
	enum result (*work)(void *context, struct error *error);
	void *context;
	pthread_t thread;
	bool is_running; /* the rest is the thread's until it is awaited */
	enum result result;
	struct error error;
};

/* Nothing may be under way. False: no thread is to be had, and nothing was done. */
bool aside_start(struct aside *aside, enum result (*work)(void *context, struct error *error), void *context);

/* Waits for the work, if that was not done yet: what it returned, RESULT_OK of one at rest. */
enum result aside_await(struct aside *aside, struct error *error) WARN_UNUSED;

#endif
