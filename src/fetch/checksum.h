// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_CHECKSUM_H
#define ROWSIEVE_FETCH_CHECKSUM_H

#include <stdint.h>

#include "fetch/remote.h"

/* CRC32C (Castagnoli) of `bytes` behind those that gave `crc`, 0 at first. */
uint32_t checksum_crc32c(uint32_t crc, struct slice bytes);

/* Can the object's bytes be told from others at all? */
bool checksum_is_known(const struct remote_identity *identity);

/*
 * Reads the file from its beginning and compares its length and, where the server told one, its MD5, else its
 * CRC32C. RESULT_CHANGED says what differs. `name` is for the message.
 */
enum result checksum_verify(int fd, const char *name, const struct remote_identity *identity,
                            struct error *error) WARN_UNUSED;

#endif
