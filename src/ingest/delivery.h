// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_DELIVERY_H
#define ROWSIEVE_INGEST_DELIVERY_H

#include <stdbool.h>

#include "base/error.h"
#include "base/file.h"
#include "base/id.h"
#include "ingest/dataset.h"
#include "ingest/rejects.h"
#include "state_batch.h"

/*
 * A delivery under way: what the state will say of it and of its members once the batches that carry them are
 * live. Nothing here is durable by itself.
 */

struct delivery_member {
	struct state_mark mark;  /* as of the last record that was taken */
	struct dataset *dataset; /* NULL when none takes it */
	uint64_t resume_at;      /* plain bytes that live batches cover already */
	uint64_t records;        /* read so far: what the counts must add up to */
	bool is_dirty;           /* it moved on since its mark was packed */
	bool is_past;            /* the record at hand is covered already: of a bag, which counts it again */
	struct buffer header;    /* its header's bytes, for the reject file */
};

struct delivery {
	struct state_delivery record;
	struct id id;
	struct file_identity identity;
	char *file;                              /* the path as it was given, for people */
	char dataset[SCHEMA_NAME_MAX + 1];       /* that takes every member; "": by their titles */
	const struct state_watermark *watermark; /* ingest_file.watermark */
	uint64_t ticket;
	bool is_recorded;                 /* packed for the state, or there already */
	bool is_superseded;               /* begun for another dataset or watermark, or before a rebuild */
	bool is_read;                     /* to its end, whatever that was */
	bool is_ended;                    /* and the state says so */
	bool has_left;                    /* it is where its outcome puts it */
	struct rejects *rejects;          /* NULL before the first member and in a dry run */
	struct delivery_member **members; /* in the order of index; they do not move */
	size_t member_count;
	struct delivery *next;
};

/* Is this file a delivery that was begun, or ended, before? RESULT_END: it is not. Only the very same file
 * counts; its record's path is the one that it had then. */
enum result delivery_find(struct delivery **out, struct state *state, const struct file_identity *identity,
                          struct error *error) WARN_UNUSED;

/* Does what the state has of its members still count? Not when the caches of one's dataset became void since
 * (I7): then the file is read anew, as a delivery of its own. */
bool delivery_is_current(const struct delivery *delivery, struct state *state);

/* A new delivery, under a random id. RESULT_NO_MEMORY only. */
enum result delivery_new(struct delivery **out, const char *path, const struct file_identity *identity,
                         struct error *error) WARN_UNUSED;
void delivery_free(struct delivery *delivery); /* NULL is fine */

/* The member at that place, with what the state has of it, or new. */
enum result delivery_member(struct delivery *delivery, struct state *state, uint32_t index, const char *name,
                            struct delivery_member **out, struct error *error) WARN_UNUSED;

/* Counts a row of the member as a reject, and keeps it where the delivery keeps rejects; `row` says line, column,
 * reason and record. */
enum result delivery_reject(struct delivery *delivery, struct delivery_member *member, struct rejects_row row,
                            struct error *error) WARN_UNUSED;

/* How it ends, with a reason ("" for done). A delivery may still be read on: is_read says when it is not. */
void delivery_end(struct delivery *delivery, enum state_status status, const char *reason);
void delivery_end_member(struct delivery_member *member, enum state_status status, const char *reason);

struct state_counts delivery_counts(const struct delivery *delivery);

#endif
