// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_XML_H
#define ROWSIEVE_STORE_XML_H

#include "base/buffer.h"
#include "base/error.h"

/* The answers of S3 are flat: what counts is the text of elements, and which element they stand in. */

/* Called at the end of each element, with the one around it ("" at the top) and its text. The end of an
 * element that holds others comes after theirs, with whatever text stands between them. RESULT_OK goes on. */
typedef enum result xml_element(void *context, const char *parent, const char *name, const char *text);

/* RESULT_INVALID: it is no XML. Otherwise what each() returned last. */
enum result xml_each(const struct buffer *body, xml_element *each, void *context) WARN_UNUSED;

/* The text of the first element of that name; false when there is none. */
bool xml_find(const struct buffer *body, const char *name, char *out, size_t size);

#endif
