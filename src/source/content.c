// SPDX-License-Identifier: Apache-2.0
#include "source/content.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { GMAC_KEY_SIZE = 32, GMAC_TAG_SIZE = 16, GMAC_IV_SIZE = 12 };

struct content {
	EVP_MAC_CTX *context;
	uint8_t mask_key[crypto_shorthash_siphashx24_KEYBYTES];
	bool begun;
};

struct keys {
	uint8_t gmac[GMAC_KEY_SIZE];
	uint8_t mask[crypto_shorthash_siphashx24_KEYBYTES];
};

/* Changing the label or the ciphers makes every stored digest void. */
static void derive_keys(struct keys *keys, const uint8_t secret[32])
{
	static const uint8_t label[crypto_generichash_blake2b_PERSONALBYTES] = "rowsieve content";
	static const uint8_t salt[crypto_generichash_blake2b_SALTBYTES] = {0};
	crypto_generichash_blake2b_salt_personal((uint8_t *)keys, sizeof(*keys), NULL, 0, secret, 32, salt,
	                                         label);
}

/* Starts a stream; with a NULL key under the key that the context has. The IV may be fixed because tags stay
 * secret. */
static bool begin_stream(struct content *content, const uint8_t *key)
{
	static uint8_t iv[GMAC_IV_SIZE] = {0};
	static char cipher[] = "AES-256-GCM";
	const OSSL_PARAM parameters[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, iv, sizeof(iv)),
	    OSSL_PARAM_construct_end(),
	};
	/* The cipher is chosen once; choosing it again would drop the key. */
	const OSSL_PARAM *chosen = key != NULL ? parameters : parameters + 1;
	return EVP_MAC_init(content->context, key, key != NULL ? GMAC_KEY_SIZE : 0, chosen) == 1;
}

enum result content_open(struct content **out, const uint8_t secret[32], struct error *error)
{
	struct content *content = calloc(1, sizeof(*content));
	if (content == NULL)
		return error_set(error, RESULT_NO_MEMORY, "no memory for a content digest");
	struct keys keys;
	derive_keys(&keys, secret);
	memcpy(content->mask_key, keys.mask, sizeof(keys.mask));
	EVP_MAC *gmac = EVP_MAC_fetch(NULL, "GMAC", NULL);
	if (gmac != NULL)
		content->context = EVP_MAC_CTX_new(gmac);
	EVP_MAC_free(gmac);
	content->begun = content->context != NULL && begin_stream(content, keys.gmac);
	sodium_memzero(&keys, sizeof(keys));
	if (!content->begun) {
		content_close(content);
		return error_set(error, RESULT_NO_MEMORY,
		                 "cannot begin a content digest: OpenSSL has no GMAC");
	}
	*out = content;
	return RESULT_OK;
}

void content_reset(struct content *content)
{
	content->begun = false;
}

static enum result begin_if_reset(struct content *content, struct error *error)
{
	if (!content->begun && !begin_stream(content, NULL))
		return error_set(error, RESULT_NO_MEMORY, "cannot begin another content digest");
	content->begun = true;
	return RESULT_OK;
}

enum result content_update(struct content *content, const void *bytes, size_t count, struct error *error)
{
	enum result result = begin_if_reset(content, error);
	if (result == RESULT_OK && EVP_MAC_update(content->context, bytes, count) != 1)
		result = error_set(error, RESULT_NO_MEMORY, "cannot continue a content digest");
	return result;
}

enum result content_finish(struct content *content, struct id *digest, struct error *error)
{
	_Static_assert(crypto_shorthash_siphashx24_BYTES == ID_SIZE, "a digest is stored as an id");
	enum result result = begin_if_reset(content, error);
	if (result != RESULT_OK)
		return result;
	uint8_t tag[GMAC_TAG_SIZE];
	size_t length = 0;
	if (EVP_MAC_final(content->context, tag, &length, sizeof(tag)) != 1 || length != sizeof(tag))
		return error_set(error, RESULT_NO_MEMORY, "cannot finish a content digest");
	crypto_shorthash_siphashx24(digest->bytes, tag, sizeof(tag), content->mask_key);
	sodium_memzero(tag, sizeof(tag));
	return RESULT_OK;
}

void content_close(struct content *content)
{
	if (content == NULL)
		return;
	EVP_MAC_CTX_free(content->context);
	sodium_memzero(content, sizeof(*content));
	free(content);
}
