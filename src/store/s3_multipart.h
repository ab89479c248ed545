// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_S3_MULTIPART_H
#define ROWSIEVE_STORE_S3_MULTIPART_H

#include "store/s3_object.h"

/* Large objects, in parts. What is under way is found by asking the store: nothing is remembered here. */

/* Objects above this go up in parts. */
#define S3_MULTIPART_THRESHOLD (UINT64_C(64) << 20)

/* Sends the parts that the store does not have, and has it put them together when all of them, those it had
 * among them, are the bytes of the digest. */
enum result s3_multipart_put(struct s3 *s3, const char *key, const struct store_put *put,
                             struct error *error) WARN_UNUSED;

/* Ends every upload of that object that is under way. */
enum result s3_multipart_abort(struct s3 *s3, const char *key, struct error *error) WARN_UNUSED;

#endif
