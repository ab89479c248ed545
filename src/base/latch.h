// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_BASE_LATCH_H
#define ROWSIEVE_BASE_LATCH_H

#include <pthread.h>
#include <stdbool.h>

/* One thread waits until another has come so far. What was written before latch_open() is seen behind latch_await(). */
struct latch {
	pthread_mutex_t mutex;
	pthread_cond_t opened;
	bool is_open;
};

/* It is closed. */
void latch_init(struct latch *latch);
void latch_free(struct latch *latch);

/* It stays open; to open it once more does nothing. */
void latch_open(struct latch *latch);
void latch_await(struct latch *latch);

/* For the next time; nobody may be waiting. */
void latch_close(struct latch *latch);

#endif
