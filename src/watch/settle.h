// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_WATCH_SETTLE_H
#define ROWSIEVE_WATCH_SETTLE_H

#include <stdbool.h>

#include "base/file.h"
#include "watch/watch.h"

/* The part of the settle rule that has no clock in it. */

/* A name that is never taken. */
bool settle_ignores(const char *name);

/*
 * Looks at the file as it is now. WATCH_SETTLED: nothing but time can stand against it. WATCH_SETTLING: this
 * process had no descriptor or memory left to tell. *identity is left alone where the path cannot even be
 * looked at.
 */
enum watch_verdict settle_probe(const char *path, struct file_identity *identity);

#endif
