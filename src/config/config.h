// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CONFIG_CONFIG_H
#define ROWSIEVE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "schema/schema.h"

/*
 * The configuration, read, checked and then never changed. Syntax is libconfuse's. Unknown keys, wrong types,
 * wrong values and datasets that contradict each other are RESULT_CONFIG with file and line and key. Sizes
 * carry units (K, M, G, T: powers of 1024), durations too (ms, s, m, h, d, w, y). The keys are in
 * config/keys.c.
 *
 * include("name or pattern") is relative to the file it stands in and is followed when the rest of that file
 * has been read; what is set later wins, so do overrides over files, and --data over all. Paths are kept as
 * they are written.
 *
 * All strings belong to the configuration and live as long as it. Durations are in nanoseconds.
 */

enum config_sink {
	CONFIG_SINK_SQLITE,
	CONFIG_SINK_MYSQL,
};

enum config_unmatched {
	CONFIG_UNMATCHED_HOLD,
	CONFIG_UNMATCHED_CREATE,
};

enum config_on_done {
	CONFIG_ON_DONE_ARCHIVE,
	CONFIG_ON_DONE_KEEP,
	CONFIG_ON_DONE_DELETE,
};

enum config_addressing {
	CONFIG_ADDRESSING_VIRTUAL,
	CONFIG_ADDRESSING_PATH,
};

enum config_signature {
	CONFIG_SIGNATURE_V4,
	CONFIG_SIGNATURE_V2,
};

enum config_on_change {
	CONFIG_ON_CHANGE_UPDATE,
	CONFIG_ON_CHANGE_IGNORE,
	CONFIG_ON_CHANGE_REJECT,
};

/* How a dataset's files are written. */
struct config_dialect {
	char delimiter; /* '\0': auto */
	char quote;     /* '\0': none */
	char escape;    /* '\0': none */
	char comment;   /* '\0': none */
	bool has_header;
	uint64_t skip_lines;
	const char *encoding; /* NULL: auto */
};

struct config_dataset {
	const char *name;
	const char *table;
	const char *const *files; /* fnmatch patterns for a member's base name */
	size_t file_count;
	struct config_dialect dialect;
	struct schema_spec schema;
	enum config_on_change on_change;
	int64_t stale_after_ns; /* 0: never */
};

/* What is to be fetched, as it is written: fetch/handle.h. */
struct config_fetch {
	const char *name;
	const char *source;
	const char *file; /* NULL: all of it */
	int64_t every_ns;
};

struct config {
	const char *path; /* of the file it came from; NULL without one */
	const char *data;
	const char *drop;        /* data/drop */
	const char *done;        /* data/done */
	const char *rejected;    /* data/rejected */
	const char *state;       /* data/state */
	const char *sqlite_path; /* data/rows.db */
	const char *socket_path; /* data/control.sock */
	const char *spool;       /* state/spool: what is owed to the object store */
	enum config_sink sink;
	enum config_unmatched unmatched;
	enum config_on_done on_done;
	const char *metrics; /* NULL: no such file */
	int64_t settle_ns;
	int64_t rescan_ns;
	uint64_t memory;
	struct {
		uint64_t rows;
		uint64_t bytes;
		int64_t wait_ns;
	} batch;
	struct {
		int64_t done_ns;
		int64_t rejected_ns;
		int64_t history_ns;
		uint64_t min_free;
	} keep;
	struct {
		uint64_t max_field;
		uint32_t max_columns;
		uint32_t max_ratio;
		uint32_t max_members;
	} limits;
	struct {
		const char *host;
		uint16_t port;
		const char *socket;
		const char *user;
		const char *password_file;
		const char *defaults_file;
		const char *defaults_group;
		const char *database;
		bool tls;
		const char *ca;
	} mysql; /* unset strings are NULL */
	struct {
		const char *endpoint;
		const char *region;
		const char *bucket; /* NULL: no S3, what is kept goes to backup.dir */
		const char *prefix;
		enum config_addressing addressing;
		enum config_signature signature;
		const char *profile;
		const char *ca;
		const char *storage_class;
		const char *sse;
		bool raw;
		bool rows;
	} s3; /* unset strings are NULL */
	struct {
		const char *dir; /* data/backup */
		bool raw;
		bool rows;
	} backup;
	struct {
		const char *endpoint;
		const char *ca; /* NULL: the system's */
	} kaggle;
	const struct config_dataset *datasets;
	size_t dataset_count;
	const struct config_fetch *fetches;
	size_t fetch_count;
};

struct config_source {
	const char
	    *path; /* -c; NULL: $ROWSIEVE_CONFIG, else /etc/rowsieve/rowsieve.conf if it exists, else none */
	const char *data;             /* --data; NULL: the file's, else ./rowsieve-data */
	const char *const *overrides; /* -o, config/override.h */
	size_t override_count;
};

/* One call at a time in the whole program: libconfuse's lexer is global. */
enum result config_load(struct config **out, const struct config_source *source,
                        struct error *error) WARN_UNUSED;
void config_free(struct config *config); /* NULL is fine */

#endif
