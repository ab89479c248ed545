// SPDX-License-Identifier: Apache-2.0
#include "store/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { PIECE_SIZE = 1 << 18 };

static void free_context(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

static enum result fail(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "cannot make a digest");
}

static bool update(EVP_MD_CTX *digest, const void *bytes, size_t count)
{
	return digest == NULL || EVP_DigestUpdate(digest, bytes, count) == 1;
}

/* Feeds the range to the contexts; the second may be NULL. */
static enum result feed(EVP_MD_CTX *first, EVP_MD_CTX *second, const struct digest_range *range,
                        struct error *error)
{
	CLEANUP_FREE char *piece = malloc(PIECE_SIZE);
	if (piece == NULL)
		return fail(error);
	for (uint64_t done = 0; done < range->length;) {
		uint64_t left = range->length - done;
		if (range->stop != NULL && atomic_load(range->stop))
			return error_set(error, RESULT_STOPPED, "stopped");
		ssize_t count = pread(range->fd, piece, left < PIECE_SIZE ? (size_t)left : PIECE_SIZE,
		                      (off_t)(range->offset + done));
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return error_set_errno(error, RESULT_IO, "cannot read what is to be stored");
		if (count == 0)
			return error_set(error, RESULT_CHANGED, "the file is shorter than it was");
		if (!update(first, piece, (size_t)count) || !update(second, piece, (size_t)count) ||
		    !update(range->whole, piece, (size_t)count))
			return fail(error);
		done += (uint64_t)count;
	}
	return RESULT_OK;
}

enum result digest_sha256(uint8_t out[STORE_SHA256_SIZE], const struct digest_range *range,
                          struct error *error)
{
	CLEANUP(free_context) EVP_MD_CTX *sha256 = EVP_MD_CTX_new();
	if (sha256 == NULL || EVP_DigestInit_ex(sha256, EVP_sha256(), NULL) != 1)
		return fail(error);
	enum result result = feed(sha256, NULL, range, error);
	if (result == RESULT_OK && EVP_DigestFinal_ex(sha256, out, NULL) != 1)
		result = fail(error);
	return result;
}

enum result digest_both(struct digest_pair *out, const struct digest_range *range, struct error *error)
{
	CLEANUP(free_context) EVP_MD_CTX *sha256 = EVP_MD_CTX_new();
	CLEANUP(free_context) EVP_MD_CTX *md5 = EVP_MD_CTX_new();
	if (sha256 == NULL || md5 == NULL || EVP_DigestInit_ex(sha256, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestInit_ex(md5, EVP_md5(), NULL) != 1)
		return fail(error);
	enum result result = feed(sha256, md5, range, error);
	if (result == RESULT_OK && (EVP_DigestFinal_ex(sha256, out->sha256, NULL) != 1 ||
	                            EVP_DigestFinal_ex(md5, out->md5, NULL) != 1))
		result = fail(error);
	return result;
}

enum result digest_sha256_bytes(uint8_t out[STORE_SHA256_SIZE], const void *bytes, size_t count,
                                struct error *error)
{
	return EVP_Digest(bytes, count, out, NULL, EVP_sha256(), NULL) == 1 ? RESULT_OK : fail(error);
}

void digest_hex(char *text, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	text[2 * count] = '\0';
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

bool digest_parse_hex(uint8_t *bytes, size_t count, const char *text)
{
	if (strlen(text) != 2 * count)
		return false;
	for (size_t i = 0; i < count; i++) {
		int high = hex_value(text[2 * i]);
		int low = hex_value(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
