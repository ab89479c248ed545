// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_REJECTS_H
#define ROWSIEVE_INGEST_REJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/id.h"

/*
 * The rejected rows of one delivery, in <directory>/<delivery>.rejects.csv: member, line, column, reason, the
 * record's original bytes, and in the first row of each member its header's, so that the rows can be fed again. The file appears with the first reject. It is synced before the batch record
 * that counts its rows (I4); what stands behind the last live length is cut off when the delivery is resumed.
 */
struct rejects;

/* `length` is the live length of a delivery that is resumed, else 0. */
enum result rejects_open(struct rejects **out, const char *directory, struct id delivery, uint64_t length,
                         struct error *error) WARN_UNUSED;
void rejects_close(struct rejects *rejects); /* NULL is fine */

struct rejects_row {
	const char *member; /* NULL for a plain file */
	uint64_t line;
	const char *column; /* NULL when it concerns the whole record */
	const char *reason;
	struct slice record;
	struct slice header; /* of the member, in its first row; else empty */
};

enum result rejects_add(struct rejects *rejects, const struct rejects_row *row,
                        struct error *error) WARN_UNUSED;

/* Makes everything added durable and says how long the file is. */
enum result rejects_sync(struct rejects *rejects, uint64_t *length, struct error *error) WARN_UNUSED;

/* Is this the name of a reject file? Then of which delivery. */
bool rejects_delivery(const char *name, struct id *delivery);

/* Removes reject files of deliveries that the state never heard of: their first batch did not happen. */
enum result rejects_sweep(const char *directory, bool (*is_known)(void *context, struct id delivery),
                          void *context, struct error *error) WARN_UNUSED;

#endif
