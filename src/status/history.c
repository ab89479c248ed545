// SPDX-License-Identifier: Apache-2.0
#include "status/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "state_batch.h"
#include "state_run.h"

const char *history_status_text(enum state_status status)
{
	switch (status) {
	case STATE_STATUS_OPEN:
		return "open";
	case STATE_STATUS_DONE:
		return "done";
	case STATE_STATUS_REJECTED:
		return "rejected";
	case STATE_STATUS_FAILED:
		return "failed";
	}
	return "open";
}

bool history_add_counts(json_t *object, const struct state_counts *counts)
{
	return json_object_set_new(object, "rows", json_integer((json_int_t)counts->rows)) == 0 &&
	       json_object_set_new(object, "new", json_integer((json_int_t)counts->new)) == 0 &&
	       json_object_set_new(object, "updated", json_integer((json_int_t)counts->updated)) == 0 &&
	       json_object_set_new(object, "duplicate", json_integer((json_int_t)counts->duplicate)) == 0 &&
	       json_object_set_new(object, "filtered", json_integer((json_int_t)counts->filtered)) == 0 &&
	       json_object_set_new(object, "rejected", json_integer((json_int_t)counts->rejected)) == 0;
}

/* Paths may hold any byte; JSON may not. */
static json_t *quoted(const char *text)
{
	char out[STATE_PATH_MAX + 1];
	error_quote(out, sizeof out, text);
	return json_string(out);
}

static json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? quoted(text) : json_null();
}

static json_t *time_or_null(int64_t wall_ns)
{
	char text[CLOCK_TEXT_MAX];
	if (wall_ns == 0)
		return json_null();
	clock_text(text, wall_ns);
	return json_string(text);
}

struct dataset_names {
	struct state_dataset *datasets;
	size_t count;
};

static bool collect_dataset(void *context, const struct state_dataset *dataset)
{
	struct dataset_names *names = context;
	struct state_dataset *grown = realloc(names->datasets, (names->count + 1) * sizeof *grown);
	if (grown == NULL)
		return false;
	names->datasets = grown;
	names->datasets[names->count++] = *dataset;
	return true;
}

static const struct state_dataset *find_dataset(const struct dataset_names *names, uint32_t id)
{
	for (size_t i = 0; i < names->count; i++) {
		if (names->datasets[i].id == id)
			return &names->datasets[i];
	}
	return NULL;
}

struct listing {
	struct state_txn *txn;
	const char *filter;
	struct dataset_names names;
	const struct state_delivery *delivery;
	json_t *members; /* newest first */
	size_t start;    /* where the members of the delivery go: the last before the first */
	bool is_told;    /* a member ended as its delivery did */
	bool has_failed;
};

