// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_TESTS_NO_THREADS_H
#define ROWSIEVE_TESTS_NO_THREADS_H

#include <stdatomic.h>

/* As long as it is set, pthread_create() has none to give. */
extern atomic_bool has_no_threads;

#endif
