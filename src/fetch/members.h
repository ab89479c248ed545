// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_MEMBERS_H
#define ROWSIEVE_FETCH_MEMBERS_H

#include <jansson.h>

#include "fetch/subset.h"

/* What is remembered of an archive's files: {name: [size, CRC-32]}. Names are quoted as for messages. A file
 * whose name is too long is not remembered, and none of an archive that has too many. */
enum { MEMBERS_NAME_MAX = 1024, MEMBERS_MAX = 20000 };

/* NULL without memory. */
json_t *members_of(const struct zipdir *directory);

/* Is exactly this file among them? `members` may be NULL. */
bool members_have(const json_t *members, const struct zipdir_member *member);

size_t members_count(const struct zipdir *directory);

/* Reads every member of the archive in the file to its end; with `subset`, they must be its members, byte for
 * byte as its directory says. RESULT_INVALID says what is damaged. */
enum result members_verify(int fd, const char *name, const struct subset *subset,
                           struct error *error) WARN_UNUSED;

#endif
