// SPDX-License-Identifier: Apache-2.0
#include "source/gmac.h"

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* Every kind against OpenSSL's GMAC. More bytes than two groups of blocks that are reduced at once. */
enum { SIZE = 3000 };

struct tag {
	uint8_t bytes[GMAC_TAG_SIZE];
};

static void fill(uint8_t *bytes, size_t count, unsigned *seed)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)rand_r(seed);
}

static struct tag openssl_tag(const uint8_t key[GMAC_KEY_SIZE], const uint8_t *bytes, size_t count)
{
	static uint8_t iv[12];
	static char cipher[] = "AES-256-GCM";
	const OSSL_PARAM parameters[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, iv, sizeof iv),
	    OSSL_PARAM_construct_end(),
	};
	struct tag tag;
	size_t length = 0;
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "GMAC", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
	cr_assert_eq(EVP_MAC_init(context, key, GMAC_KEY_SIZE, parameters), 1);
	cr_assert_eq(EVP_MAC_update(context, bytes, count), 1);
	cr_assert_eq(EVP_MAC_final(context, tag.bytes, &length, sizeof tag.bytes), 1);
	cr_assert_eq(length, sizeof tag.bytes);
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
	return tag;
}

/* The bytes in a block of their own, so that the address sanitizer sees what is read beside them. */
static struct tag tag_of(struct gmac *gmac, const uint8_t *bytes, size_t count)
{
	struct tag tag;
	uint8_t *copy = malloc(count);
	memcpy(copy, bytes, count);
	gmac_reset(gmac);
	cr_assert(gmac_update(gmac, copy, count));
	cr_assert(gmac_finish(gmac, tag.bytes));
	free(copy);
	return tag;
}

static void expect_equal(struct tag found, struct tag expected, enum gmac_kind kind, size_t count)
{
	cr_assert_arr_eq(found.bytes, expected.bytes, sizeof found.bytes, "kind %d, %zu bytes", kind, count);
}

static void check_lengths(struct gmac *gmac, enum gmac_kind kind, const uint8_t key[GMAC_KEY_SIZE],
                          unsigned *seed)
{
	uint8_t bytes[SIZE];
	fill(bytes, sizeof bytes, seed);
	for (size_t count = 0; count <= SIZE; count += count < 1200 ? 1 : 37)
		expect_equal(tag_of(gmac, bytes, count), openssl_tag(key, bytes, count), kind, count);
}

/* In pieces of any size, from any place. */
static void check_pieces(struct gmac *gmac, enum gmac_kind kind, const uint8_t key[GMAC_KEY_SIZE],
                         unsigned *seed)
{
	uint8_t bytes[SIZE];
	fill(bytes, sizeof bytes, seed);
	for (int round = 0; round < 200; round++) {
		size_t begin = (size_t)rand_r(seed) % 64;
		size_t count = (size_t)rand_r(seed) % (SIZE - begin);
		size_t most = (size_t)rand_r(seed) % 700 + 1;
		struct tag tag;
		gmac_reset(gmac);
		for (size_t at = 0, more; at < count; at += more) {
			more = (size_t)rand_r(seed) % (most + 1);
			more = more < count - at ? more : count - at;
			cr_assert(gmac_update(gmac, bytes + begin + at, more));
		}
		cr_assert(gmac_finish(gmac, tag.bytes));
		expect_equal(tag, openssl_tag(key, bytes + begin, count), kind, count);
	}
}

static void check_kind(enum gmac_kind kind)
{
	unsigned seed = 1;
	for (int keys = 0; keys < 8; keys++) {
		uint8_t key[GMAC_KEY_SIZE];
		fill(key, sizeof key, &seed);
		struct gmac *gmac = gmac_open_kind(kind, key);
		if (gmac == NULL)
			cr_skip_test("this processor, or this build, has no such instructions");
		check_lengths(gmac, kind, key, &seed);
		check_pieces(gmac, kind, key, &seed);
		gmac_close(gmac);
	}
}

Test(gmac, is_openssl_s_by_its_own_hand)
{
	check_kind(GMAC_OPENSSL);
}

Test(gmac, is_openssl_s_by_avx2)
{
	check_kind(GMAC_AVX2);
}

Test(gmac, is_openssl_s_by_avx512)
{
	check_kind(GMAC_AVX512);
}

/* Test case 13 of the specification of GCM (McGrew and Viega). */
Test(gmac, is_the_specification_s)
{
	static const uint8_t key[GMAC_KEY_SIZE];
	static const uint8_t expected[GMAC_TAG_SIZE] = {0x53, 0x0f, 0x8a, 0xfb, 0xc7, 0x45, 0x36, 0xb9,
	                                                0xa9, 0x63, 0xb4, 0xf1, 0xc4, 0xcb, 0x73, 0x8b};
	struct gmac *gmac = gmac_open(key);
	uint8_t tag[GMAC_TAG_SIZE];
	cr_assert_not_null(gmac);
	cr_assert(gmac_finish(gmac, tag));
	cr_assert_arr_eq(tag, expected, sizeof tag);
	gmac_close(gmac);
}
