// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_REFUSALS_H
#define ROWSIEVE_CLI_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>

/* Which files of the drop directory were not taken and stay, and why. An empty table is a NULL. Not
 * synchronised. */
struct refusals;

/* True when it is news: that path was not refused before, or for another reason. Without memory it is news
 * each time. */
bool refusals_put(struct refusals **table, const char *path, const char *reason);

/* The reason, which lives until the table is changed; NULL when the path is not refused. */
const char *refusals_find(const struct refusals *table, const char *path);
size_t refusals_count(const struct refusals *table);

void refusals_remove(struct refusals **table, const char *path);
void refusals_remove_gone(struct refusals **table); /* files that are not there any more */
void refusals_clear(struct refusals **table);

#endif
