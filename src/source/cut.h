// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_CUT_H
#define ROWSIEVE_SOURCE_CUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * Content-defined chunks: where a stretch of CSV bytes is cut depends on the bytes around the cut and on a secret, not
 * on what stands before. So an insertion moves the cuts near it and no others. Cuts fall behind line feeds outside
 * quotes, as far as counting quotes can tell: whether a cut is a record boundary, only the parser knows.
 */
struct cut_rule {
	uint64_t key[2];
	char quote; /* '\0': none */
};

/* Bytes of a chunk: `least` and `most`, and about `mean` where lines are short beside that. */
struct cut_size {
	size_t least;
	size_t mean;
	size_t most;
};

/*
 * The length of the chunk at the beginning of `bytes`; 0 where that depends on what follows, unless `are_all` there is:
 * size->most + CUT_AHEAD bytes are always enough. A chunk without any line feed has `most` bytes.
 */
enum { CUT_AHEAD = 8 };
size_t cut_find(const struct cut_rule *rule, const struct cut_size *size, struct slice bytes, bool are_all);

/* The same without AVX2: all there is on other processors. */
size_t cut_find_plain(const struct cut_rule *rule, const struct cut_size *size, struct slice bytes,
                      bool are_all);

/* Physical lines: they end at LF, CRLF and a lone CR. */
uint64_t cut_count_lines(struct slice bytes);

#endif
