// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_STORE_H
#define ROWSIEVE_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Where files go: a directory, or an S3 bucket. Objects are named by paths of [A-Za-z0-9._/-] only, without a
 * '/' at either end and without empty, "." or ".." parts; every implementation refuses another name as
 * RESULT_INVALID.
 *
 * Every call returns one of: RESULT_OK; RESULT_END (there is no such object); RESULT_UNREACHABLE (the store
 * gives no answer, or asks for patience, even after some tries: later); RESULT_CONFIG (wrong keys, bucket,
 * region, certificate, clock: a person must act); RESULT_REFUSED (this object is refused, others need not
 * be); RESULT_CHANGED (the file is not what it was said to be); RESULT_IO, RESULT_NO_SPACE (this machine's
 * files); RESULT_NO_MEMORY; RESULT_STOPPED. Messages hold the store's own words, never a secret.
 *
 * A store belongs to one thread at a time.
 */

struct store;

enum { STORE_SHA256_SIZE = 32 };

/* One object on its way into the store. Everything is borrowed for the call. */
struct store_put {
	const char *name;
	int fd; /* read by offset from 0: its position does not matter and stays */
	uint64_t size;
	const uint8_t *sha256; /* of its bytes: they are checked on the way, and kept with the object */
	bool is_private;       /* nobody else ever writes to the file: a hard link may take the place of a copy */
};

struct store_object {
	const char *name;
	uint64_t size;
	bool has_sha256; /* list() does not tell */
	uint8_t sha256[STORE_SHA256_SIZE];
};

/* Takes what get() reads, in order. */
typedef enum result store_write(void *context, const void *bytes, size_t count, struct error *error);

/* Called for each object in the order of names; anything but RESULT_OK ends the walk and is returned. */
typedef enum result store_each(void *context, const struct store_object *object, struct error *error);

struct store_interface {
	const char *kind; /* "local", "s3", "s3 (v2)" */

	/*
	 * Stores the object, over one of that name. RESULT_OK only when the store has confirmed its length and
	 * checksum, and it is durable there as soon as flush() has returned; otherwise there may be the old object,
	 * the new one or none, and the same put() again brings it about, going on from the parts of a large object
	 * that are there already.
	 */
	enum result (*put)(struct store *store, const struct store_put *put, struct error *error);

	/* Makes durable what was put: many objects at the price of one. After a failure all that was put since the
	 * last success is put again. NULL where put() does it itself. */
	enum result (*flush)(struct store *store, struct error *error);

	enum result (*head)(struct store *store, const char *name, struct store_object *object,
	                    struct error *error);

	/* Its bytes, checked against the length and checksum that the store gives. */
	enum result (*get)(struct store *store, const char *name, store_write *write, void *context,
	                   struct error *error);

	/* Every object whose name begins so; "" for all. */
	enum result (*list)(struct store *store, const char *prefix, store_each *each, void *context,
	                    struct error *error);

	/* What is stored of an object whose put() will never be repeated: unfinished parts go. */
	enum result (*abandon)(struct store *store, const char *name, struct error *error);

	void (*close)(struct store *store); /* frees it; NULL is fine */
};

/* What every implementation's own struct begins with. */
struct store {
	const struct store_interface *interface;
};

/* RESULT_INVALID for a name that no object may bear. */
enum result store_check_name(const char *name, struct error *error) WARN_UNUSED;

/*
 * A name's part made of any text: what is not allowed becomes '_'. Two texts that differ make two parts: one
 * that had to be changed ends in a digest of what it was. NULL without memory.
 */
char *store_name_part(const char *text);

#endif
