// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_DELIVERY_H
#define ROWSIEVE_STATE_DELIVERY_H

#include "state_dataset.h"

/* Deliveries, their members, and the content that was seen before. Times are nanoseconds since 1970, UTC. */

enum { STATE_TEXT_MAX = 1023, STATE_PATH_MAX = 4095 };

struct state_file {
	uint64_t device;
	uint64_t inode;
	uint64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
};

enum state_status {
	STATE_STATUS_OPEN = 1, /* begun, not ended: the next start goes on with it */
	STATE_STATUS_DONE,
	STATE_STATUS_REJECTED, /* could not be taken; kept, with the reason */
	STATE_STATUS_FAILED,   /* given up before its end: the file changed or vanished */
};

struct state_delivery {
	uint8_t id[STATE_ID_SIZE];
	struct state_file file;
	char path[STATE_PATH_MAX + 1]; /* where it was found; any bytes but NUL */
	int64_t started_ns;
	int64_t finished_ns; /* 0 while open */
	enum state_status status;
	bool in_drop;            /* it was taken from the drop directory, which it leaves at its end */
	uint64_t rejects_length; /* bytes of its reject file that belong to live batches (I4) */
	char reason[STATE_TEXT_MAX + 1];
};

struct state_counts {
	uint64_t rows; /* = new + updated + duplicate + filtered + rejected */
	uint64_t new;
	uint64_t updated;
	uint64_t duplicate;
	uint64_t filtered;
	uint64_t rejected;
};

struct state_member {
	uint8_t delivery[STATE_ID_SIZE];
	uint32_t index;                /* position in the delivery, from 0 */
	uint32_t dataset;              /* 0 when none took it */
	uint32_t cache_epoch;          /* of the dataset then: under another one it must be read again (I7) */
	char name[STATE_TEXT_MAX + 1]; /* "" for a plain file */
	enum state_status status;
	uint64_t bytes;             /* plain bytes read so far: progress, always at a record boundary */
	uint64_t bytes_skipped;     /* of them, recognised without parsing */
	uint64_t lines;             /* physical lines up to there */
	struct state_counts counts; /* of the records up to there */
	struct state_watermark watermark; /* rows not newer than that are filtered; newest "" = none are */
	int64_t busy_ns;                  /* time spent on it */
	char reason[STATE_TEXT_MAX + 1];
};

enum state_result state_delivery_put(struct state_txn *txn, const struct state_delivery *delivery);
enum state_result state_delivery_get(struct state_txn *txn, const uint8_t id[STATE_ID_SIZE],
                                     struct state_delivery *out);

/* The newest delivery of the file with that device and inode; compare the rest of its identity yourself. */
enum state_result state_delivery_of_file(struct state_txn *txn, uint64_t device, uint64_t inode,
                                         struct state_delivery *out);

/* From now on it is a file that was never seen. Its deliveries stay. */
enum state_result state_delivery_forget_file(struct state_txn *txn, uint64_t device, uint64_t inode);

enum state_result state_delivery_put_member(struct state_txn *txn, const struct state_member *member);
enum state_result state_delivery_get_member(struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE],
                                            uint32_t index, struct state_member *out);

/* Calls each() from the newest delivery to the oldest until it returns false. */
enum state_result state_delivery_each(struct state_txn *txn,
                                      bool (*each)(void *context, const struct state_delivery *),
                                      void *context);
enum state_result state_delivery_each_member(struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE],
                                             bool (*each)(void *context, const struct state_member *),
                                             void *context);

/* Forgets ended deliveries that started before then, with members and file entry, at most `limit` in one
 * call, and says how many. Open ones stay, and those whose manifest is owed to the object store. */
enum state_result state_delivery_expire(struct state_txn *txn, int64_t before_ns, size_t limit,
                                        size_t *expired);

/* A member whose every byte was seen before. Only members without rejected rows are kept here. */
struct state_content {
	uint32_t dataset;
	uint8_t head[16];  /* digest of its first bytes */
	uint8_t whole[16]; /* digest of all of them */
	uint64_t bytes;
	uint32_t cache_epoch;
	uint64_t seq; /* of the dataset when its first row was judged */
	uint8_t fingerprint[16];
	struct state_counts counts;
	uint64_t lines;
	int64_t seen_ns; /* last delivered */
};

enum state_result state_delivery_put_content(struct state_txn *txn, const struct state_content *content);
/* Exactly that content; STATE_NOT_FOUND otherwise. */
enum state_result state_delivery_get_content(struct state_txn *txn, uint32_t dataset, const uint8_t head[16],
                                             const uint8_t whole[16], struct state_content *out);
/* Is there any content of the dataset that begins so? STATE_OK or STATE_NOT_FOUND. */
enum state_result state_delivery_has_head(struct state_txn *txn, uint32_t dataset, const uint8_t head[16]);
/* Forgets content last delivered before then, at most `limit` in one call. */
enum state_result state_delivery_expire_content(struct state_txn *txn, int64_t before_ns, size_t limit,
                                                size_t *expired);

#endif
