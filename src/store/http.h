// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_HTTP_H
#define ROWSIEVE_STORE_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "store/store.h"

/*
 * One HTTP client over libcurl, which keeps its connection from request to request. TLS is verified, always.
 * Redirects are not followed: they would take credentials along. One thread at a time.
 */
struct http;

struct http_options {
	const char *ca;          /* PEM file of the authorities; NULL: the system's */
	const atomic_bool *stop; /* set: break off with RESULT_STOPPED; may be NULL */
	long patience_s;         /* for the connection, and for an answer that stands still */
};

/* Options are copied, what they point to is borrowed. */
enum result http_open(struct http **out, const struct http_options *options, struct error *error) WARN_UNUSED;
void http_close(struct http *http); /* NULL is fine */

struct http_pair {
	const char *name;
	const char *value;
};

struct http_request {
	const char *method;
	const char *url;
	const struct http_pair *headers;
	size_t header_count;
	bool has_body; /* `size` bytes of memory, or of the file from `offset` on where `bytes` is NULL */
	const void *bytes;
	int fd;
	uint64_t offset;
	uint64_t size;
	store_write *write; /* takes the body of a 2xx answer; NULL: it is kept in the answer */
	void *context;
};

struct http_answer {
	long status;
	struct buffer headers; /* "name: value\n" … with lower-case names */
	struct buffer body;    /* terminated with a NUL that the length does not count */
};

/* RESULT_OK: an answer came, whatever it says. RESULT_UNREACHABLE: none did; RESULT_CONFIG: the server is not
 * to be trusted, or the CA file cannot be read. *answer is cleared first; http_free_answer() in any case. */
enum result http_send(struct http *http, const struct http_request *request, struct http_answer *answer,
                      struct error *error) WARN_UNUSED;
void http_free_answer(struct http_answer *answer);

/* The value of a header, copied to out and cut; false when there is none. */
bool http_header(const struct http_answer *answer, const char *name, char *out, size_t size);

#endif
