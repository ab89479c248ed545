// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CONFIG_DATASETS_H
#define ROWSIEVE_CONFIG_DATASETS_H

#include <confuse.h>

#include "config/config.h"

/*
 * The dataset sections of a tree, checked for what they say together: names, tables, patterns, columns. The
 * strings stay the tree's; the array goes with datasets_free().
 */
enum result datasets_read(struct config_dataset **out, size_t *count, cfg_t *root,
                          struct error *error) WARN_UNUSED;
void datasets_free(struct config_dataset *datasets, size_t count); /* NULL is fine */

#endif
