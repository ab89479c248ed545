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
enum refused_standing {
	REFUSED_AWAITED, /* it will be met when its delivery is read again */
	REFUSED_MET,     /* it was, and that is not durable yet */
	REFUSED_SETTLED, /* it is; equal rows of the same member need not be found out again */
};

struct refused_row {
	struct row_digest digest;
	uint32_t dataset;
	enum refused_standing standing;
	char *message;
};

struct refused {
	struct refused_row *rows;
	size_t count;
	size_t awaited;
	size_t met;
};

/* It is awaited. RESULT_NO_MEMORY only. */
enum result refused_add(struct refused *refused, uint32_t dataset, struct row_digest digest,
                        const char *message) WARN_UNUSED;

/* What the sink said about the row, or NULL. It is met, unless it is settled. */
const char *refused_meet(struct refused *refused, uint32_t dataset, struct row_digest digest);

/* Were all of them met, and there is one to settle? */
bool refused_are_due(const struct refused *refused);

/* What was met is durable. */
void refused_settle(struct refused *refused);

/* What was met, and was not durable, is read again. */
void refused_await(struct refused *refused);

/* A member has ended: what is settled is of no more use. */
void refused_drop_settled(struct refused *refused);

void refused_clear(struct refused *refused);

#endif
