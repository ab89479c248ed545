// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SOURCE_CHARSET_H
#define ROWSIEVE_SOURCE_CHARSET_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

/*
 * Encodings of text, by their iconv names, to UTF-8. One that extends ASCII byte by byte (Latin-1, the
 * Windows and Mac code pages) is decoded field by field, after splitting, so that raw bytes and offsets stay
 * those of the file. Every other one (UTF-16, Shift-JIS) is wide: it is decoded as a stream before anything
 * else looks at it. What has no meaning in the encoding becomes CHARSET_INVALID, which is not UTF-8, so that
 * the value it stands in is refused and nothing else is.
 */
struct charset;

enum { CHARSET_GROWTH = 4 /* bytes of UTF-8 for one byte, at most */, CHARSET_NAME_MAX = 31 };
#define CHARSET_INVALID '\xff'

/* RESULT_CONFIG: iconv knows no such encoding. *out is NULL for UTF-8, which needs none. */
enum result charset_open(struct charset **out, const char *name, struct error *error) WARN_UNUSED;
void charset_close(struct charset *charset); /* NULL is fine */

bool charset_is_wide(const struct charset *charset);

/* Decodes a field of an encoding that is not wide into `out`, which has CHARSET_GROWTH bytes for each of its
 * bytes; the number of bytes written. */
size_t charset_decode(const struct charset *charset, struct slice field, char *out);

/* Makes the fields of a record, in place, point to their text in `out`. RESULT_NO_MEMORY. */
enum result charset_decode_fields(const struct charset *charset, struct slice *fields, size_t count,
                                  struct buffer *out) WARN_UNUSED;

/* Nothing to decode in an encoding that is not wide? */
bool charset_is_ascii(struct slice bytes);

/* Appends the text of more bytes of a stream in a wide encoding. What is cut at their end waits in the charset
 * for the next call; is_last says that there is none. */
enum result charset_feed(struct charset *charset, struct slice bytes, bool is_last, struct buffer *out,
                         struct error *error) WARN_UNUSED;

/* The encoding that a byte order mark at the beginning of the text tells; NULL without one. */
const char *charset_of_mark(struct slice head);

#endif
