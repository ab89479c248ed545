// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_REFUSED_H
#define ROWSIEVE_INGEST_REFUSED_H

#include <stdint.h>

#include "base/error.h"
#include "schema/row.h"

/*
 * Rows that the sink refused for good, found by sifting their batch. The batch is dropped, as after every
 * failure; when its deliveries are read again, these rows are met again and become rejects with the sink's
 * words, so that counts, lines and original bytes are exact. Rows are told apart by the digest of their whole
 * canonical form. Nothing of this is durable: a restart finds them out again.
 */
struct refused_row {
	struct row_digest digest;
	uint32_t dataset;
	char *message;
};

struct refused {
	struct refused_row *rows;
	size_t count;
	size_t met; /* since they were read again */
};

/* RESULT_NO_MEMORY only. */
enum result refused_add(struct refused *refused, uint32_t dataset, struct row_digest digest,
                        const char *message) WARN_UNUSED;

/* What the sink said about the row, or NULL. Counts the meeting. */
const char *refused_meet(struct refused *refused, uint32_t dataset, struct row_digest digest);

void refused_clear(struct refused *refused);

#endif
