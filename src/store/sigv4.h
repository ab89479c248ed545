// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_SIGV4_H
#define ROWSIEVE_STORE_SIGV4_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "store/http.h"

/* AWS's signature of requests, version 4, and its notation of URLs. Pure functions. */

enum { SIGV4_TIME_MAX = 17 };

struct sigv4_key {
	const char *access_key;
	const char *secret_key;
	const char *region;
	const char *service; /* "s3" */
};

struct sigv4_request {
	const char *method;
	const char *path;              /* as it stands in the URL, encoded */
	const struct http_pair *query; /* plain, in any order */
	size_t query_count;
	const struct http_pair *headers; /* all are signed; lower-case names; host and x-amz-date among them */
	size_t header_count;
	const char *payload; /* SHA-256 of the body in hexadecimal, or UNSIGNED-PAYLOAD */
	const char *time;    /* the value of x-amz-date */
};

/* "20130524T000000Z" */
void sigv4_time(char text[SIGV4_TIME_MAX], int64_t wall_ns);

/* Appends the value of the Authorization header. RESULT_NO_MEMORY. */
enum result sigv4_authorize(struct buffer *out, const struct sigv4_key *key,
                            const struct sigv4_request *request) WARN_UNUSED;

/* Appends text with every byte but A-Z a-z 0-9 - . _ ~ as %XX; of a path, '/' stays. */
enum result sigv4_encode(struct buffer *out, const char *text, bool is_path) WARN_UNUSED;

/* Appends the query as the URL must have it: encoded, in the order that is signed; nothing for none. */
enum result sigv4_query(struct buffer *out, const struct http_pair *query, size_t count) WARN_UNUSED;

#endif
