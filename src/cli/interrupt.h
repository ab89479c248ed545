// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_INTERRUPT_H
#define ROWSIEVE_CLI_INTERRUPT_H

#include <stdatomic.h>

/* From now on the first SIGINT or SIGTERM only sets the flag that is returned, and what is under way ends at the next
 * safe place; a second one ends the program. For the commands that work in the foreground. */
const atomic_bool *interrupt_catch(void);

#endif
