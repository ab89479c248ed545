// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_WATCH_CANDIDATES_H
#define ROWSIEVE_WATCH_CANDIDATES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "watch/watch.h"

/*
 * The files that the watch knows: those that settle, in the order of their time, those that are ready, in the
 * order of (mtime, path), and those that were handed out. Every operation costs at most the logarithm of
 * their number.
 */
struct candidates;

struct candidates *candidates_new(int64_t settle_ns); /* NULL without memory */
void candidates_free(struct candidates *candidates);  /* NULL is fine */

/* Takes in that the file at `path`, in `subdirectory` ("" for none), is what `status` says. */
enum result candidates_take(struct candidates *candidates, const char *path, const char *subdirectory,
                            const struct stat *status, int64_t now_ns) WARN_UNUSED;

/* Between the two comes a candidates_take() for every file that there is; the others are forgotten. */
void candidates_begin_scan(struct candidates *candidates);
void candidates_end_scan(struct candidates *candidates);

/* Looks again at every file whose time has come. */
void candidates_judge_due(struct candidates *candidates, int64_t now_ns);
int64_t candidates_deadline(const struct candidates *candidates); /* INT64_MAX when none settles */

/* As watch_next() and watch_release(). */
bool candidates_next(struct candidates *candidates, struct watch_file *file);
void candidates_release(struct candidates *candidates, const char *path, int64_t not_before_ns);

#endif
