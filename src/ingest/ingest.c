// SPDX-License-Identifier: Apache-2.0
#include "ingest/ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "ingest/commit.h"
#include "ingest/engine.h"
#include "ingest/match.h"
#include "ingest/member.h"
#include "ingest/outcome.h"
#include "ingest/recover.h"
#include "ingest/watermark.h"

/* Each delivery under way may hold its reject file open. */
enum { MAX_DELIVERIES = 256 };

/* How far apart two changes of a file may be and yet have one ctime: a tick of the kernel's clock, or on a
 * file system that keeps no fractions of a second (FAT keeps even seconds only) two seconds. */
static const int64_t FINE_GRAIN_NS = 20000000;
static const int64_t COARSE_GRAIN_NS = 2000000000;

static bool is_known_delivery(void *context, struct id delivery)
{
	struct state_txn *txn = state_txn_begin_read(context);
	struct state_delivery record;
	bool is_unknown = state_delivery_get(txn, delivery.bytes, &record) == STATE_NOT_FOUND;
	state_txn_abort(txn);
	return !is_unknown;
}

static bool open_batches(struct ingest *ingest, const struct ingest_options *options)
{
	const struct batch_size *size = &options->batch;
	parcel_init(&ingest->parcel);
	return batch_open_judging(&ingest->judging, size, options->dry_run) == RESULT_OK &&
	       batch_open(&ingest->parcel.batch, size, &ingest->judging) == RESULT_OK &&
	       batch_open(&ingest->batch, size, &ingest->judging) == RESULT_OK;
}

enum result ingest_open(struct ingest **out, const struct ingest_options *options, struct error *error)
{
	struct ingest *ingest = calloc(1, sizeof *ingest);
	if (ingest == NULL || !open_batches(ingest, options)) {
		ingest_close(ingest);
		return error_set(error, RESULT_NO_MEMORY, "out of memory for a batch of %zu rows",
		                 options->batch.all_rows);
	}
	ingest->options = *options;
	ingest->parts = 1;
	ingest->parcel.state = options->state;
	ingest->parcel.sink = options->sink;
	ingest->parcel.spool = &ingest->options.spool;
	enum result result = content_open(&ingest->content, state_secret(options->state), error);
	if (result == RESULT_OK && !options->dry_run)
		result = spool_open(&options->spool, error);
	if (result == RESULT_OK && !options->dry_run)
		result = rejects_sweep(options->rejected, is_known_delivery, options->state, error);
	if (result != RESULT_OK) {
		ingest_close(ingest);
		return result;
	}
	*out = ingest;
	return RESULT_OK;
}

/* Forgets everything that is not durable (E3). */
static void reset(struct ingest *ingest)
{
	batch_clear(&ingest->batch);
	borders_clear(&ingest->borders);
	ingest->parts = 1;
	parcel_clear(&ingest->parcel); /* nothing is away (P1) */
	bag_clear(&ingest->bag);
	ingest->open_member = NULL;
	ingest->origins.records.length = 0;
	chunks_release(&ingest->chunks);
	chunks_clear(&ingest->chunks);
	while (ingest->deliveries != NULL) {
		struct delivery *delivery = ingest->deliveries;
		ingest->deliveries = delivery->next;
		delivery_free(delivery);
	}
	ingest->delivery_count = 0;
	for (size_t i = 0; i < ingest->dataset_count; i++)
		dataset_close(ingest->datasets[i]);
	ingest->dataset_count = 0;
	ingest->current = NULL;
	ingest->is_connected = false;
	refused_await(&ingest->refused);
}

void ingest_close(struct ingest *ingest)
{
	if (ingest == NULL)
		return;
	reset(ingest);
	free(ingest->datasets);
	refused_clear(&ingest->refused);
	chunks_free(&ingest->chunks);
	content_close(ingest->content);
	origins_free(&ingest->origins);
	batch_close(&ingest->batch);
	batch_close_judging(&ingest->judging);
	borders_free(&ingest->borders);
	parcel_free(&ingest->parcel);
	free(ingest);
}

