// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_CHANGED_H
#define ROWSIEVE_FETCH_CHANGED_H

#include "fetch/download.h"

/*
 * The part of a download that fetches only what changed in an archive: its central directory by range, then
 * the stretches of the changed members, then a directory of them.
 *
 * RESULT_END: nothing changed. RESULT_REFUSED: it cannot be done this way (no ranges, no zip, everything
 * changed, or what arrived is not what the directory said); the whole archive can be. Otherwise as
 * download_run() and download_look().
 */
enum result changed_run(struct download *download, const char *url, struct error *error) WARN_UNUSED;
enum result changed_look(struct download *download, const char *url, struct error *error) WARN_UNUSED;

#endif