static json_t *describe(const struct state_delivery *delivery, const struct state_member *member,
                        const struct state_dataset *dataset)
{
	struct id id;
	char id_hex[ID_TEXT_MAX];
	memcpy(id.bytes, delivery->id, sizeof id.bytes);
	id_text(id_hex, id);
	json_t *object =
	    json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:I, s:I, s:f, s:o, s:o, s:o}", "delivery", id_hex,
	              "file", quoted(delivery->path), "member", text_or_null(member->name), "dataset",
	              dataset != NULL ? json_string(dataset->name) : json_null(), "table",
	              dataset != NULL ? json_string(dataset->table) : json_null(), "status",
	              history_status_text(member->status), "bytes", (json_int_t)member->bytes,
	              "bytes_skipped", (json_int_t)member->bytes_skipped, "seconds",
	              (double)member->busy_ns / 1e9, "reason", text_or_null(member->reason), "started",
	              time_or_null(delivery->started_ns), "finished", time_or_null(delivery->finished_ns));
	if (object != NULL && !history_add_counts(object, &member->counts)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* "2026-01-31", as clock_text() begins. */
static bool is_of_day(const struct state_delivery *delivery, const char *day)
{
	char text[CLOCK_TEXT_MAX];
	enum { DAY_LENGTH = 10 };
	clock_text(text, delivery->started_ns);
	return strlen(day) == DAY_LENGTH && strncmp(text, day, DAY_LENGTH) == 0;
}

static bool is_wanted(const struct listing *listing, const struct state_dataset *dataset)
{
	const char *filter = listing->filter;
	const char *path = listing->delivery->path;
	return filter == NULL || is_of_day(listing->delivery, filter) || strcmp(filter, path) == 0 || strcmp(filter, file_base_name(path)) == 0 ||
	       (dataset != NULL && strcmp(filter, dataset->name) == 0);
}

/* A delivery that was given up, since the file is read anew, ends without a word about its members. */
static void end_with_delivery(struct state_member *member, const struct state_delivery *delivery)
{
	if (member->status != STATE_STATUS_OPEN || delivery->status == STATE_STATUS_OPEN)
		return;
	member->status = delivery->status;
	strcpy(member->reason, delivery->reason);
}

static bool add_member(void *context, const struct state_member *recorded)
{
	struct listing *listing = context;
	struct state_member member = *recorded;
	const struct state_dataset *dataset = find_dataset(&listing->names, member.dataset);
	end_with_delivery(&member, listing->delivery);
	listing->is_told |= member.status == listing->delivery->status;
	if (!is_wanted(listing, dataset))
		return true;
	listing->has_failed |= json_array_insert_new(listing->members, listing->start,
	                                             describe(listing->delivery, &member, dataset)) != 0;
	return !listing->has_failed;
}

static bool add_delivery(void *context, const struct state_delivery *delivery)
{
	struct listing *listing = context;
	listing->delivery = delivery;
	listing->is_told = false;
	listing->start = json_array_size(listing->members);
	state_delivery_each_member(listing->txn, delivery->id, add_member, listing);
	if (listing->is_told || !is_wanted(listing, NULL))
		return !listing->has_failed;
	/* It ended worse than its members, or before the first: an archive that is damaged, say. */
	struct state_member none = {.status = delivery->status};
	strcpy(none.reason, delivery->reason);
	listing->has_failed |= json_array_append_new(listing->members, describe(delivery, &none, NULL)) != 0;
	return !listing->has_failed;
}

static json_t *reversed(json_t *array)
{
	json_t *out = json_array();
	for (size_t i = json_array_size(array); out != NULL && i > 0; i--) {
		if (json_array_append(out, json_array_get(array, i - 1)) != 0) {
			json_decref(out);
			out = NULL;
		}
	}
	json_decref(array);
	return out;
}

json_t *history_members(struct state_txn *txn, const char *filter)
{
	struct listing listing = {.txn = txn, .filter = filter, .members = json_array()};
	if (listing.members == NULL)
		return NULL;
	state_dataset_each(txn, collect_dataset, &listing.names);
	state_delivery_each(txn, add_delivery, &listing);
	free(listing.names.datasets);
	if (listing.has_failed || state_txn_failure(txn, NULL) != STATE_OK) {
		json_decref(listing.members);
		return NULL;
	}
	return reversed(listing.members);
}

static json_t *describe_dataset(struct state_txn *txn, const struct state_dataset *dataset)
{
	struct state_run_stats stats;
	struct state_pending pending;
	if (state_run_stats(txn, dataset->id, &stats) != STATE_OK)
		return NULL;
	bool has_pending = state_batch_pending(txn, dataset->id, &pending) == STATE_OK;
	double bytes_per_row = dataset->rows > 0 ? (double)stats.bytes / (double)dataset->rows : 0;
	return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:b}", "name", dataset->name,
	                 "table", dataset->table, "sink", text_or_null(dataset->sink_kind), "rows",
	                 (json_int_t)dataset->rows, "batches", (json_int_t)dataset->seq, "runs",
	                 (json_int_t)stats.runs, "bytes", (json_int_t)stats.bytes, "bytes_per_row",
	                 bytes_per_row, "chunks", (json_int_t)stats.chunks, "chunk_bytes",
	                 (json_int_t)stats.chunk_bytes, "pending", has_pending);
}

json_t *history_datasets(struct state_txn *txn)
{
	struct dataset_names names = {0};
	state_dataset_each(txn, collect_dataset, &names);
	json_t *array = json_array();
	for (size_t i = 0; array != NULL && i < names.count; i++) {
		if (json_array_append_new(array, describe_dataset(txn, &names.datasets[i])) != 0) {
			json_decref(array);
			array = NULL;
		}
	}
	free(names.datasets);
	return array;
}

json_t *history_of_file(struct state_txn *txn, uint64_t device, uint64_t inode)
{
	struct state_delivery delivery;
	if (state_delivery_of_file(txn, device, inode, &delivery) != STATE_OK)
		return state_txn_failure(txn, NULL) == STATE_OK ? json_null() : NULL;
	struct id id;
	char id_hex[ID_TEXT_MAX];
	memcpy(id.bytes, delivery.id, sizeof id.bytes);
	id_text(id_hex, id);
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:o}", "delivery", id_hex, "status",
	                 history_status_text(delivery.status), "size", (json_int_t)delivery.file.size,
	                 "mtime_ns", (json_int_t)delivery.file.mtime_ns, "ctime_ns",
	                 (json_int_t)delivery.file.ctime_ns, "reason", text_or_null(delivery.reason),
	                 "finished", time_or_null(delivery.finished_ns));
}
