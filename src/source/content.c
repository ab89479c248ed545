// SPDX-License-Identifier: Apache-2.0
#include "source/content.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "source/gmac.h"

struct content {
	struct gmac *gmac;
	uint8_t mask_key[crypto_shorthash_siphashx24_KEYBYTES];
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

enum result content_open(struct content **out, const uint8_t secret[32], struct error *error)
{
	struct content *content = calloc(1, sizeof(*content));
	if (content == NULL)
		return error_set(error, RESULT_NO_MEMORY, "no memory for a content digest");
	struct keys keys;
	derive_keys(&keys, secret);
	memcpy(content->mask_key, keys.mask, sizeof(keys.mask));
	content->gmac = gmac_open(keys.gmac);
	sodium_memzero(&keys, sizeof(keys));
	if (content->gmac == NULL) {
		content_close(content);
		return error_set(error, RESULT_NO_MEMORY,
		                 "cannot begin a content digest: OpenSSL has no GMAC");
	}
	*out = content;
	return RESULT_OK;
}

void content_reset(struct content *content)
{
	gmac_reset(content->gmac);
}

enum result content_update(struct content *content, const void *bytes, size_t count, struct error *error)
{
	if (!gmac_update(content->gmac, bytes, count))
		return error_set(error, RESULT_NO_MEMORY, "cannot continue a content digest");
	return RESULT_OK;
}

enum result content_finish(struct content *content, struct id *digest, struct error *error)
{
	_Static_assert(crypto_shorthash_siphashx24_BYTES == ID_SIZE, "a digest is stored as an id");
	uint8_t tag[GMAC_TAG_SIZE];
	if (!gmac_finish(content->gmac, tag))
		return error_set(error, RESULT_NO_MEMORY, "cannot finish a content digest");
	crypto_shorthash_siphashx24(digest->bytes, tag, sizeof(tag), content->mask_key);
	sodium_memzero(tag, sizeof(tag));
	return RESULT_OK;
}

void content_close(struct content *content)
{
	if (content == NULL)
		return;
	gmac_close(content->gmac);
	sodium_memzero(content, sizeof(*content));
	free(content);
}
