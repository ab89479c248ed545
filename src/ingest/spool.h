// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_SPOOL_H
#define ROWSIEVE_INGEST_SPOOL_H

#include "ingest/delivery.h"
#include "state_outbox.h"

/*
 * What waits for the object store on this machine: a directory beside the state with
 *
 *   <batch_id>.rows     the rows of one batch, as it was committed (ingest/segment.h)
 *   <batch_id>.csv.gz   the same as it will be stored; takes its place, maybe before it is owed
 *   <delivery>.raw      a delivered file: a hard link where it has left the drop directory, else a copy
 *
 * Rows and copies are durable before the transaction that owes them. A link is not made before the file has left
 * the drop directory: it would change the file's ctime, by which its delivery is known. Each goes after the
 * transaction that settles it; what none owes was cut off, and is swept.
 */

/* What is kept for the store. */
struct spool_options {
	const char *directory; /* NULL: there is no store, nothing is kept */
	bool rows;             /* the rows of each batch */
	bool raw;              /* the files as they came */
};

/* Names of objects; -1 without memory. */
int spool_rows_object(char out[STATE_OBJECT_MAX + 1], const char *dataset, const struct state_outbox *batch);

/* The prefix of all objects of a dataset: "<dataset>/"; NULL without memory. */
char *spool_prefix(const char *dataset);

/* "<directory>/<id><suffix>"; NULL without memory. */
char *spool_path(const char *directory, const uint8_t id[STATE_ID_SIZE], const char *suffix);

#define SPOOL_ROWS ".rows"
#define SPOOL_OBJECT ".csv.gz"
#define SPOOL_PART SPOOL_OBJECT ".part" /* in the making */
#define SPOOL_RAW ".raw"

/* Makes the directory where something is kept. */
enum result spool_open(const struct spool_options *options, struct error *error) WARN_UNUSED;

/* Keeps a copy of a file that was read and that stays where it is, in its producer's hands. */
enum result spool_copy(const struct spool_options *options, const struct delivery *delivery, int fd,
                       struct error *error) WARN_UNUSED;

/* Holds a file that has left the drop directory, and now lies under that path: by a link, or on another file
 * system by a copy. */
enum result spool_link(const struct spool_options *options, const struct delivery *delivery, const char *path,
                       struct error *error) WARN_UNUSED;

/* Does this delivery's file go to the store? */
bool spool_wants_raw(const struct spool_options *options, const struct delivery *delivery);

/* Owes what an ended delivery owes: its file, and its manifest. Failures of the state stick in the transaction;
 * RESULT_NO_MEMORY: it must not be committed. */
enum result spool_owe(struct state_txn *txn, const struct spool_options *options,
                      const struct delivery *delivery, struct error *error) WARN_UNUSED;

/* Removes what nothing in the state owes. No batch may be between step 0 and step 1. */
enum result spool_sweep(const struct spool_options *options, struct state *state,
                        struct error *error) WARN_UNUSED;

#endif
