// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_OUTBOX_H
#define ROWSIEVE_STATE_OUTBOX_H

#include "state_delivery.h"

/*
 * The outbox: objects that are owed to the object store. An entry is made in the transaction that makes its
 * reason true (a batch is promoted, a delivery ends) and goes only when the store has
 * confirmed the object (O1). Its object's name is fixed with it, so that an upload that is repeated writes
 * the same name (O2).
 *
 * What a delivery put into the store is remembered until its manifest is confirmed, which names it all (O3).
 */

enum { STATE_OBJECT_MAX = 511, STATE_SHA256_SIZE = 32 };

enum state_outbox_kind {
	STATE_OUTBOX_SEGMENT = 1, /* the rows of one batch */
	STATE_OUTBOX_RAW,         /* a delivered file */
	STATE_OUTBOX_MANIFEST,    /* what became of a delivery */
};

struct state_outbox {
	uint32_t id; /* rises: the order in which they came to be owed */
	enum state_outbox_kind kind;
	uint32_t dataset;
	uint32_t schema_version;        /* of a segment, else 0 */
	uint64_t seq;                   /* of a segment's batch, else 0 */
	uint8_t subject[STATE_ID_SIZE]; /* batch_id of a segment, delivery of a raw file and a manifest */
	uint64_t bytes;                 /* of the file in the spool; 0 for what is made of the state */
	int64_t made_ns;
	char object[STATE_OBJECT_MAX + 1]; /* its name in the store; "" for a manifest: one for each dataset */
};

/* The segment of a batch, as its record carries it; it becomes an entry when the batch is promoted. */
struct state_segment {
	uint64_t bytes;
	int64_t made_ns;
	char object[STATE_OBJECT_MAX + 1];
};

/* Adds an entry and gives it its id. `deliveries` are those whose manifests will name the object. */
enum state_result state_outbox_put(struct state_txn *txn, struct state_outbox *entry,
                                   const uint8_t (*deliveries)[STATE_ID_SIZE], size_t delivery_count);

/* The first entry behind the id `after` (0: the oldest); STATE_NOT_FOUND when there is none. */
enum state_result state_outbox_next(struct state_txn *txn, uint32_t after, struct state_outbox *out);

/* What the store confirmed. */
struct state_stored {
	uint64_t size;
	uint8_t sha256[STATE_SHA256_SIZE];
};

/* The entry goes; its deliveries remember the object, or, when it is their manifest, forget all of theirs.
 * STATE_NOT_FOUND: there is no such entry. */
enum state_result state_outbox_confirm(struct state_txn *txn, uint32_t id, const struct state_stored *stored);

/* One object of a delivery whose manifest is still owed. */
struct state_object {
	uint32_t id;
	enum state_outbox_kind kind;
	uint32_t dataset;
	uint64_t seq;
	uint8_t subject[STATE_ID_SIZE];
	char object[STATE_OBJECT_MAX + 1];
	bool is_confirmed;
	struct state_stored stored; /* where is_confirmed */
};

/* Calls each() in the order of ids until it returns false. */
enum state_result state_outbox_each_object(struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE],
                                           bool (*each)(void *context, const struct state_object *),
                                           void *context);

/* Is there anything of the delivery that its manifest has still to name, or the manifest itself? STATE_OK or
 * STATE_NOT_FOUND. */
enum state_result state_outbox_owes(struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE]);

struct state_outbox_summary {
	uint64_t entries;
	int64_t oldest_ns; /* when the oldest came to be owed; 0 without any */
};

enum state_result state_outbox_summary(struct state_txn *txn, struct state_outbox_summary *out);

/* For the encoding of the batch record. */
struct state_encoder;
struct state_decoder;
void state_outbox_encode_segment(struct state_encoder *encoder, const struct state_segment *segment);
void state_outbox_decode_segment(struct state_decoder *decoder, struct state_segment *segment);

#endif
