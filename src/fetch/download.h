// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_DOWNLOAD_H
#define ROWSIEVE_FETCH_DOWNLOAD_H

#include <jansson.h>

#include "fetch/kaggle.h"
#include "fetch/logbook.h"
#include "fetch/nursery.h"

/*
 * One version of a data set, brought into the nursery: the whole of it, or an archive of those members that
 * are not, by size and CRC-32, what they were in the version that was fetched last. What an earlier run has
 * left there is gone on from where its bytes can be told from others.
 */
struct download {
	struct kaggle *kaggle; /* these are the caller's */
	struct logbook *logbook;
	const struct nursery *nursery;
	const struct handle *handle;
	uint64_t version;
	remote_progress *progress; /* may be NULL */
	void *context;

	uint64_t received; /* bytes that came over the net; these are set by the calls */
	uint64_t wanted;   /* bytes that have to come */
	int64_t total;     /* of the whole archive or file; -1: not known */
	bool is_zip;
	json_t *members;    /* all of that version; NULL where that is not known */
	size_t count;       /* of members that are files */
	size_t changed;     /* of those, how many were wanted */
	bool is_incomplete; /* the download holds only the changed ones */
	struct kaggle_trouble trouble;
};

/* Fills the part, verified and durable. RESULT_END: not one member changed; nothing was made. */
enum result download_run(struct download *download, struct error *error) WARN_UNUSED;

/* Fills received, wanted, total, count and changed, and makes nothing. RESULT_END as above. */
enum result download_look(struct download *download, struct error *error) WARN_UNUSED;
void download_close(struct download *download);

#endif
