// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_WATCH_HEAP_H
#define ROWSIEVE_WATCH_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A binary heap of items that their owner embeds; the first is the one with the smallest (key, tie). */
struct heap_item {
	int64_t key;
	const char *tie; /* the owner's */
	size_t slot;     /* the heap's */
};

/* Zero-initialised is empty. */
struct heap {
	struct heap_item **items;
	size_t count;
	size_t capacity;
};

/* Makes room for `capacity` items in all, so that heap_push() cannot fail. */
enum result heap_reserve(struct heap *heap, size_t capacity) WARN_UNUSED;
void heap_push(struct heap *heap, struct heap_item *item);
void heap_remove(struct heap *heap, struct heap_item *item);
struct heap_item *heap_first(const struct heap *heap); /* NULL when empty */
void heap_free(struct heap *heap);                     /* the items stay their owner's */

#endif
