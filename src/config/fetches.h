// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CONFIG_FETCHES_H
#define ROWSIEVE_CONFIG_FETCHES_H

#include <confuse.h>

#include "config/config.h"

/* The fetch sections of a tree, as config/datasets.h has the dataset sections. */
enum result fetches_read(struct config_fetch **out, size_t *count, cfg_t *root,
                         struct error *error) WARN_UNUSED;

#endif
