// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_PROFILE_H
#define ROWSIEVE_STORE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * One value of an AWS profile file: sections in brackets, "key = value", comments from '#' or ';' at the
 * beginning of a line. In ~/.aws/config a section is [profile NAME] but for [default].
 *
 * RESULT_END: no such file, section or key. RESULT_CONFIG: the file cannot be read, or the value is too long.
 */
enum result profile_read(const char *path, const char *section, const char *key, char *out, size_t size,
                         struct error *error) WARN_UNUSED;

#endif
