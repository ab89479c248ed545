// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_REMOTE_H
#define ROWSIEVE_FETCH_REMOTE_H

#include "base/slice.h"
#include "fetch/kaggle.h"

/*
 * One object on a server, read by ranges. It hides redirects (each one checked before it is followed),
 * signatures that expire (asked for again), connections that break and servers in trouble (tried again,
 * where it was). Bytes of two different objects are never mixed: every answer is compared with what is known
 * of the object.
 */
struct remote;

/* What tells an object from another, and whether its bytes arrived: "" and -1 where the server did not say.
 */
struct remote_identity {
	int64_t total;
	char etag[WEB_TEXT_MAX];
	char modified[WEB_TEXT_MAX];
	char md5[WEB_TEXT_MAX];    /* base64 */
	char crc32c[WEB_TEXT_MAX]; /* base64 */
};

/* Where bytes go. */
struct remote_sink {
	enum result (*append)(void *context, struct slice bytes, struct error *error);

	/* Everything appended so far is void: the server starts from the beginning. NULL: that is a failure.
	 */
	enum result (*restart)(void *context, struct error *error);
	void *context;
};

/* `received` and `total` (-1: not known) count the bytes of this object. */
typedef void remote_progress(void *context, uint64_t received, int64_t total);

/* `url` is the endpoint's; it is copied. `known` may be NULL: what an earlier run was told. */
enum result remote_open(struct remote **out, struct kaggle *kaggle, const char *url,
                        const struct remote_identity *known, struct error *error) WARN_UNUSED;
void remote_close(struct remote *remote); /* NULL is fine */
void remote_watch(struct remote *remote, remote_progress *progress, void *context);

/*
 * Appends the bytes from *position up to `end` (UINT64_MAX: the end of the object), and moves *position with
 * each piece. RESULT_CHANGED: the object is another one than it was. RESULT_REFUSED: the server gives no
 * ranges, and the sink cannot start again. RESULT_UNREACHABLE, RESULT_INVALID: remote_trouble() may say more;
 * else what the sink returned.
 */
enum result remote_read(struct remote *remote, uint64_t *position, uint64_t end,
                        const struct remote_sink *sink, struct error *error) WARN_UNUSED;

/* Known from the first answer on. */
const struct remote_identity *remote_identity(const struct remote *remote);
const struct kaggle_trouble *remote_trouble(const struct remote *remote);
uint64_t remote_received(const struct remote *remote); /* bytes of bodies, whatever became of them */

/* Another object from now on: what is known of this one is forgotten. */
void remote_forget(struct remote *remote);

#endif
