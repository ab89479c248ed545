// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_DATASET_H
#define ROWSIEVE_STATE_DATASET_H

#include "state_txn.h"

enum { STATE_NAME_MAX = 64, STATE_SINK_KIND_MAX = 15, STATE_FINGERPRINT_SIZE = 16 };

enum { STATE_WATERMARK_MAX = 64 };

/* The newest value of a column that was ever stored. */
struct state_watermark {
	char column[STATE_NAME_MAX + 1];      /* "" = none is known of any */
	char newest[STATE_WATERMARK_MAX + 1]; /* canonical; "" = no row has one */
};

/* Where a dataset stands. `id` is given once and never reused; it names the dataset's runs. */
struct state_dataset {
	uint32_t id;
	char name[STATE_NAME_MAX + 1];
	char table[STATE_NAME_MAX + 1];
	char sink_kind[STATE_SINK_KIND_MAX + 1]; /* "sqlite", "mysql"; "" until a table was announced */
	uint8_t sink_id[STATE_ID_SIZE];          /* of the head row; zero until a table was announced */
	uint8_t
	    fingerprint[STATE_FINGERPRINT_SIZE]; /* of the configuration that decides what the same row is */
	uint32_t cache_epoch;                    /* caches of another epoch are void (I7) */
	uint32_t schema_version;                 /* newest frozen schema; 0 = none yet */
	uint64_t seq;                            /* last live batch; 0 = none */
	uint8_t batch_id[STATE_ID_SIZE];         /* its id; zero with seq 0 */
	uint64_t rows;                           /* digests, or keys, that are live */
	struct state_watermark watermark;
	uint64_t updated_seq; /* last live batch that changed the row of a key; 0 = none */
};

/* STATE_NOT_FOUND when there is none of that name. */
enum state_result state_dataset_get(struct state_txn *txn, const char *name, struct state_dataset *out);

/* The same by its id: walks through the datasets. */
enum state_result state_dataset_find(struct state_txn *txn, uint32_t id, struct state_dataset *out);

/* Writes it; an id of 0 is a new dataset and is given one. Names are not changed by a put: an id that
 * is not the one under that name is STATE_MISUSE. */
enum state_result state_dataset_put(struct state_txn *txn, struct state_dataset *dataset);

/* Calls each() in the order of names until it returns false. */
enum state_result state_dataset_each(struct state_txn *txn,
                                     bool (*each)(void *context, const struct state_dataset *),
                                     void *context);

/* A frozen schema: bytes of the program's choice under (dataset, version), written once. The caller sets
 * schema_version in the dataset's own record. *bytes points into the map until the transaction ends. */
enum state_result state_dataset_put_schema(struct state_txn *txn, uint32_t dataset, uint32_t version,
                                           const void *bytes, size_t count);
enum state_result state_dataset_get_schema(struct state_txn *txn, uint32_t dataset, uint32_t version,
                                           const void **bytes, size_t *count);

#endif
