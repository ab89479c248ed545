// SPDX-License-Identifier: Apache-2.0
#include "watch/candidates.h"

#include <stdlib.h>
#include <string.h>

#include "watch/heap.h"
#include "watch/settle.h"

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->is_listed = false)
#include <uthash.h>

/* Between two looks at a file that is being written, where the settle time is shorter. */
static const int64_t retry_min_ns = 100 * 1000000;

enum stage {
	STAGE_WAITING,    /* in the heap `waiting`, keyed by the time of the next look */
	STAGE_READY,      /* in the heap `ready`, keyed by mtime */
	STAGE_TAKEN,      /* handed out */
	STAGE_UNREADABLE, /* handed out as such; every scan tries again */
};

struct candidate {
	struct heap_item item; /* first: a heap item is its candidate */
	enum stage stage;
	enum watch_verdict verdict;
	bool is_reported; /* handed out as unreadable, with this identity */
	bool is_listed;
	uint64_t scan; /* the last one that saw it */
	struct file_identity identity;
	const char *subdirectory;
	UT_hash_handle hh;
	char path[]; /* and behind it the subdirectory's name */
};

struct candidates {
	int64_t settle_ns;
	int64_t retry_ns;
	uint64_t scan;
	struct candidate *by_path;
	struct heap waiting;
	struct heap ready;
};

static void unqueue(struct candidates *candidates, struct candidate *candidate)
{
	if (candidate->stage == STAGE_WAITING)
		heap_remove(&candidates->waiting, &candidate->item);
	else if (candidate->stage == STAGE_READY)
		heap_remove(&candidates->ready, &candidate->item);
}

static void wait_until(struct candidates *candidates, struct candidate *candidate, int64_t time_ns)
{
	unqueue(candidates, candidate);
	candidate->stage = STAGE_WAITING;
	candidate->item.key = time_ns;
	heap_push(&candidates->waiting, &candidate->item);
}

static void make_ready(struct candidates *candidates, struct candidate *candidate, enum watch_verdict verdict)
{
	unqueue(candidates, candidate);
	candidate->stage = STAGE_READY;
	candidate->verdict = verdict;
	candidate->item.key = candidate->identity.mtime_ns;
	heap_push(&candidates->ready, &candidate->item);
}

static void hand_out(struct candidates *candidates, struct candidate *candidate, enum stage stage)
{
	unqueue(candidates, candidate);
	candidate->stage = stage;
}

static void forget(struct candidates *candidates, struct candidate *candidate)
{
	unqueue(candidates, candidate);
	HASH_DEL(candidates->by_path, candidate);
	free(candidate);
}

/* The settle time starts, or starts again because the file is another one. */
static void settle_anew(struct candidates *candidates, struct candidate *candidate,
                        const struct file_identity *identity, int64_t now_ns)
{
	candidate->identity = *identity;
	candidate->is_reported = false;
	wait_until(candidates, candidate, now_ns + candidates->settle_ns);
}

static struct candidate *find(const struct candidates *candidates, const char *path)
{
	struct candidate *candidate;
	HASH_FIND_STR(candidates->by_path, path, candidate);
	return candidate;
}

static struct candidate *candidate_new(const char *path, const char *subdirectory)
{
	size_t path_size = strlen(path) + 1;
	size_t name_size = subdirectory[0] != '\0' ? strlen(subdirectory) + 1 : 0;
	struct candidate *candidate = calloc(1, sizeof *candidate + path_size + name_size);
	if (candidate == NULL)
		return NULL;
	memcpy(candidate->path, path, path_size);
	if (name_size > 0)
		candidate->subdirectory = memcpy(candidate->path + path_size, subdirectory, name_size);
	candidate->item.tie = candidate->path;
	candidate->stage = STAGE_TAKEN; /* in no queue yet */
	return candidate;
}

/* Room in both heaps comes first, so that no later move between them can fail. */
static struct candidate *add(struct candidates *candidates, const char *path, const char *subdirectory)
{
	size_t count = HASH_COUNT(candidates->by_path) + 1;
	if (heap_reserve(&candidates->waiting, count) != RESULT_OK ||
	    heap_reserve(&candidates->ready, count) != RESULT_OK)
		return NULL;
	struct candidate *candidate = candidate_new(path, subdirectory);
	if (candidate == NULL)
		return NULL;
	candidate->is_listed = true;
	HASH_ADD_STR(candidates->by_path, path, candidate);
	if (candidate->is_listed)
		return candidate;
	free(candidate);
	return NULL;
}

