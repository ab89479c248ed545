// SPDX-License-Identifier: Apache-2.0
#include "ingest/delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static struct state_file state_file_of(const struct file_identity *identity)
{
	return (struct state_file){identity->device, identity->inode, identity->size, identity->mtime_ns,
	                           identity->ctime_ns};
}

static bool is_same_file(const struct state_file *file, const struct file_identity *identity)
{
	struct file_identity known = {file->device, file->inode, file->size, file->mtime_ns, file->ctime_ns};
	return file_identity_equal(&known, identity);
}

static struct delivery *allocate(const struct file_identity *identity)
{
	struct delivery *delivery = calloc(1, sizeof *delivery);
	if (delivery != NULL)
		delivery->identity = *identity;
	return delivery;
}

enum result delivery_new(struct delivery **out, const char *path, const struct file_identity *identity,
                         struct error *error)
{
	struct delivery *delivery = allocate(identity);
	if (delivery == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	delivery->id = id_random();
	struct state_delivery *record = &delivery->record;
	memcpy(record->id, delivery->id.bytes, sizeof record->id);
	record->file = state_file_of(identity);
	snprintf(record->path, sizeof record->path, "%s", path);
	record->started_ns = clock_wall_ns();
	record->status = STATE_STATUS_OPEN;
	*out = delivery;
	return RESULT_OK;
}

enum result delivery_find(struct delivery **out, struct state *state, const struct file_identity *identity,
                          struct error *error)
{
	struct delivery *delivery = allocate(identity);
	if (delivery == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	struct state_txn *txn = state_txn_begin_read(state);
	enum state_result found =
	    state_delivery_of_file(txn, identity->device, identity->inode, &delivery->record);
	struct state_error failure;
	enum result result = RESULT_OK;
	if (found == STATE_NOT_FOUND)
		result = RESULT_END;
	else if (found != STATE_OK && state_txn_failure(txn, &failure) != STATE_OK)
		result = dataset_state_error(error, &failure, "cannot look up the file");
	else if (!is_same_file(&delivery->record.file, identity))
		result = RESULT_END;
	state_txn_abort(txn);
	if (result != RESULT_OK) {
		delivery_free(delivery);
		return result;
	}
	memcpy(delivery->id.bytes, delivery->record.id, sizeof delivery->id.bytes);
	delivery->is_recorded = true;
	*out = delivery;
	return RESULT_OK;
}

struct currency {
	struct state_txn *txn;
	bool is_current;
};

static bool check_member(void *context, const struct state_member *member)
{
	struct currency *currency = context;
	struct state_dataset dataset;
	if (member->dataset != 0)
		currency->is_current =
		    state_dataset_find(currency->txn, member->dataset, &dataset) == STATE_OK &&
		    dataset.cache_epoch == member->cache_epoch;
	return currency->is_current;
}

bool delivery_is_current(const struct delivery *delivery, struct state *state)
{
	struct currency currency = {state_txn_begin_read(state), true};
	enum state_result result =
	    state_delivery_each_member(currency.txn, delivery->record.id, check_member, &currency);
	state_txn_abort(currency.txn);
	return result == STATE_OK && currency.is_current;
}

void delivery_free(struct delivery *delivery)
{
	if (delivery == NULL)
		return;
	for (size_t i = 0; i < delivery->member_count; i++) {
		buffer_free(&delivery->members[i]->header);
		free(delivery->members[i]);
	}
	free(delivery->members);
	free(delivery->file);
	rejects_close(delivery->rejects);
	free(delivery);
}

static enum result read_member(struct delivery_member *member, const struct delivery *delivery,
                               struct state *state, struct error *error)
{
	struct state_txn *txn = state_txn_begin_read(state);
	struct state_member known;
	enum state_result found =
	    state_delivery_get_member(txn, delivery->record.id, member->mark.member.index, &known);
	struct state_error failure;
	enum result result = RESULT_OK;
	if (found == STATE_OK) {
		member->mark.member = known;
		member->resume_at = known.bytes;
		member->records = known.counts.rows;
	} else if (found != STATE_NOT_FOUND && state_txn_failure(txn, &failure) != STATE_OK) {
		result = dataset_state_error(error, &failure, "cannot look up the member");
	}
	state_txn_abort(txn);
	return result;
}

static enum result append_member(struct delivery *delivery, struct delivery_member *member,
                                 struct error *error)
{
	struct delivery_member **members =
	    realloc(delivery->members, (delivery->member_count + 1) * sizeof *members);
	if (members == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	delivery->members = members;
	delivery->members[delivery->member_count++] = member;
	return RESULT_OK;
}

enum result delivery_member(struct delivery *delivery, struct state *state, uint32_t index, const char *name,
                            struct delivery_member **out, struct error *error)
{
	struct delivery_member *member = calloc(1, sizeof *member);
	if (member == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	struct state_member *record = &member->mark.member;
	memcpy(record->delivery, delivery->record.id, sizeof record->delivery);
	record->index = index;
	record->status = STATE_STATUS_OPEN;
	if (name != NULL)
		error_quote(record->name, sizeof record->name, name);
	enum result result = RESULT_OK;
	if (delivery->is_recorded)
		result = read_member(member, delivery, state, error);
	if (result == RESULT_OK)
		result = append_member(delivery, member, error);
	if (result != RESULT_OK) {
		free(member);
		return result;
	}
	*out = member;
	return RESULT_OK;
}

enum result delivery_reject(struct delivery *delivery, struct delivery_member *member, struct rejects_row row,
                            struct error *error)
{
	struct state_member *record = &member->mark.member;
	record->counts.rows++;
	record->counts.rejected++;
	member->mark.has_content = false; /* rejects are kept per delivery (I9) */
	if (delivery->rejects == NULL)
		return RESULT_OK;
	row.member = record->name[0] != '\0' ? record->name : NULL;
	if (record->counts.rejected == 1)
		row.header = (struct slice){member->header.data, member->header.length};
	return rejects_add(delivery->rejects, &row, error);
}

void delivery_end(struct delivery *delivery, enum state_status status, const char *reason)
{
	delivery->record.status = status;
	snprintf(delivery->record.reason, sizeof delivery->record.reason, "%s", reason);
}

void delivery_end_member(struct delivery_member *member, enum state_status status, const char *reason)
{
	member->is_dirty = true;
	member->mark.member.status = status;
	snprintf(member->mark.member.reason, sizeof member->mark.member.reason, "%s", reason);
}

struct state_counts delivery_counts(const struct delivery *delivery)
{
	struct state_counts sum = {0};
	for (size_t i = 0; i < delivery->member_count; i++)
		batch_add_counts(&sum, &delivery->members[i]->mark.member.counts);
	return sum;
}
