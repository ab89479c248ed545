// SPDX-License-Identifier: Apache-2.0
#include "state_codec.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

void state_codec_key_bytes(struct state_key *key, const void *bytes, size_t size)
{
	memcpy(key->bytes + key->size, bytes, size);
	key->size += size;
}

void state_codec_key_u32(struct state_key *key, uint32_t value)
{
	uint32_t big = htobe32(value);
	state_codec_key_bytes(key, &big, sizeof(big));
}

void state_codec_key_u64(struct state_key *key, uint64_t value)
{
	uint64_t big = htobe64(value);
	state_codec_key_bytes(key, &big, sizeof(big));
}

void state_codec_key_i64(struct state_key *key, int64_t value)
{
	state_codec_key_u64(key, (uint64_t)value ^ (UINT64_C(1) << 63));
}

uint32_t state_codec_read_key_u32(const uint8_t *bytes)
{
	uint32_t big;
	memcpy(&big, bytes, sizeof(big));
	return be32toh(big);
}

uint64_t state_codec_read_key_u64(const uint8_t *bytes)
{
	uint64_t big;
	memcpy(&big, bytes, sizeof(big));
	return be64toh(big);
}

int64_t state_codec_read_key_i64(const uint8_t *bytes)
{
	return (int64_t)(state_codec_read_key_u64(bytes) ^ (UINT64_C(1) << 63));
}

struct state_encoder state_codec_encode(void)
{
	struct state_encoder encoder = {0};
	state_codec_put_u8(&encoder, STATE_RECORD_VERSION);
	return encoder;
}

void state_codec_free(struct state_encoder *encoder)
{
	free(encoder->bytes);
	*encoder = (struct state_encoder){0};
}

static bool reserve(struct state_encoder *encoder, size_t size)
{
	if (encoder->failure != STATE_OK)
		return false;
	if (encoder->capacity - encoder->size >= size)
		return true;
	size_t capacity = 2 * encoder->capacity + size + 64;
	uint8_t *bytes = realloc(encoder->bytes, capacity);
	if (bytes == NULL) {
		encoder->failure = STATE_NO_MEMORY;
		return false;
	}
	encoder->bytes = bytes;
	encoder->capacity = capacity;
	return true;
}

void state_codec_put_bytes(struct state_encoder *encoder, const void *bytes, size_t size)
{
	if (!reserve(encoder, size))
		return;
	memcpy(encoder->bytes + encoder->size, bytes, size);
	encoder->size += size;
}

void state_codec_put_u8(struct state_encoder *encoder, uint8_t value)
{
	state_codec_put_bytes(encoder, &value, sizeof(value));
}

static void put_u16(struct state_encoder *encoder, uint16_t value)
{
	uint16_t little = htole16(value);
	state_codec_put_bytes(encoder, &little, sizeof(little));
}

void state_codec_put_u32(struct state_encoder *encoder, uint32_t value)
{
	uint32_t little = htole32(value);
	state_codec_put_bytes(encoder, &little, sizeof(little));
}

void state_codec_put_u64(struct state_encoder *encoder, uint64_t value)
{
	uint64_t little = htole64(value);
	state_codec_put_bytes(encoder, &little, sizeof(little));
}

void state_codec_put_i64(struct state_encoder *encoder, int64_t value)
{
	state_codec_put_u64(encoder, (uint64_t)value);
}

void state_codec_put_text(struct state_encoder *encoder, const char *text, size_t max)
{
	size_t length = strnlen(text, max + 1);
	if (length > max) {
		encoder->failure = STATE_MISUSE;
		return;
	}
	put_u16(encoder, (uint16_t)length);
	state_codec_put_bytes(encoder, text, length);
}

struct state_decoder state_codec_decode(const void *bytes, size_t size)
{
	struct state_decoder decoder = {.at = bytes, .left = size};
	state_codec_get_choice(&decoder, STATE_RECORD_VERSION, STATE_RECORD_VERSION);
	return decoder;
}

bool state_codec_end(const struct state_decoder *decoder)
{
	return !decoder->damaged && decoder->left == 0;
}

void state_codec_get_bytes(struct state_decoder *decoder, void *bytes, size_t size)
{
	if (decoder->damaged || decoder->left < size) {
		decoder->damaged = true;
		memset(bytes, 0, size);
		return;
	}
	memcpy(bytes, decoder->at, size);
	decoder->at += size;
	decoder->left -= size;
}

uint8_t state_codec_get_u8(struct state_decoder *decoder)
{
	uint8_t value;
	state_codec_get_bytes(decoder, &value, sizeof(value));
	return value;
}

static uint16_t get_u16(struct state_decoder *decoder)
{
	uint16_t little;
	state_codec_get_bytes(decoder, &little, sizeof(little));
	return le16toh(little);
}

uint32_t state_codec_get_u32(struct state_decoder *decoder)
{
	uint32_t little;
	state_codec_get_bytes(decoder, &little, sizeof(little));
	return le32toh(little);
}

uint64_t state_codec_get_u64(struct state_decoder *decoder)
{
	uint64_t little;
	state_codec_get_bytes(decoder, &little, sizeof(little));
	return le64toh(little);
}

int64_t state_codec_get_i64(struct state_decoder *decoder)
{
	return (int64_t)state_codec_get_u64(decoder);
}

uint8_t state_codec_get_choice(struct state_decoder *decoder, uint8_t first, uint8_t last)
{
	uint8_t value = state_codec_get_u8(decoder);
	if (value < first || value > last)
		decoder->damaged = true;
	return value;
}

void state_codec_get_text(struct state_decoder *decoder, char *text, size_t max)
{
	size_t length = get_u16(decoder);
	if (length > max) {
		decoder->damaged = true;
		length = 0;
	}
	state_codec_get_bytes(decoder, text, length);
	text[length] = '\0';
	if (memchr(text, '\0', length) != NULL)
		decoder->damaged = true;
}
