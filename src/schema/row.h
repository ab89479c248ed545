// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_ROW_H
#define ROWSIEVE_SCHEMA_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/*
 * The canonical form of a row: for each column that is not null, in rising order of permanent ordinals,
 *
 *     ordinal (LEB128)  length in bytes (LEB128)  canonical text
 *
 * It is what the row digest is taken over, what a batch holds, and what sinks read. A column that is null
 * leaves no trace, so a column added later leaves old rows the same rows.
 */

struct row_cell {
	uint32_t ordinal;
	struct slice text;
};

/* Appends a cell. Ordinals must rise; RESULT_NO_MEMORY leaves the row as it was. */
enum result row_append(struct buffer *row, uint32_t ordinal, struct slice text) WARN_UNUSED;

/* Reads the next cell and moves *position on. Start at 0. False at the end, and, with *position short of the
 * row's length, at bytes that are no cell. */
bool row_next(struct slice row, size_t *position, struct row_cell *cell);

/* A row's 128-bit digest: SipHash-2-4-128 under the dataset's key, as two words, the high one first. */
struct row_digest {
	uint64_t hi;
	uint64_t lo;
};

enum { ROW_KEY_SIZE = 16 };

/* The key of a dataset, derived from the state's secret: the same row in two datasets has two digests. */
void row_derive_key(uint8_t key[ROW_KEY_SIZE], const uint8_t secret[32], const char *dataset);
struct row_digest row_digest(struct slice row, const uint8_t key[ROW_KEY_SIZE]);

#endif
