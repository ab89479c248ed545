// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_S3_H
#define ROWSIEVE_STORE_S3_H

#include <stdatomic.h>

#include "store/store.h"

/*
 * A bucket of S3, or of a store that speaks its protocol with signatures of version 4.
 *
 * Bodies are signed by their SHA-256, so that what arrives is what was read. Objects above 64 MiB go up in
 * parts; the parts of an upload that was cut off are looked for and, where they are the same, not sent again.
 * An object counts as stored when the answer's ETag is its MD5, or HEAD says its length (and, where the store
 * has one to show, its checksum).
 */
struct s3_options {
	const char *endpoint; /* NULL: Amazon's for the region */
	const char *region;   /* NULL: the environment's, the profile's, else us-east-1 */
	const char *bucket;
	const char *prefix; /* NULL for none */
	bool is_path_addressed;
	const char *profile;
	const char *ca;
	const char *storage_class;
	const char *sse;
	const atomic_bool *stop; /* set: break off; may be NULL */
};

/* Asks nothing of the store yet. Strings are copied. */
enum result s3_open(struct store **out, const struct s3_options *options, struct error *error) WARN_UNUSED;

#endif
