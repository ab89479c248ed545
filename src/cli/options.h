// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_OPTIONS_H
#define ROWSIEVE_CLI_OPTIONS_H

#include <stdbool.h>

#include "config/config.h"

/* The flags that a command may allow beside those that every command takes. */
enum {
	OPTIONS_DATASET = 1 << 0,
	OPTIONS_JSON = 1 << 1,
	OPTIONS_DRY_RUN = 1 << 2,
	OPTIONS_STRICT = 1 << 3,
	OPTIONS_CHECK = 1 << 4,
	OPTIONS_REFEED = 1 << 5,
	OPTIONS_DUE = 1 << 6,
	OPTIONS_STORE = 1 << 7,
	OPTIONS_METRICS = 1 << 8,
};

/* The command line, as given. Strings are argv's. */
struct options {
	struct config_source config;
	const char *dataset;
	bool json;
	bool dry_run;
	bool strict;
	bool check;
	bool refeed;
	bool due;
	bool store;
	bool metrics;
	bool help;
	bool version;
	unsigned given;      /* OPTIONS_* that occurred */
	const char *command; /* NULL when there is none */
	char **arguments;    /* behind the command */
	int argument_count;
};

/* Options may stand before and behind the command. RESULT_USAGE otherwise. options_free() afterwards, in any
 * case. */
enum result options_parse(struct options *options, int argc, char **argv, struct error *error) WARN_UNUSED;
void options_free(struct options *options);

#endif
