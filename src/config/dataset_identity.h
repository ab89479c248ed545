// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CONFIG_DATASET_IDENTITY_H
#define ROWSIEVE_CONFIG_DATASET_IDENTITY_H

#include <confuse.h>

#include "config/config.h"

/* Reads what a dataset section says of equal rows, keys and changes, checked against each other. The columns
 * must have been read. */
enum result dataset_identity_read(struct config_dataset *dataset, cfg_t *section,
                                  struct error *error) WARN_UNUSED;
void dataset_identity_free(struct config_dataset *dataset);

#endif