bool ingest_is_idle(const struct ingest *ingest)
{
	return ingest->deliveries == NULL;
}

enum result ingest_flush(struct ingest *ingest, struct error *error)
{
	enum result result = commit_batch(ingest, error);
	if (result == RESULT_OK)
		result = commit_settle(ingest, error);
	if (result != RESULT_OK) {
		reset(ingest);
		return result;
	}
	outcome_finish(ingest);
	return RESULT_OK;
}

static void append(struct ingest *ingest, struct delivery *delivery)
{
	struct delivery **link = &ingest->deliveries;
	while (*link != NULL)
		link = &(*link)->next;
	*link = delivery;
	ingest->delivery_count++;
}

/* Read so soon after its last change that another change may have left its identity as it was. */
static bool is_read_too_soon(const struct delivery *delivery)
{
	int64_t ctime_ns = delivery->identity.ctime_ns;
	int64_t grain_ns = ctime_ns % 1000000000 != 0 ? FINE_GRAIN_NS : COARSE_GRAIN_NS;
	return delivery->record.started_ns - ctime_ns < grain_ns;
}

/* A file of the drop directory whose delivery has ended needs no reading, only (again) its move. Under another name
 * it is another hard link, which may be meant for another dataset. */
static bool is_settled(const struct ingest *ingest, const struct delivery *delivery, const char *path)
{
	bool has_ended =
	    delivery->record.status == STATE_STATUS_DONE || delivery->record.status == STATE_STATUS_REJECTED;
	return delivery->record.in_drop && has_ended && strcmp(delivery->record.path, path) == 0 &&
	       !is_read_too_soon(delivery) && delivery_is_current(delivery, ingest->options.state);
}

/* The whole path, for the history: a client's file was opened in another directory than ours. */
static void find_path(const struct ingest_file *file, char *path, size_t size)
{
	char link[32];
	snprintf(link, sizeof link, "/proc/self/fd/%d", file->fd);
	CLEANUP_FREE char *whole = file->in_drop ? realpath(file->path, NULL) : NULL;
	ssize_t length = file->in_drop ? -1 : readlink(link, path, size - 1);
	if (length > 0)
		path[length] = '\0';
	else
		snprintf(path, size, "%s", whole != NULL ? whole : file->path);
}

/* The same file once more, before its first delivery has ended: two may not share one record. */
static bool is_under_way(const struct ingest *ingest, const struct file_identity *identity)
{
	for (const struct delivery *delivery = ingest->deliveries; delivery != NULL;
	     delivery = delivery->next) {
		if (file_identity_equal(&delivery->identity, identity))
			return true;
	}
	return false;
}

/* A batch that is still pending may carry the delivery's progress: then nothing is known of it yet. */
static enum result find_delivery(struct ingest *ingest, struct delivery **out,
                                 const struct file_identity *identity, struct error *error)
{
	struct state *state = ingest->options.state;
	enum result result = delivery_find(out, state, identity, error);
	if (result != RESULT_OK || (*out)->record.status != STATE_STATUS_OPEN || ingest->options.dry_run)
		return result;
	delivery_free(*out);
	result = RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i < ingest->dataset_count; i++) {
		struct dataset *dataset = ingest->datasets[i];
		if (!dataset->promotion_due && recover_has_pending(ingest, dataset))
			result = dataset_contact(dataset, state, ingest->options.sink, error);
		/* One that is stopped holds up its own members only: they say so when their turn comes. */
		if (result == RESULT_DISAGREES || result == RESULT_CONFIG)
			result = RESULT_OK;
	}
	return result == RESULT_OK ? delivery_find(out, state, identity, error) : result;
}

