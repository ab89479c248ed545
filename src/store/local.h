// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_LOCAL_H
#define ROWSIEVE_STORE_LOCAL_H

#include "store/store.h"

/*
 * A directory as an object store: an object's name is a path below it. An object appears whole, by a rename
 * or a link, and is durable, with the directories that lead to it, when flush() returns. A file that nobody
 * else writes to is linked rather than copied, where it lies on the same file system.
 */

/* The directory is made when the first object comes. */
enum result local_open(struct store **out, const char *directory, struct error *error) WARN_UNUSED;

#endif
