// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_RETIRE_H
#define ROWSIEVE_INGEST_RETIRE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/file.h"
#include "base/id.h"

/*
 * A file leaves the drop directory (I5): never over another file, never another file than the one that was
 * read, and durably. A name that is taken gets the delivery's id in front.
 *
 * A move is durable when the directories that it touched are synced. Files of one group share that:
 * retire_settle() syncs each directory once, however many files went through it.
 */
struct retire_group {
	char **directories; /* touched and not synced yet */
	size_t count;
};

struct retire_file {
	const char *path;
	struct file_identity identity; /* of what was read */
	struct id delivery;
};

/* To directory/name. RESULT_CHANGED: another file stands there now; it was left (or put back) where it was.
 * A file that is gone already is fine: somebody took it away. */
enum result retire_move(struct retire_group *group, const struct retire_file *file, const char *directory,
                        struct error *error) WARN_UNUSED;

/* As retire_move(), with the reason in <name>.reason.txt beside it. */
enum result retire_reject(struct retire_group *group, const struct retire_file *file, const char *directory,
                          const char *reason, struct error *error) WARN_UNUSED;

/* Moves it to that path, which must be free. */
enum result retire_to(struct retire_group *group, const struct retire_file *file, const char *path,
                      struct error *error) WARN_UNUSED;

/* Where retire_move() or retire_reject() put it in that directory, newly allocated; NULL: it is not there. */
char *retire_find(const struct retire_file *file, const char *directory);

/* Removes it for good: put aside first, under a name that no watch takes, so that what is removed is what was checked.
 * What an attempt that was cut off has left aside is removed too, or put back when it is another file. */
enum result retire_delete(struct retire_group *group, const struct retire_file *file,
                          struct error *error) WARN_UNUSED;

/* Is it such a name? Then of which delivery's file. */
bool retire_is_aside(const char *name, struct id *delivery);

/* Makes everything that the group did durable, and empties it, whatever the result. */
enum result retire_settle(struct retire_group *group, struct error *error) WARN_UNUSED;

/* Removes the regular files directly in the directory that came there more than age_ns ago. */
enum result retire_expire(const char *directory, int64_t age_ns, int64_t wall_now_ns,
                          struct error *error) WARN_UNUSED;

#endif