/* *out is NULL when there is nothing to read. */
static enum result begin(struct ingest *ingest, const struct ingest_file *file,
                         const struct file_identity *identity, struct delivery **out, struct error *error)
{
	char known_path[STATE_PATH_MAX + 1];
	find_path(file, known_path, sizeof known_path);
	struct delivery *delivery = NULL;
	enum result result = is_under_way(ingest, identity) ? ingest_flush(ingest, error) : RESULT_OK;
	if (result != RESULT_OK)
		return result;
	result = find_delivery(ingest, &delivery, identity, error);
	if (result == RESULT_OK && file->in_drop && is_settled(ingest, delivery, known_path)) {
		outcome_retire(ingest, delivery);
		delivery_free(delivery);
		*out = NULL;
		return RESULT_OK;
	}
	bool is_resumed = result == RESULT_OK && delivery->record.status == STATE_STATUS_OPEN &&
	                  delivery->record.in_drop == file->in_drop && !ingest->options.dry_run;
	if (result == RESULT_OK && !is_resumed) {
		delivery_free(delivery);
		result = RESULT_END;
	}
	if (result == RESULT_END)
		result = delivery_new(&delivery, known_path, identity, error);
	if (result != RESULT_OK)
		return result;
	memcpy(delivery->record.path, known_path, sizeof known_path);
	delivery->record.in_drop = file->in_drop;
	delivery->watermark = file->watermark;
	delivery->ticket = file->ticket;
	delivery->file = strdup(file->path);
	snprintf(delivery->dataset, sizeof delivery->dataset, "%s",
	         file->dataset != NULL ? file->dataset : "");
	append(ingest, delivery);
	*out = delivery;
	return delivery->file != NULL ? RESULT_OK : error_set(error, RESULT_NO_MEMORY, "out of memory");
}

/* In this order: contact comes before the reject file is cut to its live length, which only an agreement
 * makes certain. */
static enum result prepare_member(struct ingest *ingest, struct delivery *delivery,
                                  const struct source_member *member, const char *name,
                                  struct delivery_member **out, struct error *error)
{
	const struct ingest_options *options = &ingest->options;
	struct dataset *dataset;
	enum result result = engine_open_dataset(ingest, name, &dataset, error);
	if (result == RESULT_OK && !options->dry_run)
		result = dataset_contact(dataset, options->state, options->sink, error);
	if (result == RESULT_OK && !options->dry_run && delivery->rejects == NULL)
		result = rejects_open(&delivery->rejects, options->rejected, delivery->id,
		                      delivery->record.rejects_length, error);
	if (result == RESULT_OK)
		result = delivery_member(delivery, options->state, member->index, member->name, out, error);
	if (result != RESULT_OK)
		return result;
	(*out)->dataset = dataset;
	const struct state_member *begun = &(*out)->mark.member;
	delivery->is_superseded = begun->dataset != 0 && (begun->dataset != dataset->record.id ||
	                                                  begun->cache_epoch != dataset->record.cache_epoch ||
	                                                  watermark_is_other(dataset, &begun->watermark));
	if (delivery->is_superseded)
		return error_set(error, RESULT_CHANGED, "'%s' was begun under other rules", delivery->file);
	return RESULT_OK;
}

/* A member that cannot be taken ends as rejected, with the delivery; its neighbours are still read. */
static enum result read_member(const struct member_input *input, struct error *error)
{
	if (input->member->mark.member.status == STATE_STATUS_DONE)
		return RESULT_OK; /* before a restart */
	enum result result = member_read(input, error);
	if (result != RESULT_INVALID)
		return result;
	delivery_end_member(input->member, STATE_STATUS_REJECTED, error->message);
	if (input->member->mark.member.name[0] != '\0')
		error_wrap(error, "member '%s'", input->member->mark.member.name);
	delivery_end(input->delivery, STATE_STATUS_REJECTED, error->message);
	return RESULT_OK;
}

/* A member that no dataset takes, or more than one: other files of an archive are none of our business, but a
 * table keeps the delivery from being done, so that it is taken as soon as a dataset is there for it. */
