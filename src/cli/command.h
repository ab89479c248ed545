// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_COMMAND_H
#define ROWSIEVE_CLI_COMMAND_H

#include "cli/options.h"

/* One subcommand, defined as cmd_<name> in the file of that name. */
struct command {
	const char *name;
	const char *arguments; /* as the help shows them */
	const char *summary;
	const char *details; /* further lines of its own help; may be NULL */
	unsigned flags;      /* OPTIONS_* that it allows */
	int min_arguments;
	int max_arguments; /* -1: any number */

	/* RESULT_OK: *exit_status says how it ended; otherwise the error is printed and decides the exit
	 * status. */
	enum result (*run)(const struct options *options, int *exit_status, struct error *error);
};

extern const struct command cmd_check;
extern const struct command cmd_explain;
extern const struct command cmd_forget;
extern const struct command cmd_fetch;
extern const struct command cmd_history;
extern const struct command cmd_ingest;
extern const struct command cmd_preview;
extern const struct command cmd_rebuild;
extern const struct command cmd_rejects;
extern const struct command cmd_replay;
extern const struct command cmd_restore;
extern const struct command cmd_run;
extern const struct command cmd_status;
extern const struct command cmd_verify;

#endif
