// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CONFIG_DATASET_RULES_H
#define ROWSIEVE_CONFIG_DATASET_RULES_H

#include <confuse.h>

#include "config/config.h"

/* How the files of a dataset are written and what becomes of their values: everything of a dataset section that
 * is neither about single columns nor about the identity. */
enum result dataset_rules_read(struct config_dataset *dataset, cfg_t *section,
                               struct error *error) WARN_UNUSED;
void dataset_rules_free(struct config_dataset *dataset);

#endif
