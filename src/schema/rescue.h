// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SCHEMA_RESCUE_H
#define ROWSIEVE_SCHEMA_RESCUE_H

#include "base/buffer.h"
#include "base/error.h"

/* The JSON object of SCHEMA_RESCUED for one record at a time. */
struct rescue;

struct rescue *rescue_new(size_t field_count); /* NULL without memory */
void rescue_free(struct rescue *rescue);       /* NULL is fine */

/* What the values of this field are called where they have no column; a copy. Without a name they are not
 * rescued. */
enum result rescue_name(struct rescue *rescue, size_t field, const char *name) WARN_UNUSED;

/* Takes the fields of a record that have a name, and those behind the header's last, which are called after
 * their place; empty ones leave no trace. RESULT_INVALID: text that is not UTF-8. */
enum result rescue_fields(struct rescue *rescue, const struct slice *fields, size_t count) WARN_UNUSED;

/* Takes a value that is none of its column. Results as above. */
enum result rescue_value(struct rescue *rescue, const char *column, struct slice text) WARN_UNUSED;

/* Ends the record: the text of everything taken, which lives until the next call; data NULL when nothing was.
 */
enum result rescue_text(struct rescue *rescue, struct slice *text) WARN_UNUSED;

#endif
