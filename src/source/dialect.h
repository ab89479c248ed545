// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_DIALECT_H
#define ROWSIEVE_SOURCE_DIALECT_H

#include <stdbool.h>
#include <stdint.h>

#include "source/record.h"

enum dialect_quote {
	DIALECT_QUOTE_DOUBLE,
	DIALECT_QUOTE_SINGLE,
	DIALECT_QUOTE_NONE,
};

/* How the bytes of a member are meant. Zero-initialised: RFC 4180 with a header, the rest to be found out. */
struct dialect {
	char delimiter; /* '\0': to be found out */
	enum dialect_quote quote;
	char escape;          /* '\0': none */
	char comment;         /* '\0': none */
	bool is_headerless;   /* the first record is a row */
	uint64_t skip_lines;  /* before the first record */
	const char *encoding; /* as iconv calls it; NULL: to be found out */
};

/* `limits` with what the dialect says, but for the encoding. */
struct record_options dialect_record_options(const struct dialect *dialect, struct record_options limits);

/*
 * Finds the delimiter out from the first bytes of a member; is_whole says that there are no more. Of , ; tab and
 * | it is the one under which most records have as many fields as the first, which are two at least; of several
 * such, the one that makes more fields; then the first in that order. A comma where none makes two fields.
 */
enum result dialect_find_delimiter(char *delimiter, const struct record_options *options, struct slice head,
                                   bool is_whole, struct error *error) WARN_UNUSED;

#endif
