// SPDX-License-Identifier: Apache-2.0
#include "fetch/checksum.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { PIECE = 128 * 1024 };

static const uint32_t CASTAGNOLI = 0x82f63b78; /* reflected */

/* As the server writes them. */
struct sums {
	uint64_t size;
	char md5[32];
	char crc32c[16];
};

static void digest_free(EVP_MD_CTX **digest)
{
	EVP_MD_CTX_free(*digest);
}

static void fill_table(uint32_t table[256])
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t value = i;
		for (int bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? CASTAGNOLI : 0);
		table[i] = value;
	}
}

uint32_t checksum_crc32c(uint32_t crc, struct slice bytes)
{
	static uint32_t table[256]; /* fetching is one thread */
	if (table[1] == 0)
		fill_table(table);
	crc = ~crc;
	for (size_t i = 0; i < bytes.length; i++)
		crc = crc >> 8 ^ table[(crc ^ (unsigned char)bytes.data[i]) & 0xff];
	return ~crc;
}

bool checksum_is_known(const struct remote_identity *identity)
{
	return identity->md5[0] != '\0' || identity->crc32c[0] != '\0';
}

static enum result add_pieces(int fd, const char *name, EVP_MD_CTX *digest, struct sums *sums, uint32_t *crc,
                              struct error *error)
{
	CLEANUP_FREE char *piece = malloc(PIECE);
	if (piece == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	for (;;) {
		ssize_t count = pread(fd, piece, PIECE, (off_t)sums->size);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return error_set_errno(error, RESULT_IO, "'%s': cannot read", name);
		if (count == 0)
			return RESULT_OK;
		sums->size += (uint64_t)count;
		if (digest != NULL)
			EVP_DigestUpdate(digest, piece, (size_t)count);
		else
			*crc = checksum_crc32c(*crc, (struct slice){piece, (size_t)count});
	}
}

static enum result sum_up(int fd, const char *name, bool wants_md5, struct sums *sums, struct error *error)
{
	CLEANUP(digest_free) EVP_MD_CTX *digest = wants_md5 ? EVP_MD_CTX_new() : NULL;
	unsigned char md5[EVP_MAX_MD_SIZE];
	uint32_t crc = 0;
	*sums = (struct sums){0};
	if (wants_md5 && (digest == NULL || EVP_DigestInit_ex(digest, EVP_md5(), NULL) != 1))
		return error_set(error, RESULT_NO_MEMORY, "cannot start MD5");
	enum result result = add_pieces(fd, name, digest, sums, &crc, error);
	if (result != RESULT_OK)
		return result;
	unsigned char big_endian[] = {(unsigned char)(crc >> 24), (unsigned char)(crc >> 16),
	                              (unsigned char)(crc >> 8), (unsigned char)crc};
	EVP_EncodeBlock((unsigned char *)sums->crc32c, big_endian, sizeof big_endian);
	if (digest != NULL) {
		EVP_DigestFinal_ex(digest, md5, NULL);
		EVP_EncodeBlock((unsigned char *)sums->md5, md5, 16);
	}
	return RESULT_OK;
}

enum result checksum_verify(int fd, const char *name, const struct remote_identity *identity,
                            struct error *error)
{
	struct sums sums;
	bool wants_md5 = identity->md5[0] != '\0';
	enum result result = sum_up(fd, name, wants_md5, &sums, error);
	if (result != RESULT_OK)
		return result;
	if (identity->total >= 0 && (uint64_t)identity->total != sums.size)
		return error_set(error, RESULT_CHANGED, "%llu bytes arrived where the server announced %lld",
		                 (unsigned long long)sums.size, (long long)identity->total);
	if (wants_md5 && strcmp(sums.md5, identity->md5) != 0)
		return error_set(error, RESULT_CHANGED,
		                 "what arrived does not have the MD5 that the server announced");
	if (!wants_md5 && identity->crc32c[0] != '\0' && strcmp(sums.crc32c, identity->crc32c) != 0)
		return error_set(error, RESULT_CHANGED,
		                 "what arrived does not have the CRC32C that the server announced");
	return RESULT_OK;
}
