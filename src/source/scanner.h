// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_SCANNER_H
#define ROWSIEVE_SOURCE_SCANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where the fields of regular CSV records end, 64 bytes at a time. Regular is a record that no parser could
 * read in two ways: every quote opens behind a delimiter, a line end or a quote, and closes before one of
 * them; carriage returns stand before line feeds only; the line is not blank; the record ends with a line
 * feed. The scanner stops at the first record that is not, and its caller asks libcsv. So for everything that
 * it does return, libcsv returns the same; a differential test and a fuzz target say so.
 */
enum scanner_kind { SCANNER_SCALAR, SCANNER_SSE2, SCANNER_AVX2, SCANNER_AVX512 };

typedef struct scanner_found scanner_fn(char delimiter, char quote, const char *bytes, size_t count,
                                        uint32_t *ends);

struct scanner {
	char delimiter;
	char quote; /* '\n': none */
	scanner_fn *scan;
};

/* Ends that one call finds at most: the room that it needs. */
enum { SCANNER_ENDS_MAX = 8192 };

struct scanner_found {
	size_t count;     /* ends, up to and with that of the last whole regular record */
	bool irregular;   /* the record behind them is irregular */
	bool has_doubled; /* some quoted field may hold a doubled quote */
	bool spans;       /* some record may hold a line end in quotes */
};

/* The fastest kind that the processor has. False: such records are never regular (the delimiter is a quote or
 * a line end). `quote` '\0': every quote is data. */
bool scanner_init(struct scanner *scanner, char delimiter, char quote);

/* A certain kind; false too where the processor or the build lacks it. */
bool scanner_init_kind(struct scanner *scanner, enum scanner_kind kind, char delimiter, char quote);

/*
 * Scans from the beginning of a record: ends[i] is the offset of the delimiter or line feed behind a field.
 * Only the first UINT32_MAX bytes are looked at. found.count 0 and not irregular: the bytes
 * hold no whole record, or it has too many fields.
 */
static inline struct scanner_found scanner_scan(const struct scanner *scanner, const char *bytes,
                                                size_t count, uint32_t *ends)
{
	return scanner->scan(scanner->delimiter, scanner->quote, bytes, count, ends);
}

#endif
