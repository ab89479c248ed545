// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_STORE_TASK_H
#define ROWSIEVE_CLI_STORE_TASK_H

#include "cli/task.h"

/* The tasks (cli/task.h) that ask the object store. */

/* Compares the manifests of a dataset with the store; *exit_status is 1 when something is not there. */
enum result store_task_audit(const struct task *task, const char *dataset, int *exit_status,
                             struct error *error) WARN_UNUSED;

/* Brings the stored rows of a dataset back into its empty table. */
enum result store_task_restore(const struct task *task, const char *dataset, struct error *error) WARN_UNUSED;

#endif
