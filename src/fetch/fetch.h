// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_FETCH_H
#define ROWSIEVE_FETCH_FETCH_H

#include "fetch/handle.h"
#include "fetch/kaggle.h"
#include "fetch/remote.h"

/*
 * A new version of a data set, into the drop directory, once.
 *
 * The version is durable and verified before the logbook says that it is about to be dropped, and that is
 * durable before the rename that makes it visible. So whoever is killed where, the next call finds either a
 * part that it can go on with, or one that is whole and only to be renamed, or the file gone from where it
 * grew: then it was dropped. Never is a version dropped twice, and never is a half one.
 *
 * What is dropped has a name that no other version has (an archive), or the name of its own file (one file);
 * where that is still taken, the new one waits, so that nothing in the drop directory is ever replaced.
 */
struct fetch_options {
	struct kaggle *kaggle;
	const char *drop;
	const char *logbooks;      /* the directory of what is remembered */
	bool keeps_files;          /* what was taken stays in the drop directory: do not wait for a name */
	bool dry_run;              /* only says what would be fetched */
	bool only_due;             /* leaves alone what was asked for less than `every` ago */
	remote_progress *progress; /* may be NULL */
	void *context;
};

struct fetch_source {
	struct handle handle;
	int64_t every_ns;
};

enum fetch_outcome {
	FETCH_NOT_DUE,
	FETCH_CURRENT,   /* nothing newer */
	FETCH_UNCHANGED, /* a newer version with the same members */
	FETCH_ANNOUNCED, /* a newer version that cannot be downloaded yet */
	FETCH_PARKED,    /* whole, and waiting for its name in the drop directory */
	FETCH_WOULD,     /* dry_run: something newer */
	FETCH_FETCHED,
	FETCH_FAILED,
};

struct fetch_report {
	enum fetch_outcome outcome;
	uint64_t version, former;       /* 0: none */
	char file[HANDLE_FILE_MAX + 1]; /* in the drop directory; "": none */
	uint64_t received;              /* bytes of files and archives, not of questions */
	uint64_t wanted;                /* bytes that had, or would have, to come */
	int64_t total;                  /* of the whole version; -1: not known */
	size_t members, changed;        /* of an archive; 0: not known */
	struct error error;             /* of FETCH_FAILED, FETCH_ANNOUNCED and FETCH_PARKED */
};

/* Always fills the report. */
void fetch_run(const struct fetch_options *options, const struct fetch_source *source,
               struct fetch_report *report);

/* "fetched", "failed", … */
const char *fetch_outcome_text(enum fetch_outcome outcome);

#endif
