// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_ENGINE_H
#define ROWSIEVE_INGEST_ENGINE_H

#include "ingest/bag.h"
#include "ingest/batch.h"
#include "ingest/chunks.h"
#include "ingest/committer.h"
#include "ingest/dataset.h"
#include "ingest/delivery.h"
#include "ingest/ingest.h"
#include "ingest/origins.h"
#include "ingest/refused.h"
#include "source/content.h"
#include "source/record.h"

/*
 * What the parts of ingest/ share.
 *
 * E1  All rows in `batch` and `parcel`, all `borders` and `chunks`, and all dirty members, belong to `current`.
 * E2  A delivery stays in the list until the state says that it ended; its members' marks cover exactly the
 *     rows that were put into batches, rejected, or counted.
 * E3  Nothing in here is needed after a failure: it is dropped, and state and sink are asked again.
 */
struct ingest {
	struct ingest_options options;
	struct dataset **datasets; /* those met so far */
	size_t dataset_count;
	struct dataset *current;
	struct batch batch;           /* taking rows */
	struct borders borders;       /* of its parts that have ended */
	size_t parts;                 /* that it is to have, where rows may be judged in several */
	struct parcel parcel;         /* empty but while rows are on their way */
	struct batch_judging judging; /* for `batch` and that of `parcel` */
	struct committer committer;
	struct chunks chunks;
	struct delivery *deliveries; /* under way, oldest first */
	size_t delivery_count;
	struct content *content;
	struct bag bag;
	const struct state_counts *open_member; /* the member that is being read, by its counts; NULL: none */
	struct id given_batch_id; /* of the next batch, where it is one that is restored; none: a new one */
	struct origins origins;   /* of rows of the batch that may become rejects when they are judged */
	struct refused refused;   /* survives the drop of everything else (E3) */
	bool is_connected;
	int64_t progress_due_ns;
};

/* What a record may have, in the members of this engine's deliveries. */
struct record_options engine_record_limits(const struct ingest *ingest);

/* The dataset that takes a member; RESULT_END: none does. */
enum result engine_dataset_name(const struct ingest *ingest, const struct delivery *delivery,
                                const struct source *source, const struct source_member *member,
                                char name[SCHEMA_NAME_MAX + 1], struct error *error) WARN_UNUSED;

/* The dataset of that name at work, opened when it is met first; it is the engine's. */
enum result engine_open_dataset(struct ingest *ingest, const char *name, struct dataset **out,
                                struct error *error) WARN_UNUSED;

#endif