static enum result pass_over(struct ingest *ingest, struct delivery *delivery, const struct source *source,
                             const struct source_member *member, bool is_ambiguous, struct error *error)
{
	if (!is_ambiguous && source_is_archive(source) && !match_is_table(member->title))
		return RESULT_OK;
	char reason[ERROR_MESSAGE_MAX];
	if (is_ambiguous)
		snprintf(reason, sizeof reason, "%s", error->message);
	else if (delivery->dataset[0] != '\0')
		snprintf(reason, sizeof reason, "there is no dataset '%s'", delivery->dataset);
	else
		snprintf(reason, sizeof reason, "it matches no dataset");
	struct delivery_member *held;
	enum result result =
	    delivery_member(delivery, ingest->options.state, member->index, member->name, &held, error);
	if (result != RESULT_OK)
		return result;
	delivery_end_member(held, STATE_STATUS_FAILED, reason);
	held->is_dirty = false; /* it may not go into another dataset's batch (E1); end_read() sees to it */
	if (delivery->record.status != STATE_STATUS_REJECTED)
		delivery_end(delivery, STATE_STATUS_FAILED, reason);
	return RESULT_OK;
}

static enum result read_members(struct ingest *ingest, struct delivery *delivery, struct source *source,
                                int fd, struct error *error)
{
	struct source_member member;
	enum result result;
	while ((result = source_next(source, &member, error)) == RESULT_OK) {
		char dataset[SCHEMA_NAME_MAX + 1];
		result = engine_dataset_name(ingest, delivery, source, &member, dataset, error);
		if (result == RESULT_END || result == RESULT_CONFIG) {
			result = pass_over(ingest, delivery, source, &member, result == RESULT_CONFIG, error);
			if (result != RESULT_OK)
				return result;
			continue;
		}
		struct member_input input = {ingest, delivery, NULL, source, fd};
		if (result == RESULT_OK)
			result = prepare_member(ingest, delivery, &member, dataset, &input.member, error);
		if (result == RESULT_OK)
			result = read_member(&input, error);
		if (result != RESULT_OK)
			return result;
	}
	return result == RESULT_END ? RESULT_OK : result;
}

static enum result read_source(struct ingest *ingest, struct delivery *delivery, int fd, struct error *error)
{
	struct source *source;
	enum result result = source_open(&source, fd, delivery->file, &ingest->options.limits, error);
	if (result == RESULT_OK) {
		result = read_members(ingest, delivery, source, fd, error);
		bool is_archive = source_is_archive(source);
		source_close(source);
		if (result == RESULT_OK && delivery->member_count == 0 && is_archive &&
		    ingest->options.create_unmatched)
			result = error_set(error, RESULT_INVALID, "'%s' holds no CSV", delivery->file);
	}
	if (result == RESULT_INVALID) {
		delivery_end(delivery, STATE_STATUS_REJECTED, error->message);
		result = RESULT_OK;
	}
	return result;
}

/* The bytes that were read are those of one file only if it did not change meanwhile. */
static bool is_unchanged(const struct delivery *delivery, int fd)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return false;
	struct file_identity now = file_identity_of(&status);
	return file_identity_same_content(&now, &delivery->identity);
}

/* Will the file be out of its producer's hands? */
static bool is_leaving(const struct ingest *ingest, const struct delivery *delivery)
{
	return delivery->record.in_drop && ingest->options.on_done != INGEST_KEEP;
}

static enum result end_read(struct ingest *ingest, struct delivery *delivery, int fd, struct error *error)
{
	static const char changed[] = "the file changed while it was read";
	enum result result = RESULT_OK;
	if (!ingest->options.dry_run && !is_leaving(ingest, delivery))
		result = spool_copy(&ingest->options.spool, delivery, fd, error);
	if (result != RESULT_OK) {
		reset(ingest);
		return result;
	}
	bool is_changed = !is_unchanged(delivery, fd);
	bool is_failed = is_changed || delivery->record.status == STATE_STATUS_FAILED;
	/* Marks of members of several datasets may not go into one batch (E1). */
	result = is_failed ? commit_batch(ingest, error) : RESULT_OK;
	if (result != RESULT_OK) {
		reset(ingest);
		return result;
	}
	for (size_t i = 0; i < delivery->member_count; i++) {
		if (is_changed)
			delivery_end_member(delivery->members[i], STATE_STATUS_FAILED, changed);
		delivery->members[i]->is_dirty |= delivery->members[i]->dataset == NULL;
	}
	if (is_changed)
		delivery_end(delivery, STATE_STATUS_FAILED, changed);
	else if (delivery->record.status == STATE_STATUS_OPEN)
		delivery_end(delivery, STATE_STATUS_DONE, "");
	delivery->is_read = true;
	if (delivery->record.status == STATE_STATUS_DONE)
		return ingest->delivery_count < MAX_DELIVERIES ? RESULT_OK : ingest_flush(ingest, error);
	error_set(error, RESULT_INVALID, "%s", delivery->record.reason);
	struct error failure;
	result = ingest_flush(ingest, &failure);
	if (result == RESULT_OK)
		return RESULT_INVALID;
	*error = failure;
	return result;
}

