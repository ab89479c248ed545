// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_METADATA_H
#define ROWSIEVE_STORE_METADATA_H

#include <stdatomic.h>

#include "store/credentials.h"

/* Keys that the surroundings hand out for a while: a container's agent, or the machine's metadata service. */

/* RESULT_END: the environment names no container agent. */
enum result metadata_of_container(struct credentials_keys *out, const atomic_bool *stop,
                                  struct error *error) WARN_UNUSED;

/* RESULT_END: this is no such machine, or it has no role. */
enum result metadata_of_machine(struct credentials_keys *out, const atomic_bool *stop,
                                struct error *error) WARN_UNUSED;

#endif
