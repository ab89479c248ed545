// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_CREDENTIALS_H
#define ROWSIEVE_STORE_CREDENTIALS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Keys for S3, from the first of these places that has some:
 *
 *   the profile that the configuration names, in ~/.aws/credentials and ~/.aws/config
 *   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *   the profile of AWS_PROFILE, else "default", in the same files (AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE)
 *   the systemd credential "s3", in the form of ~/.aws/credentials
 *   the container's agent (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI)
 *   the machine's metadata service, version 2 (unless AWS_EC2_METADATA_DISABLED)
 *
 * Keys that expire are fetched again before they do. Nothing here ever logs a secret, and error texts hold
 * the names of places only. One thread at a time.
 */
struct credentials;

enum { CREDENTIALS_KEY_MAX = 255, CREDENTIALS_TOKEN_MAX = 4095, CREDENTIALS_PLACE_MAX = 255 };

struct credentials_keys {
	char access_key[CREDENTIALS_KEY_MAX + 1];
	char secret_key[CREDENTIALS_KEY_MAX + 1];
	char token[CREDENTIALS_TOKEN_MAX + 1];   /* "" for none */
	char place[CREDENTIALS_PLACE_MAX + 1];   /* where they are from, for messages */
	int64_t expires_ns;                      /* wall clock; 0: never */
};

/* profile: what the configuration names, or NULL. */
enum result credentials_open(struct credentials **out, const char *profile, const atomic_bool *stop,
                             struct error *error) WARN_UNUSED;
void credentials_close(struct credentials *credentials); /* NULL is fine */

/* Borrowed until the next call. RESULT_CONFIG: there are none, or what is there is not whole. */
enum result credentials_get(struct credentials *credentials, const struct credentials_keys **out,
                            struct error *error) WARN_UNUSED;

/* The store refused them: they are looked for again. */
void credentials_forget(struct credentials *credentials);

/* The region that environment or profile name; "" for none. */
void credentials_region(const struct credentials *credentials, char *out, size_t size);

#endif
