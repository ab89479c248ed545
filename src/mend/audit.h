// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_MEND_AUDIT_H
#define ROWSIEVE_MEND_AUDIT_H

#include <stdatomic.h>

#include "store/store.h"

/* Manifests against the store: is everything there that they promise, as they promise it? */
struct audit_report {
	uint64_t manifests;
	uint64_t objects;                /* that they name */
	uint64_t bytes;                  /* of these */
	uint64_t missing;                /* of these, not in the store */
	uint64_t different;              /* of these, of another length or checksum */
	uint64_t unnamed;                /* rows and files in the store that no manifest names (yet) */
	char problem[ERROR_MESSAGE_MAX]; /* about the first that is missing or different; "" for none */
};

struct audit_options {
	struct store *store;
	const char *dataset;
	const atomic_bool *stop;
	void (*progress)(void *context, uint64_t manifests, uint64_t expected); /* after each */
	void *context;
};

enum result audit_run(const struct audit_options *options, struct audit_report *report,
                      struct error *error) WARN_UNUSED;

#endif
