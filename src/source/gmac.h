// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_GMAC_H
#define ROWSIEVE_SOURCE_GMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * GMAC under AES-256 and an IV of zeros, bit for bit as OpenSSL computes it. An IV may be used again only while all tags
 * stay secret: two known ones give the key away. So no tag is stored or printed as it is.
 *
 * The tag is GHASH of the bytes, masked by one block of AES. OpenSSL makes key and mask; GHASH is our own
 * (source/ghash.h) where the processor has the instructions for it, else OpenSSL's.
 */
struct gmac;

enum gmac_kind { GMAC_OPENSSL, GMAC_AVX2, GMAC_AVX512 };

enum { GMAC_KEY_SIZE = 32, GMAC_TAG_SIZE = 16 };

/* The fastest kind that the processor has. NULL: no memory, or OpenSSL has no such cipher. */
struct gmac *gmac_open(const uint8_t key[GMAC_KEY_SIZE]);

/* A certain kind; NULL too where processor or build lack it. */
struct gmac *gmac_open_kind(enum gmac_kind kind, const uint8_t key[GMAC_KEY_SIZE]);

void gmac_reset(struct gmac *gmac); /* begins another stream */

/* False: OpenSSL failed. */
bool gmac_update(struct gmac *gmac, const void *bytes, size_t count);

/* The tag of all since gmac_reset(); afterwards only gmac_reset() may follow. False: OpenSSL failed. */
bool gmac_finish(struct gmac *gmac, uint8_t tag[GMAC_TAG_SIZE]);

void gmac_close(struct gmac *gmac); /* NULL is fine */

#endif
