// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_DIGEST_AHEAD_H
#define ROWSIEVE_STORE_DIGEST_AHEAD_H

#include "store/digest.h"

/* The digests of a stretch of a file, made by a thread of their own while the caller does something else. */
struct digest_ahead;

/* The range is copied; its file and its stop flag are borrowed until the end. */
enum result digest_ahead_start(struct digest_ahead **out, const struct digest_range *range,
                               struct error *error) WARN_UNUSED;

/* Waits for the thread, and returns what digest_both() did. Frees it. */
enum result digest_ahead_finish(struct digest_ahead *ahead, struct digest_pair *out,
                                struct error *error) WARN_UNUSED;

/* Waits for the thread too: until it has read the range, or sees the stop flag. Frees it; NULL is fine. */
void digest_ahead_drop(struct digest_ahead *ahead);

#endif
