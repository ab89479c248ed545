// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CONFIG_READER_H
#define ROWSIEVE_CONFIG_READER_H

#include <confuse.h>

#include "base/error.h"

/*
 * Files and overrides as libconfuse's tree: syntax, keys (config/keys.h) and each single value are checked,
 * what the values mean together is not. libconfuse's lexer is global: one call at a time in the whole
 * program.
 *
 * The tree goes with cfg_free(). `path` may be NULL: then there are only defaults and overrides.
 */
enum result reader_read(cfg_t **out, const char *path, const char *const *overrides, size_t count,
                        struct error *error) WARN_UNUSED;

/* The text of a key that has no default; NULL where it is unset or empty. */
const char *reader_string(cfg_t *section, const char *name);

/* RESULT_CONFIG about a section: says where it ends in which file, or which override touched it last. */
enum result reader_fault(const cfg_t *section, struct error *error, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
