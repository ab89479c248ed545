// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_S3_FAILURE_H
#define ROWSIEVE_STORE_S3_FAILURE_H

#include <stdbool.h>

#include "store/http.h"

/* What the refusals of S3 mean, and what to do about them. */

struct s3_failure_context {
	const char *bucket;
	const char *region;
	const char *access_key;
	const char *place; /* where the keys are from */
	const char *what;  /* the object, or the bucket */
};

/* Is the answer a failure? One with status 200 may be: then its body says so. */
bool s3_failure_is(const struct http_answer *answer);

/* The failure as a result with its message. RESULT_END: there is no such object or upload. */
enum result s3_failure_explain(const struct http_answer *answer, const struct s3_failure_context *context,
                               struct error *error);

/* Would the same request do better a little later, or with keys that are fetched anew? */
bool s3_failure_is_passing(const struct http_answer *answer);
bool s3_failure_is_old_token(const struct http_answer *answer);

#endif
