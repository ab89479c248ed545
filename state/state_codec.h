// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_CODEC_H
#define ROWSIEVE_STATE_CODEC_H

#include "state.h"

/*
 * Bounded reading and writing of keys and values. Keys are big-endian, so that they sort by number; values
 * begin with a version byte and are little-endian, texts with their length (u16) before them.
 *
 * Encoder and decoder have a sticky failure: run straight through, look once at the end.
 */

enum { STATE_KEY_MAX = 64, STATE_RECORD_VERSION = 1 };

/* Start with {0}. The parts of one key never exceed STATE_KEY_MAX: the longest key is a dataset's name. */
struct state_key {
	size_t size;
	uint8_t bytes[STATE_KEY_MAX];
};

void state_codec_key_u32(struct state_key *key, uint32_t value);
void state_codec_key_u64(struct state_key *key, uint64_t value);
void state_codec_key_i64(struct state_key *key, int64_t value); /* negative numbers sort first */
void state_codec_key_bytes(struct state_key *key, const void *bytes, size_t size);

uint32_t state_codec_read_key_u32(const uint8_t *bytes);
uint64_t state_codec_read_key_u64(const uint8_t *bytes);
int64_t state_codec_read_key_i64(const uint8_t *bytes);

struct state_encoder {
	uint8_t *bytes;
	size_t size;
	size_t capacity;
	enum state_result failure;
};

/* A record begun with its version byte. Free it with state_codec_free() or give it to state_txn_put_record().
 */
struct state_encoder state_codec_encode(void);
void state_codec_free(struct state_encoder *encoder);

void state_codec_put_u8(struct state_encoder *encoder, uint8_t value);
void state_codec_put_u32(struct state_encoder *encoder, uint32_t value);
void state_codec_put_u64(struct state_encoder *encoder, uint64_t value);
void state_codec_put_i64(struct state_encoder *encoder, int64_t value);
void state_codec_put_bytes(struct state_encoder *encoder, const void *bytes, size_t size);
/* text is a char[max + 1]; one without its NUL is STATE_MISUSE. */
void state_codec_put_text(struct state_encoder *encoder, const char *text, size_t max);

struct state_decoder {
	const uint8_t *at;
	size_t left;
	bool damaged;
};

/* Reads and checks the version byte. The bytes must outlive the decoder. */
struct state_decoder state_codec_decode(const void *bytes, size_t size);

/* Whether the record was sound and is read to its last byte. */
bool state_codec_end(const struct state_decoder *decoder);

/* Each gives zero, and an empty text, once the record is damaged. */
uint8_t state_codec_get_u8(struct state_decoder *decoder);
uint32_t state_codec_get_u32(struct state_decoder *decoder);
uint64_t state_codec_get_u64(struct state_decoder *decoder);
int64_t state_codec_get_i64(struct state_decoder *decoder);
void state_codec_get_bytes(struct state_decoder *decoder, void *bytes, size_t size);
void state_codec_get_text(struct state_decoder *decoder, char *text, size_t max);
/* A u8 from first to last, such as an enum. */
uint8_t state_codec_get_choice(struct state_decoder *decoder, uint8_t first, uint8_t last);

#endif
