// SPDX-License-Identifier: Apache-2.0
#include "source/gmac.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "source/ghash.h"

enum { IV_SIZE = 12 };

static_assert((int)GMAC_TAG_SIZE == (int)GHASH_BLOCK, "a tag is a masked block");

struct gmac {
	EVP_MAC_CTX *context; /* NULL: by the two below */
	bool begun;           /* a stream of the context */
	struct ghash ghash;
	uint8_t mask[GMAC_TAG_SIZE];
};

/* Starts a stream of OpenSSL's; with a NULL key under the key that the context has. */
static bool begin_stream(struct gmac *gmac, const uint8_t *key)
{
	static uint8_t iv[IV_SIZE] = {0};
	static char cipher[] = "AES-256-GCM";
	const OSSL_PARAM parameters[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, iv, sizeof(iv)),
	    OSSL_PARAM_construct_end(),
	};
	/* The cipher is chosen once; choosing it again would drop the key. */
	const OSSL_PARAM *chosen = key != NULL ? parameters : parameters + 1;
	gmac->begun = EVP_MAC_init(gmac->context, key, key != NULL ? GMAC_KEY_SIZE : 0, chosen) == 1;
	return gmac->begun;
}

static bool init_openssl(struct gmac *gmac, const uint8_t key[GMAC_KEY_SIZE])
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "GMAC", NULL);
	if (mac != NULL)
		gmac->context = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	return gmac->context != NULL && begin_stream(gmac, key);
}

/* What AES makes of a block of zeros is the key of GHASH; what it makes of the first counter block masks the tag. */
struct secrets {
	uint8_t ghash_key[GHASH_BLOCK];
	uint8_t mask[GMAC_TAG_SIZE];
};

static bool encrypt_blocks(struct secrets *secrets, const uint8_t key[GMAC_KEY_SIZE])
{
	static const uint8_t blocks[sizeof(*secrets)] = {[sizeof(*secrets) - 1] = 1};
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int length = 0;
	bool is_done = cipher != NULL && context != NULL &&
	               EVP_EncryptInit_ex2(context, cipher, key, NULL, NULL) == 1 &&
	               EVP_EncryptUpdate(context, (uint8_t *)secrets, &length, blocks, sizeof(blocks)) == 1 &&
	               length == sizeof(*secrets);
	EVP_CIPHER_CTX_free(context);
	EVP_CIPHER_free(cipher);
	return is_done;
}

static bool init_ghash(struct gmac *gmac, enum ghash_kind kind, const uint8_t key[GMAC_KEY_SIZE])
{
	struct secrets secrets;
	bool is_done = encrypt_blocks(&secrets, key) && ghash_init(&gmac->ghash, kind, secrets.ghash_key);
	if (is_done)
		memcpy(gmac->mask, secrets.mask, sizeof(gmac->mask));
	sodium_memzero(&secrets, sizeof(secrets));
	return is_done;
}

static bool init(struct gmac *gmac, enum gmac_kind kind, const uint8_t key[GMAC_KEY_SIZE])
{
	switch (kind) {
	case GMAC_OPENSSL:
		return init_openssl(gmac, key);
	case GMAC_AVX2:
		return init_ghash(gmac, GHASH_AVX2, key);
	case GMAC_AVX512:
		return init_ghash(gmac, GHASH_AVX512, key);
	}
	return false;
}

struct gmac *gmac_open_kind(enum gmac_kind kind, const uint8_t key[GMAC_KEY_SIZE])
{
	struct gmac *gmac = calloc(1, sizeof(*gmac));
	if (gmac != NULL && !init(gmac, kind, key)) {
		gmac_close(gmac);
		return NULL;
	}
	return gmac;
}

struct gmac *gmac_open(const uint8_t key[GMAC_KEY_SIZE])
{
	static const enum gmac_kind kinds[] = {GMAC_AVX512, GMAC_AVX2, GMAC_OPENSSL};
	struct gmac *gmac = NULL;
	for (size_t i = 0; gmac == NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		gmac = gmac_open_kind(kinds[i], key);
	return gmac;
}

void gmac_reset(struct gmac *gmac)
{
	gmac->begun = false;
	ghash_reset(&gmac->ghash);
}

bool gmac_update(struct gmac *gmac, const void *bytes, size_t count)
{
	if (gmac->context == NULL) {
		ghash_update(&gmac->ghash, bytes, count);
		return true;
	}
	return (gmac->begun || begin_stream(gmac, NULL)) && EVP_MAC_update(gmac->context, bytes, count) == 1;
}

bool gmac_finish(struct gmac *gmac, uint8_t tag[GMAC_TAG_SIZE])
{
	size_t length = GMAC_TAG_SIZE;
	if (gmac->context != NULL)
		return (gmac->begun || begin_stream(gmac, NULL)) &&
		       EVP_MAC_final(gmac->context, tag, &length, GMAC_TAG_SIZE) == 1 &&
		       length == GMAC_TAG_SIZE;
	ghash_finish(&gmac->ghash, tag);
	for (size_t i = 0; i < GMAC_TAG_SIZE; i++)
		tag[i] ^= gmac->mask[i];
	return true;
}

void gmac_close(struct gmac *gmac)
{
	if (gmac == NULL)
		return;
	EVP_MAC_CTX_free(gmac->context);
	sodium_memzero(gmac, sizeof(*gmac));
	free(gmac);
}
