// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_HANDLE_H
#define ROWSIEVE_FETCH_HANDLE_H

#include <stdint.h>

#include "base/error.h"

/*
 * What is to be fetched: "kaggle:owner/slug", "owner/slug", and with a version to stay at "owner/slug/3" or
 * "owner/slug/versions/3"; with a file, only that one of the data set. Owner and slug are of [A-Za-z0-9._-].
 * A file is named as it is, or percent-encoded as the official client leaves it on disk.
 */
enum { HANDLE_PART_MAX = 100, HANDLE_FILE_MAX = 255, HANDLE_TEXT_MAX = 3 * HANDLE_PART_MAX };

struct handle {
	char owner[HANDLE_PART_MAX + 1];
	char slug[HANDLE_PART_MAX + 1];
	uint64_t version;               /* 0: the newest */
	char file[HANDLE_FILE_MAX + 1]; /* "" for the whole data set; decoded; folders with '/' */
};

/* `file` may be NULL. RESULT_CONFIG says what is wrong. */
enum result handle_parse(struct handle *handle, const char *source, const char *file,
                         struct error *error) WARN_UNUSED;

/* "owner/slug", for messages. */
void handle_text(char text[HANDLE_TEXT_MAX], const struct handle *handle);

/* A file name that no other handle has, newly allocated; the version does not count. NULL without memory. */
char *handle_key(const struct handle *handle);

/* One component of a URL's path or query, percent-encoded, newly allocated; NULL without memory. */
char *handle_encode(const char *text);

#endif
