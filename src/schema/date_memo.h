// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_DATE_MEMO_H
#define ROWSIEVE_SCHEMA_DATE_MEMO_H

#include "schema/date.h"

/*
 * The dates of one column that were read before. A file has few different dates, and to read one takes several times as
 * long as to find it here. For one thread.
 */
struct date_memo;

struct date_memo *date_memo_new(void);       /* NULL without memory; 256 KiB */
void date_memo_free(struct date_memo *memo); /* NULL is fine */

/* As date_canonical(), with the formats of each call the same, of a field with slack (base/slice.h). */
size_t date_memo_canonical(struct date_memo *memo, char text[DATE_TEXT_SIZE], struct slice field,
                           const struct type_formats *formats);

#endif
