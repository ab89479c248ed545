// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_CONTENT_H
#define ROWSIEVE_SOURCE_CONTENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"

/*
 * The digest of a member's plain bytes, taken while they are read: GMAC (source/gmac.h) under a key derived from
 * the state's secret, then SipHash once so that the stored value tells nothing about the key. It recognises a
 * member that was delivered before, whatever it is called or packed in. Never printed.
 */
struct content;

/* Bytes at the beginning of a member whose digest is the "head". */
enum { CONTENT_HEAD_SIZE = 65536 };

enum result content_open(struct content **out, const uint8_t secret[32], struct error *error) WARN_UNUSED;
void content_reset(struct content *content); /* begin another stream */
enum result content_update(struct content *content, const void *bytes, size_t count,
                           struct error *error) WARN_UNUSED;
/* The digest of everything since content_reset(); afterwards only content_reset() may follow. */
enum result content_finish(struct content *content, struct id *digest, struct error *error) WARN_UNUSED;
void content_close(struct content *content); /* NULL is fine */

#endif