/* No dataset takes any of it. */
static bool is_held(const struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->member_count; i++) {
		if (delivery->members[i]->dataset != NULL)
			return false;
	}
	return delivery->record.status != STATE_STATUS_REJECTED;
}

static void take_out(struct ingest *ingest, struct delivery *delivery)
{
	struct delivery **link = &ingest->deliveries;
	while (*link != delivery)
		link = &(*link)->next;
	*link = delivery->next;
	ingest->delivery_count--;
}

/* What was read of it under other rules is settled; the dataset reads it anew, as a delivery of its own. */
static enum result abandon(struct ingest *ingest, struct delivery *delivery, struct error *error)
{
	enum result result = commit_batch(ingest, error);
	delivery_end(delivery, STATE_STATUS_FAILED,
	             "begun for another dataset or watermark, or before a rebuild: read again");
	for (size_t i = 0; i < delivery->member_count; i++)
		delivery->members[i]->is_dirty = false;
	delivery->is_read = true;
	if (result == RESULT_OK)
		result = commit_settle(ingest, error);
	if (result != RESULT_OK) {
		reset(ingest);
		return result;
	}
	take_out(ingest, delivery);
	delivery_free(delivery);
	return RESULT_OK;
}

/* No dataset takes it: nothing is remembered, so that it is taken as soon as one does. */
static enum result hold(struct ingest *ingest, struct delivery *delivery, struct error *error)
{
	const char *reason = delivery->record.reason;
	error_set(error, RESULT_INVALID, "'%s': %s", delivery->file,
	          reason[0] != '\0' ? reason : "it matches no dataset");
	error_hint(error, "add a dataset whose files match it, or set unmatched = \"create\"");
	delivery_end(delivery, STATE_STATUS_FAILED, error->message);
	take_out(ingest, delivery);
	outcome_report(ingest, delivery, false);
	delivery_free(delivery);
	return RESULT_INVALID;
}

enum result ingest_read(struct ingest *ingest, const struct ingest_file *file, struct error *error)
{
	struct stat status;
	if (fstat(file->fd, &status) != 0)
		return error_set_errno(error, RESULT_IO, "'%s'", file->path);
	struct file_identity identity = file_identity_of(&status);
	struct delivery *delivery = NULL;
	enum result result = recover_connect(ingest, error);
	if (result == RESULT_OK)
		result = begin(ingest, file, &identity, &delivery, error);
	if (result == RESULT_OK && delivery == NULL)
		return RESULT_END;
	if (result == RESULT_OK)
		result = read_source(ingest, delivery, file->fd, error);
	if (result == RESULT_CHANGED && delivery->is_superseded) {
		result = abandon(ingest, delivery, error);
		return result == RESULT_OK ? ingest_read(ingest, file, error) : result;
	}
	if (result != RESULT_OK) {
		reset(ingest);
		return result;
	}
	if (is_held(delivery))
		return hold(ingest, delivery, error);
	return end_read(ingest, delivery, file->fd, error);
}

enum result ingest_one(struct ingest *ingest, const struct ingest_file *file, struct error *error)
{
	enum result result;
	do {
		result = ingest_read(ingest, file, error);
		if (result == RESULT_OK)
			result = ingest_flush(ingest, error);
	} while (result == RESULT_AGAIN);
	return result;
}

enum result ingest_recover(struct ingest *ingest, bool is_loud, struct error *error)
{
	enum result result = recover_all(ingest, is_loud, error);
	if (result != RESULT_OK)
		reset(ingest);
	return result;
}
