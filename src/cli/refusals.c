// SPDX-License-Identifier: Apache-2.0
#include "cli/refusals.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->is_listed = false)
#include <uthash.h>

struct refusals {
	char *path;
	char *reason;
	bool is_listed;
	UT_hash_handle hh;
};

static struct refusals *find(const struct refusals *table, const char *path)
{
	struct refusals *refusal;
	HASH_FIND_STR(table, path, refusal);
	return refusal;
}

static void free_refusal(struct refusals *refusal)
{
	free(refusal->path);
	free(refusal->reason);
	free(refusal);
}

static void add(struct refusals **table, const char *path, const char *reason)
{
	struct refusals *refusal = malloc(sizeof *refusal);
	if (refusal == NULL)
		return;
	*refusal = (struct refusals){.path = strdup(path), .reason = strdup(reason), .is_listed = true};
	if (refusal->path != NULL && refusal->reason != NULL)
		HASH_ADD_KEYPTR(hh, *table, refusal->path, strlen(refusal->path), refusal);
	else
		refusal->is_listed = false;
	if (!refusal->is_listed)
		free_refusal(refusal);
}

bool refusals_put(struct refusals **table, const char *path, const char *reason)
{
	const struct refusals *known = find(*table, path);
	if (known != NULL && strcmp(known->reason, reason) == 0)
		return false;
	refusals_remove(table, path);
	add(table, path, reason);
	return true;
}

const char *refusals_find(const struct refusals *table, const char *path)
{
	const struct refusals *refusal = find(table, path);
	return refusal != NULL ? refusal->reason : NULL;
}

size_t refusals_count(const struct refusals *table)
{
	return HASH_COUNT(table);
}

static void remove_refusal(struct refusals **table, struct refusals *refusal)
{
	HASH_DEL(*table, refusal);
	free_refusal(refusal);
}

void refusals_remove(struct refusals **table, const char *path)
{
	struct refusals *refusal = find(*table, path);
	if (refusal != NULL)
		remove_refusal(table, refusal);
}

void refusals_remove_gone(struct refusals **table)
{
	struct refusals *refusal;
	struct refusals *next;
	HASH_ITER (hh, *table, refusal, next) {
		if (access(refusal->path, F_OK) != 0)
			remove_refusal(table, refusal);
	}
}

void refusals_clear(struct refusals **table)
{
	struct refusals *refusal;
	struct refusals *next;
	HASH_ITER (hh, *table, refusal, next)
		remove_refusal(table, refusal);
}
