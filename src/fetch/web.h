// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_WEB_H
#define ROWSIEVE_FETCH_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

/*
 * GET over libcurl, one at a time, connections kept. Nothing is followed, TLS is verified, no password file
 * is read. No message ever holds more of a URL than its host: the rest may be a signature.
 */
struct web;

struct web_options {
	const char *ca;     /* PEM file of the authorities; NULL: the system's */
	bool is_plain_http; /* http is allowed beside https */
};

enum { WEB_TEXT_MAX = 128 };

/* The headers that matter, "" or -1 where they are absent. */
struct web_answer {
	long status;
	const char *location; /* of a redirect, made absolute; lives until the next request */
	int64_t length;       /* of this body */
	int64_t range_start;  /* Content-Range */
	int64_t range_total;  /* Content-Range, also of a 416 */
	char etag[WEB_TEXT_MAX];
	char modified[WEB_TEXT_MAX];
	char type[WEB_TEXT_MAX];
	char retry_after[WEB_TEXT_MAX];
	char md5[WEB_TEXT_MAX];    /* x-goog-hash, base64 */
	char crc32c[WEB_TEXT_MAX]; /* x-goog-hash, base64 */
};

struct web_request {
	const char *url;
	const char *authorization; /* a whole header line; NULL: none */
	bool has_range;
	uint64_t range_start, range_end; /* both inclusive; UINT64_MAX: to the end */

	/* Each piece of the body, with the headers. RESULT_END: no more is wanted; anything else but
	 * RESULT_OK ends the request and is returned. */
	enum result (*take)(void *context, const struct web_answer *answer, struct slice bytes,
	                    struct error *error);
	void *context;
};

enum result web_open(struct web **out, const struct web_options *options, struct error *error) WARN_UNUSED;
void web_close(struct web *web); /* NULL is fine */

/*
 * RESULT_OK: an HTTP answer arrived whole, whatever its status, or take() wanted no more of it.
 * RESULT_UNREACHABLE: no connection, no answer, or a body that was cut; answer->status is 0 where no header
 * arrived. RESULT_CONFIG: the server's certificate is not trusted.
 */
enum result web_get(struct web *web, const struct web_request *request, struct web_answer *answer,
                    struct error *error) WARN_UNUSED;

#endif
