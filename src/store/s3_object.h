// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_S3_OBJECT_H
#define ROWSIEVE_STORE_S3_OBJECT_H

#include "store/digest.h"
#include "store/s3_session.h"

/* What single and multipart uploads share. */

struct s3 {
	struct store store;
	struct s3_session session;
	char *storage_class; /* NULL: the bucket's own */
	char *sse;
};

/* The header that keeps an object's SHA-256 with it. */
#define S3_OBJECT_SHA256 "x-amz-meta-sha256"

enum { S3_OBJECT_HEADERS_MAX = 3 };

/* The headers with which an object is made; `sha256` in hexadecimal. How many. */
size_t s3_object_headers(const struct s3 *s3, const char *sha256,
                         struct http_pair headers[S3_OBJECT_HEADERS_MAX]);

/* The prefix and the name, newly allocated; NULL without memory. */
char *s3_object_key(const struct s3 *s3, const char *name);

/* Is the answer's ETag this MD5? It need not be: with some encryption it is something else. */
bool s3_object_has_md5(const struct http_answer *answer, const uint8_t md5[DIGEST_MD5_SIZE]);

/* Asks the store for what it has under that key. RESULT_END: nothing. */
enum result s3_object_head(struct s3 *s3, const char *key, struct store_object *object,
                           struct error *error) WARN_UNUSED;

/* RESULT_UNREACHABLE unless the store says that it has these many bytes of this checksum. */
enum result s3_object_confirm(struct s3 *s3, const char *key, const struct store_put *put,
                              struct error *error) WARN_UNUSED;

#endif
