// SPDX-License-Identifier: Apache-2.0
#include "watch/heap.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool comes_before(const struct heap_item *a, const struct heap_item *b)
{
	if (a->key != b->key)
		return a->key < b->key;
	return strcmp(a->tie, b->tie) < 0;
}

static void place(struct heap *heap, struct heap_item *item, size_t slot)
{
	heap->items[slot] = item;
	item->slot = slot;
}

static void sift_up(struct heap *heap, struct heap_item *item)
{
	size_t slot = item->slot;
	while (slot > 0) {
		size_t parent = (slot - 1) / 2;
		if (!comes_before(item, heap->items[parent]))
			break;
		place(heap, heap->items[parent], slot);
		slot = parent;
	}
	place(heap, item, slot);
}

static void sift_down(struct heap *heap, struct heap_item *item)
{
	size_t slot = item->slot;
	for (;;) {
		size_t child = 2 * slot + 1;
		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && comes_before(heap->items[child + 1], heap->items[child]))
			child++;
		if (!comes_before(heap->items[child], item))
			break;
		place(heap, heap->items[child], slot);
		slot = child;
	}
	place(heap, item, slot);
}

enum result heap_reserve(struct heap *heap, size_t capacity)
{
	if (capacity <= heap->capacity)
		return RESULT_OK;
	size_t grown = heap->capacity < 64 ? 64 : heap->capacity * 2;
	if (grown < capacity)
		grown = capacity;
	struct heap_item **items = reallocarray(heap->items, grown, sizeof *items);
	if (items == NULL)
		return RESULT_NO_MEMORY;
	heap->items = items;
	heap->capacity = grown;
	return RESULT_OK;
}

void heap_push(struct heap *heap, struct heap_item *item)
{
	place(heap, item, heap->count++);
	sift_up(heap, item);
}

void heap_remove(struct heap *heap, struct heap_item *item)
{
	struct heap_item *last = heap->items[--heap->count];
	if (last == item)
		return;
	place(heap, last, item->slot);
	sift_up(heap, last);
	sift_down(heap, last);
}

struct heap_item *heap_first(const struct heap *heap)
{
	return heap->count > 0 ? heap->items[0] : NULL;
}

void heap_free(struct heap *heap)
{
	free(heap->items);
	*heap = (struct heap){0};
}
