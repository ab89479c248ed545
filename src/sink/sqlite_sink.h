// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_SQLITE_SINK_H
#define ROWSIEVE_SINK_SQLITE_SINK_H

#include "sink/sink.h"

/*
 * The embedded sink: one SQLite file in WAL mode with synchronous=FULL, both read back. Column types: INTEGER
 * for integer, DATE and DATETIME for those (held as ISO text), TEXT for the rest; decimals are exact text.
 * Made with mode 0640. Other processes may read (and write) beside us: a lock is waited for, then it is
 * RESULT_UNREACHABLE.
 */
enum result sqlite_sink_open(struct sink **out, const char *path, struct error *error) WARN_UNUSED;

#endif
