// SPDX-License-Identifier: Apache-2.0
#include "ingest/outcome.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "ingest/retire.h"

static enum ingest_status report_status(enum state_status status)
{
	if (status == STATE_STATUS_DONE)
		return INGEST_DONE;
	return status == STATE_STATUS_REJECTED ? INGEST_REJECTED : INGEST_FAILED;
}

static void report_member(const struct ingest *ingest, const struct delivery *delivery, size_t index,
                          bool is_last, bool is_left)
{
	const struct delivery_member *member = delivery->members[index];
	const struct state_member *record = &member->mark.member;
	struct ingest_report report = {
	    .ticket = delivery->ticket,
	    .is_last = is_last,
	    .is_left = is_left,
	    .delivery = delivery->id,
	    .file = delivery->file,
	    .member = record->name[0] != '\0' ? record->name : NULL,
	    .dataset = member->dataset != NULL ? member->dataset->record.name : NULL,
	    .table = member->dataset != NULL ? member->dataset->options.table : NULL,
	    .status = report_status(record->status),
	    .bytes = record->bytes,
	    .bytes_skipped = record->bytes_skipped,
	    .counts = record->counts,
	    .seconds = (double)record->busy_ns / 1e9,
	    .reason = record->reason[0] != '\0' ? record->reason : NULL,
	};
	ingest->options.report(ingest->options.context, &report);
}

/* A delivery may end worse than its members: an archive that is damaged behind them, a file with none at all.
 */
static bool is_told_by_members(const struct delivery *delivery)
{
	bool is_told = delivery->record.status == STATE_STATUS_DONE && delivery->member_count > 0;
	for (size_t i = 0; i < delivery->member_count; i++)
		is_told |= delivery->members[i]->mark.member.status == delivery->record.status;
	return is_told;
}

void outcome_report(const struct ingest *ingest, const struct delivery *delivery, bool is_left)
{
	bool is_told = is_told_by_members(delivery);
	for (size_t i = 0; i < delivery->member_count; i++)
		report_member(ingest, delivery, i, is_told && i + 1 == delivery->member_count, is_left);
	if (is_told)
		return;
	struct ingest_report report = {
	    .ticket = delivery->ticket,
	    .is_last = true,
	    .is_left = is_left,
	    .delivery = delivery->id,
	    .file = delivery->file,
	    .status = report_status(delivery->record.status),
	    .reason = delivery->record.reason,
	};
	ingest->options.report(ingest->options.context, &report);
}

/* To where its outcome puts it; *directory is NULL when it stays, or is removed. */
static enum result move(const struct ingest *ingest, struct retire_group *group, const struct delivery *delivery,
                        const char **directory, struct error *error)
{
	struct retire_file file = {delivery->record.path, delivery->identity, delivery->id};
	bool is_rejected = delivery->record.status == STATE_STATUS_REJECTED;
	*directory = is_rejected ? ingest->options.rejected : ingest->options.done;
	if (is_rejected)
		return retire_reject(group, &file, ingest->options.rejected, delivery->record.reason, error);
	if (ingest->options.on_done == INGEST_ARCHIVE)
		return retire_move(group, &file, ingest->options.done, error);
	*directory = NULL;
	if (ingest->options.on_done != INGEST_DELETE)
		return RESULT_OK;
	/* What goes to the store goes from there; what stands there already is a copy. */
	CLEANUP_FREE char *held = spool_path(ingest->options.spool.directory, delivery->record.id, SPOOL_RAW);
	if (spool_wants_raw(&ingest->options.spool, delivery) && held != NULL && access(held, F_OK) != 0)
		return retire_to(group, &file, held, error);
	return retire_delete(group, &file, error);
}

static enum result leave(const struct ingest *ingest, struct retire_group *group,
                         const struct delivery *delivery, struct error *error)
{
	const char *directory;
	if (!delivery->record.in_drop || delivery->record.status == STATE_STATUS_FAILED ||
	    ingest->options.dry_run)
		return RESULT_OK;
	enum result result = move(ingest, group, delivery, &directory, error);
	if (result != RESULT_OK || directory == NULL || !spool_wants_raw(&ingest->options.spool, delivery))
		return result;
	struct retire_file file = {delivery->record.path, delivery->identity, delivery->id};
	CLEANUP_FREE char *path = retire_find(&file, directory);
	return path != NULL ? spool_link(&ingest->options.spool, delivery, path, error) : RESULT_OK;
}

/* False, and logged, when it failed. */
static bool is_fine(enum result result, const struct error *error)
{
	if (result != RESULT_OK)
		log_error(error);
	return result == RESULT_OK;
}

bool outcome_retire(const struct ingest *ingest, const struct delivery *delivery)
{
	struct retire_group group = {0};
	struct error error = {0};
	bool has_left = is_fine(leave(ingest, &group, delivery, &error), &error);
	return is_fine(retire_settle(&group, &error), &error) && has_left;
}

void outcome_finish(struct ingest *ingest)
{
	struct retire_group group = {0};
	struct error error = {0};
	for (struct delivery *delivery = ingest->deliveries; delivery != NULL; delivery = delivery->next) {
		if (delivery->is_read)
			delivery->has_left = is_fine(leave(ingest, &group, delivery, &error), &error);
	}
	bool is_durable = is_fine(retire_settle(&group, &error), &error);
	struct delivery **link = &ingest->deliveries;
	while (*link != NULL) {
		struct delivery *delivery = *link;
		if (!delivery->is_read) {
			link = &delivery->next;
			continue;
		}
		*link = delivery->next;
		ingest->delivery_count--;
		outcome_report(ingest, delivery, !is_durable || !delivery->has_left);
		delivery_free(delivery);
	}
}
