// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_LOGBOOK_H
#define ROWSIEVE_FETCH_LOGBOOK_H

#include <jansson.h>

#include "fetch/handle.h"
#include "fetch/remote.h"

/*
 * What is remembered of one data set (or one file of it): a JSON file of its own, replaced atomically and
 * durably, beside the state proper: fetching needs no state, so that it works whoever holds that. At most
 * one process works on it.
 *
 * Its members, all optional:
 *   source, file, asked, outcome, message, next, not_before, failures    the last time somebody asked
 *   id, version, fetched, dropped, bytes, members                        what was fetched last
 *   part     what the unfinished download is of: version, mode, and the object's identity
 *   intent   the finished download that is about to become visible: what the second line will then be
 * Times are seconds since 1970. `members` is {name: [size, CRC-32]}.
 */
struct logbook;

/* RESULT_HELD: another process is at it. RESULT_STATE: it cannot be read or made. */
enum result logbook_open(struct logbook **out, const char *directory, const struct handle *handle,
                         struct error *error) WARN_UNUSED;
void logbook_close(struct logbook *logbook); /* NULL is fine */

/* The object itself: whatever is changed in it is kept by logbook_save(). */
json_t *logbook_root(const struct logbook *logbook);
int64_t logbook_number(const struct logbook *logbook, const char *key); /* 0 where there is none */
void logbook_set_number(struct logbook *logbook, const char *key, int64_t value);
void logbook_set_text(struct logbook *logbook, const char *key, const char *text); /* NULL removes it */

/* Durable when it returns. */
enum result logbook_save(struct logbook *logbook, struct error *error) WARN_UNUSED;

/* The unfinished download. False when there is none of this version and mode. */
bool logbook_part(const struct logbook *logbook, uint64_t version, const char *mode,
                  struct remote_identity *identity);
enum result logbook_begin_part(struct logbook *logbook, uint64_t version, const char *mode,
                               const struct remote_identity *identity, struct error *error) WARN_UNUSED;

/* For people, of every logbook in the directory: an array of {"source", "file", "version", "fetched",
 * "asked", "outcome", "message", "not_before", "dropped", "bytes"}, times as text. NULL without memory. */
json_t *logbook_summaries(const char *directory);

#endif
