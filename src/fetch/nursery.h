// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_NURSERY_H
#define ROWSIEVE_FETCH_NURSERY_H

#include <stdbool.h>

#include "fetch/handle.h"

/*
 * Where a download grows until it is whole: "<drop>/.fetch/<key>.part", on the file system of the drop
 * directory and in a directory that the watch does not look into.
 */
struct nursery {
	char *drop;
	char *directory;
	char *part;
};

/* Makes the directories that are missing. nursery_close() afterwards, in any case. */
enum result nursery_open(struct nursery *nursery, const char *drop, const struct handle *handle,
                         struct error *error) WARN_UNUSED;
void nursery_close(struct nursery *nursery);

/* An open descriptor of the part, at its end; `keeps`: what is there already. */
enum result nursery_grow(const struct nursery *nursery, bool keeps, int *fd, struct error *error) WARN_UNUSED;

/* Is there a part? */
enum result nursery_look(const struct nursery *nursery, bool *has_part, struct error *error) WARN_UNUSED;
void nursery_clear(const struct nursery *nursery);

/* Makes the part's bytes and name durable. */
enum result nursery_settle(const struct nursery *nursery, int fd, struct error *error) WARN_UNUSED;

/* The part becomes a file of the drop directory. RESULT_END: there is one of that name. */
enum result nursery_drop(const struct nursery *nursery, const char *name, struct error *error) WARN_UNUSED;

/* Makes that durable, whichever process did it. */
enum result nursery_confirm(const struct nursery *nursery, struct error *error) WARN_UNUSED;

#endif
