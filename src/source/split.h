// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_SPLIT_H
#define ROWSIEVE_SOURCE_SPLIT_H

#include <stdbool.h>

#include "base/buffer.h"

/*
 * Splits a record into fields where libcsv cannot: with a character that escapes, and by Python's rule for
 * quotes. A quote at the beginning of a field opens it; the next one that is neither doubled nor escaped
 * closes it, and what follows up to the delimiter belongs to the field as it stands. Strictly, a quote may
 * stand only where RFC 4180 has it.
 */
struct split {
	char delimiter;
	char quote;  /* '\0': none */
	char escape; /* '\0': none */
	bool is_strict;
	struct buffer field; /* as far as it was read */
	int state;           /* its own */
	bool has_fields;     /* the record has one before the field that is being read */
};

enum split_fed { SPLIT_FED, SPLIT_STRAY_QUOTE, SPLIT_NO_MEMORY };

/* As libcsv calls it. */
typedef void split_field_fn(void *field, size_t length, void *context);

/* Begins a record. */
void split_reset(struct split *split);

/* Some bytes of the record; calls each() for every field that ends in them. Line ends are data. */
enum split_fed split_feed(struct split *split, struct slice bytes, split_field_fn *each, void *context);

/* Ends the record with its last field; of a blank line there is none. False: it is inside quotes, or behind an
 * escape, and nothing happened. */
bool split_end(struct split *split, split_field_fn *each, void *context);

void split_free(struct split *split);

#endif
