// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_DIGEST_H
#define ROWSIEVE_STORE_DIGEST_H

#include <openssl/types.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"
#include "store/store.h"

/* Digests of stretches of files, and their text. */

enum { DIGEST_MD5_SIZE = 16, DIGEST_HEX_MAX = 2 * STORE_SHA256_SIZE + 1 };

struct digest_range {
	int fd;
	uint64_t offset;
	uint64_t length;
	const atomic_bool *stop; /* set: leave with RESULT_STOPPED; may be NULL */
	EVP_MD_CTX *whole;       /* a digest of more than the range, which gets its bytes too; may be NULL */
};

struct digest_pair {
	uint8_t sha256[STORE_SHA256_SIZE];
	uint8_t md5[DIGEST_MD5_SIZE];
};

/* RESULT_CHANGED when the file ends before the range does. */
enum result digest_sha256(uint8_t out[STORE_SHA256_SIZE], const struct digest_range *range,
                          struct error *error) WARN_UNUSED;
enum result digest_both(struct digest_pair *out, const struct digest_range *range,
                        struct error *error) WARN_UNUSED;

enum result digest_sha256_bytes(uint8_t out[STORE_SHA256_SIZE], const void *bytes, size_t count,
                                struct error *error) WARN_UNUSED;

/* 2 * count lower-case digits and a NUL. */
void digest_hex(char *text, const uint8_t *bytes, size_t count);

/* False unless the text is exactly that many bytes in hexadecimal. */
bool digest_parse_hex(uint8_t *bytes, size_t count, const char *text);

#endif