struct candidates *candidates_new(int64_t settle_ns)
{
	struct candidates *candidates = calloc(1, sizeof *candidates);
	if (candidates == NULL)
		return NULL;
	candidates->settle_ns = settle_ns;
	candidates->retry_ns = settle_ns > retry_min_ns ? settle_ns : retry_min_ns;
	return candidates;
}

void candidates_free(struct candidates *candidates)
{
	if (candidates == NULL)
		return;
	struct candidate *candidate, *next;
	HASH_ITER (hh, candidates->by_path, candidate, next) {
		forget(candidates, candidate);
	}
	heap_free(&candidates->waiting);
	heap_free(&candidates->ready);
	free(candidates);
}

enum result candidates_take(struct candidates *candidates, const char *path, const char *subdirectory,
                            const struct stat *status, int64_t now_ns)
{
	struct candidate *candidate = find(candidates, path);
	if (!S_ISREG(status->st_mode)) {
		if (candidate != NULL)
			forget(candidates, candidate);
		return RESULT_OK;
	}
	struct file_identity identity = file_identity_of(status);
	bool is_new = candidate == NULL;
	if (is_new && (candidate = add(candidates, path, subdirectory)) == NULL)
		return RESULT_NO_MEMORY;
	candidate->scan = candidates->scan;
	if (is_new || !file_identity_equal(&candidate->identity, &identity))
		settle_anew(candidates, candidate, &identity, now_ns);
	else if (candidate->stage == STAGE_UNREADABLE)
		wait_until(candidates, candidate, now_ns);
	return RESULT_OK;
}

void candidates_begin_scan(struct candidates *candidates)
{
	candidates->scan++;
}

void candidates_end_scan(struct candidates *candidates)
{
	struct candidate *candidate, *next;
	HASH_ITER (hh, candidates->by_path, candidate, next) {
		if (candidate->scan != candidates->scan)
			forget(candidates, candidate);
	}
}

static void judge(struct candidates *candidates, struct candidate *candidate, int64_t now_ns)
{
	struct file_identity identity = candidate->identity;
	enum watch_verdict verdict = settle_probe(candidate->path, &identity);
	if (verdict == WATCH_GONE || verdict == WATCH_NOT_REGULAR)
		forget(candidates, candidate);
	else if (!file_identity_equal(&candidate->identity, &identity))
		settle_anew(candidates, candidate, &identity, now_ns);
	else if (verdict == WATCH_SETTLED)
		make_ready(candidates, candidate, verdict);
	else if (verdict != WATCH_UNREADABLE)
		wait_until(candidates, candidate, now_ns + candidates->retry_ns);
	else if (candidate->is_reported)
		hand_out(candidates, candidate, STAGE_UNREADABLE);
	else
		make_ready(candidates, candidate, verdict);
}

void candidates_judge_due(struct candidates *candidates, int64_t now_ns)
{
	for (;;) {
		struct heap_item *first = heap_first(&candidates->waiting);
		if (first == NULL || first->key > now_ns)
			return;
		judge(candidates, (struct candidate *)first, now_ns);
	}
}

int64_t candidates_deadline(const struct candidates *candidates)
{
	const struct heap_item *first = heap_first(&candidates->waiting);
	return first != NULL ? first->key : INT64_MAX;
}

bool candidates_next(struct candidates *candidates, struct watch_file *file)
{
	struct candidate *candidate = (struct candidate *)heap_first(&candidates->ready);
	if (candidate == NULL)
		return false;
	candidate->is_reported = candidate->verdict == WATCH_UNREADABLE;
	hand_out(candidates, candidate, candidate->is_reported ? STAGE_UNREADABLE : STAGE_TAKEN);
	*file = (struct watch_file){
	    .path = candidate->path,
	    .subdirectory = candidate->subdirectory,
	    .identity = candidate->identity,
	    .verdict = candidate->verdict,
	};
	return true;
}

void candidates_release(struct candidates *candidates, const char *path, int64_t not_before_ns)
{
	struct candidate *candidate = find(candidates, path);
	if (candidate != NULL && candidate->stage == STAGE_TAKEN)
		wait_until(candidates, candidate, not_before_ns);
}
