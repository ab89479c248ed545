// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_ORIGINS_H
#define ROWSIEVE_INGEST_ORIGINS_H

#include "ingest/batch.h"
#include "ingest/delivery.h"

/* Where rows of the batch came from, kept where a row may still become a reject when it is judged (on_change =
 * "reject"). Zero is empty. */
struct origin {
	struct delivery *delivery;
	struct delivery_member *member;
	uint64_t line;
	size_t offset; /* of the record's bytes */
	size_t length;
};

struct origins {
	struct origin *origins; /* by place in the batch */
	size_t capacity;
	struct buffer records;
};

/* `record` is copied; offset and length of *origin are set here. */
enum result origins_keep(struct origins *origins, size_t place, const struct origin *origin,
                         struct slice record, struct error *error) WARN_UNUSED;

/* Makes rejects of the rows that the judgement refused, in the order of delivery, and forgets all. */
enum result origins_reject(struct origins *origins, struct batch *batch, struct error *error) WARN_UNUSED;

void origins_free(struct origins *origins);

#endif
