// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STORE_MODULE_H
#define ROWSIEVE_STORE_MODULE_H

#include <stdatomic.h>

#include "store/s3.h"

/*
 * Signatures of version 2, for stores that know nothing newer: by Debian's libs3, in a shared object of its own
 * that is loaded when it is asked for. libs3 is GPL-3, does not verify TLS, and knows no uploads in parts: it is
 * for http and for objects of up to 5 GB.
 */

/* RESULT_CONFIG: the module is not there, the endpoint is https, or the keys come with a session token. */
enum result module_open_v2(struct store **out, const struct s3_options *options,
                           struct error *error) WARN_UNUSED;

/* What the module exports, as "store_module". */
enum { MODULE_VERSION = 2 };
#define MODULE_SYMBOL "store_module"
#define MODULE_FILE "rowsieve-store-libs3.so"

struct module_options {
	const char *host; /* with its port */
	const char *bucket;
	const char *prefix; /* "" or ends in '/' */
	bool is_path_addressed;
	const char *access_key;
	const char *secret_key;
	const atomic_bool *stop;
};

struct module {
	unsigned version; /* MODULE_VERSION of its build */
	enum result (*open)(struct store **out, const struct module_options *options, struct error *error);
};

#endif
