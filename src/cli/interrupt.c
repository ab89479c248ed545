// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <signal.h>
#include <stdbool.h>

static atomic_bool is_requested;

static void on_signal(int number)
{
	(void)number;
	atomic_store(&is_requested, true);
}

const atomic_bool *interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return &is_requested;
}
