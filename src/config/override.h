// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CONFIG_OVERRIDE_H
#define ROWSIEVE_CONFIG_OVERRIDE_H

#include <confuse.h>

#include "base/error.h"

/* The line of a section that an override touched; its filename is the override. */
enum { OVERRIDE_LINE = 0 };

/*
 * One -o: key=value, section.key=value, dataset.NAME.key=value or dataset.NAME.column.COLUMN.key=value. A
 * dataset or column that is not there is made. Lists are a,b or {"a", "b"}. RESULT_CONFIG names the override.
 */
enum result override_apply(cfg_t *root, const char *text, struct error *error) WARN_UNUSED;

#endif
