// SPDX-License-Identifier: Apache-2.0
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/command.h"

static const struct command *const COMMANDS[] = {
    &cmd_run,     &cmd_ingest, &cmd_preview, &cmd_check,   &cmd_status,  &cmd_history, &cmd_explain,
    &cmd_rejects, &cmd_replay, &cmd_verify,  &cmd_rebuild, &cmd_restore, &cmd_forget,  &cmd_fetch,
};

enum { COMMAND_COUNT = sizeof COMMANDS / sizeof *COMMANDS };

static const char COMMON_OPTIONS[] =
    "  -c CONF                the configuration file (else "
    "$ROWSIEVE_CONFIG, else /etc/rowsieve/rowsieve.conf)\n"
    "  --data DIR             where drop/, done/, rejected/, backup/, state/, "
    "rows.db are (default ./rowsieve-data)\n"
    "  -o SECTION.KEY=VALUE   sets one key of the configuration\n"
    "  --help, --version\n";

static void print_help(void)
{
	printf("rowsieve " ROWSIEVE_VERSION ": lets only rows never seen before through to the table\n\n"
	       "usage: rowsieve COMMAND [OPTIONS] [ARGUMENTS]\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-22s %s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
	printf("\nevery command:\n%s", COMMON_OPTIONS);
}

static void print_command_help(const struct command *command)
{
	printf("usage: rowsieve %s%s%s\n\n%s\n", command->name, command->arguments[0] != '\0' ? " " : "",
	       command->arguments, command->summary);
	if (command->details != NULL)
		printf("\n%s", command->details);
	printf("\nevery command:\n%s", COMMON_OPTIONS);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(COMMANDS[i]->name, name) == 0)
			return COMMANDS[i];
	}
	return NULL;
}

static enum result check_usage(const struct command *command, const struct options *options,
                               struct error *error)
{
	bool is_wrong = (options->given & ~command->flags) != 0;
	is_wrong |= options->argument_count < command->min_arguments;
	is_wrong |= command->max_arguments >= 0 && options->argument_count > command->max_arguments;
	if (!is_wrong)
		return RESULT_OK;
	error_set(error, RESULT_USAGE, "usage: rowsieve %s %s", command->name, command->arguments);
	error_hint(error, "see: rowsieve %s --help", command->name);
	return RESULT_USAGE;
}

static enum result dispatch(const struct options *options, int *exit_status, struct error *error)
{
	if (options->version) {
		puts("rowsieve " ROWSIEVE_VERSION);
		return RESULT_OK;
	}
	if (options->command == NULL && options->help) {
		print_help();
		return RESULT_OK;
	}
	const struct command *command = options->command != NULL ? find_command(options->command) : NULL;
	if (command == NULL) {
		error_set(error, RESULT_USAGE,
		          options->command == NULL ? "no command" : "unknown command '%s'", options->command);
		error_hint(error, "see: rowsieve --help");
		return RESULT_USAGE;
	}
	if (options->help) {
		print_command_help(command);
		return RESULT_OK;
	}
	enum result result = check_usage(command, options, error);
	return result == RESULT_OK ? command->run(options, exit_status, error) : result;
}

int main(int argc, char **argv)
{
	/* libarchive reads member names by the locale's character set; numbers and dates stay those of the C
	 * locale. */
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		setlocale(LC_CTYPE, "");
	log_open(true);
	struct options options;
	struct error error = {0};
	int exit_status = 0;
	enum result result = options_parse(&options, argc, argv, &error);
	if (result == RESULT_OK)
		result = dispatch(&options, &exit_status, &error);
	options_free(&options);
	if (result != RESULT_OK) {
		log_error(&error);
		exit_status = error_exit_status(result);
	}
	if (fflush(stdout) != 0 && exit_status == 0)
		exit_status = 1;
	return exit_status;
}
