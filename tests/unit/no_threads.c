// SPDX-License-Identifier: Apache-2.0
#include "no_threads.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

atomic_bool has_no_threads;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *context)
{
	typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	if (atomic_load(&has_no_threads))
		return EAGAIN;
	create_fn *create;
	*(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
	return create(thread, attributes, work, context);
}
