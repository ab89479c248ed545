// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CONFIG_SYNTAX_H
#define ROWSIEVE_CONFIG_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

struct syntax_fault {
	unsigned line;
	const char *reason; /* static */
};

/*
 * Makes libconfuse's reading of a text safe, in place: it counts the lines of comments twice, so comments
 * become blanks. False for what it would misread without a word: strings, comments and braces that are
 * not closed, and characters outside of quotes that it would drop (files = { *.csv }).
 */
bool syntax_prepare(char *text, size_t length, struct syntax_fault *fault);

#endif
