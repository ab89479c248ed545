// SPDX-License-Identifier: Apache-2.0
#include "cli/answer_rejects.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "mend/rejects_list.h"
#include "state_dataset.h"
#include "state_delivery.h"

/* Reasons of one delivery that are told apart; a server's own words may be different for every row. */
enum { GROUPS_MAX = 200 };

/* Rows of one delivery that were rejected for the same reason. */
struct group {
	char *member;
	char *column;
	char *reason;
	uint64_t rows;
	uint64_t first_line;
};

struct listing {
	struct state_txn *txn;
	const char *filter; /* NULL: all */
	json_t *lines;
	struct group *groups;
	size_t count;
};

struct known_member {
	const char *name;
	char dataset[STATE_NAME_MAX + 1];
	struct state_txn *txn;
};

static bool find_dataset(void *context, const struct state_member *member)
{
	struct known_member *known = context;
	struct state_dataset dataset;
	if (strcmp(member->name, known->name) != 0 || member->dataset == 0)
		return true;
	if (state_dataset_find(known->txn, member->dataset, &dataset) == STATE_OK)
		strcpy(known->dataset, dataset.name);
	return false;
}

static void clear_groups(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++) {
		free(listing->groups[i].member);
		free(listing->groups[i].column);
		free(listing->groups[i].reason);
	}
	free(listing->groups);
	listing->groups = NULL;
	listing->count = 0;
}

static struct group *find_group(const struct listing *listing, const char *member, const char *column,
                                const char *reason)
{
	for (size_t i = 0; i < listing->count; i++) {
		struct group *group = &listing->groups[i];
		if (strcmp(group->member, member) == 0 && strcmp(group->column, column) == 0 &&
		    strcmp(group->reason, reason) == 0)
			return group;
	}
	return NULL;
}

static struct group *add_group(struct listing *listing, const struct rejects_entry *entry, const char *column,
                               const char *reason)
{
	struct group *groups = reallocarray(listing->groups, listing->count + 1, sizeof *groups);
	if (groups == NULL)
		return NULL;
	listing->groups = groups;
	struct group *group = &groups[listing->count];
	*group = (struct group){strdup(entry->member), strdup(column), strdup(reason), 0, entry->line};
	if (group->member == NULL || group->column == NULL || group->reason == NULL) {
		free(group->member);
		free(group->column);
		free(group->reason);
		return NULL;
	}
	listing->count++;
	return group;
}

static enum result count_entry(void *context, const struct rejects_entry *entry, struct error *error)
{
	struct listing *listing = context;
	bool is_crowded = listing->count >= GROUPS_MAX;
	struct group *group = find_group(listing, entry->member, entry->column, entry->reason);
	if (group == NULL && is_crowded)
		group = find_group(listing, entry->member, "", "other reasons");
	if (group == NULL)
		group = add_group(listing, entry, is_crowded ? "" : entry->column,
		                  is_crowded ? "other reasons" : entry->reason);
	if (group == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	group->rows++;
	return RESULT_OK;
}

/* Names and reasons are lines of text already, but paths may hold any byte. */
static bool append_line(struct listing *listing, const struct state_delivery *delivery,
                        const struct group *group, const char *path)
{
	char id[ID_TEXT_MAX];
	char file[2 * STATE_TEXT_MAX];
	char reason[2 * STATE_TEXT_MAX];
	struct id delivery_id;
	struct known_member known = {.name = group->member, .txn = listing->txn};
	memcpy(delivery_id.bytes, delivery->id, sizeof delivery_id.bytes);
	id_text(id, delivery_id);
	error_quote(file, sizeof file, delivery->path);
	error_quote(reason, sizeof reason, group->reason);
	state_delivery_each_member(listing->txn, delivery->id, find_dataset, &known);
	if (listing->filter != NULL && strcmp(listing->filter, known.dataset) != 0)
		return true;
	json_t *line =
	    json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s, s:I, s:I, s:s?}", "delivery", id, "file", file,
	              "member", group->member[0] != '\0' ? group->member : NULL, "dataset",
	              known.dataset[0] != '\0' ? known.dataset : NULL, "column",
	              group->column[0] != '\0' ? group->column : NULL, "reason", reason, "rows",
	              (json_int_t)group->rows, "first_line", (json_int_t)group->first_line, "rejects", path);
	return json_array_append_new(listing->lines, line) == 0;
}

static enum result list_file(struct listing *listing, const char *directory, const char *name,
                             struct error *error)
{
	struct id id;
	struct state_delivery delivery;
	CLEANUP_FREE char *path = file_join(directory, name);
	if (path == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	if (!rejects_delivery(name, &id) ||
	    state_delivery_get(listing->txn, id.bytes, &delivery) != STATE_OK ||
	    delivery.status == STATE_STATUS_OPEN)
		return RESULT_OK;
	enum result result = rejects_list_read(path, count_entry, listing, error);
	for (size_t i = 0; result == RESULT_OK && i < listing->count; i++) {
		if (!append_line(listing, &delivery, &listing->groups[i], path))
			result = error_set(error, RESULT_NO_MEMORY, "out of memory");
	}
	clear_groups(listing);
	return result;
}

static enum result list_files(struct listing *listing, const char *directory, struct error *error)
{
	struct dirent **entries;
	int found = scandir(directory, &entries, NULL, alphasort);
	if (found < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot read", directory);
	enum result result = RESULT_OK;
	for (int i = 0; i < found; i++) {
		if (result == RESULT_OK)
			result = list_file(listing, directory, entries[i]->d_name, error);
		free(entries[i]);
	}
	free(entries);
	return result;
}

/* A file that could not be taken at all is one line without rows. */
static bool list_delivery(void *context, const struct state_delivery *delivery)
{
	struct listing *listing = context;
	struct group whole = {.member = (char *)"", .column = (char *)"", .reason = (char *)delivery->reason};
	return delivery->status != STATE_STATUS_REJECTED || append_line(listing, delivery, &whole, NULL);
}

json_t *answer_rejects(struct state *state, const char *directory, const char *filter)
{
	struct error error = {0};
	struct listing listing = {
	    .txn = state_txn_begin_read(state), .filter = filter, .lines = json_array()};
	enum result result = list_files(&listing, directory, &error);
	if (result == RESULT_OK)
		state_delivery_each(listing.txn, list_delivery, &listing);
	state_txn_abort(listing.txn);
	if (result == RESULT_OK)
		return listing.lines;
	json_decref(listing.lines);
	return json_pack("[{s:s}]", "error", error.message);
}
