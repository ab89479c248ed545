// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_S3_SESSION_H
#define ROWSIEVE_STORE_S3_SESSION_H

#include "store/credentials.h"
#include "store/http.h"
#include "store/s3.h"

/* Signed requests to one bucket: addressed, retried, and their failures explained. */
struct s3_session {
	struct http *http;
	struct credentials *credentials;
	const atomic_bool *stop;
	char *base;   /* the URL up to where a key follows: "https://bucket.host", "http://host:1/bucket" */
	char *host;   /* as the header says it */
	char *root;   /* the path in `base`, encoded; "" or "/bucket" */
	char *bucket;
	char *region;
	char *prefix; /* "" or ends in '/' */
};

enum result s3_session_open(struct s3_session *session, const struct s3_options *options,
                            struct error *error) WARN_UNUSED;
void s3_session_close(struct s3_session *session);

struct s3_request {
	const char *method;
	const char *key; /* with the prefix; NULL: the bucket itself */
	const struct http_pair *query;
	size_t query_count;
	const struct http_pair *headers; /* x-amz-… and the like, beside those that every request has */
	size_t header_count;
	bool has_body; /* as in http.h */
	const void *bytes;
	int fd;
	uint64_t offset;
	uint64_t size;
	const uint8_t *sha256; /* of the body; NULL: it is computed of `bytes` */
	store_write *write;
	void *context;
};

/*
 * RESULT_OK: a 2xx answer, without an error in its body. RESULT_END: there is no such object, or upload. All
 * else is as store.h says, after as many tries as make sense. The answer is the last one, for the caller to
 * free.
 */
enum result s3_session_send(struct s3_session *session, const struct s3_request *request,
                            struct http_answer *answer, struct error *error) WARN_UNUSED;

#endif
