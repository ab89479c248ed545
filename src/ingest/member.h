// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_MEMBER_H
#define ROWSIEVE_INGEST_MEMBER_H

#include "ingest/engine.h"
#include "source/delimited.h"
#include "source/source.h"

/* One member on its way into the batch: header, schema, records, rejects. */
struct member_input {
	struct ingest *ingest;
	struct delivery *delivery;
	struct delivery_member *member;
	struct source *source; /* stands at the beginning of the member */
	int fd;                /* of the delivery, for a second look */
};

/*
 * Reads the member to its end, from where its live batches end. Its dataset must have been contacted.
 * RESULT_INVALID: it cannot be taken (the rows before the place stay); RESULT_DISAGREES, RESULT_CONFIG: its
 * dataset is stopped; other results are not the member's fault.
 */
enum result member_read(const struct member_input *input, struct error *error) WARN_UNUSED;

#endif
