// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_MANIFEST_H
#define ROWSIEVE_INGEST_MANIFEST_H

#include "base/buffer.h"
#include "ingest/dataset.h"
#include "state_outbox.h"

/*
 * The manifest of a delivery: what became of it in one dataset, and every object that holds something of it.
 * JSON; written when each of those objects is confirmed, so that a manifest never promises too much.
 */
struct manifest {
	char *name; /* of the object */
	struct buffer text;
};

struct manifests {
	struct manifest *list; /* one for each dataset that took part in the delivery */
	size_t count;
};

/* RESULT_END: something that it must name is not confirmed yet. */
enum result manifest_make(struct manifests *out, struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE],
                          struct error *error) WARN_UNUSED;
void manifest_free(struct manifests *manifests);

/* The schema's object: "<dataset>/schema/<version>.json"; NULL without memory. */
char *manifest_schema_object(const char *dataset, uint32_t version);

#endif
