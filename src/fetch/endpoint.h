// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_ENDPOINT_H
#define ROWSIEVE_FETCH_ENDPOINT_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Where requests may go. The endpoint is https, or http on this machine's loopback when it is configured so
 * (a test server). What it redirects to must be on its own host or on one that is known to store Kaggle's
 * files, and must be https too, unless endpoint and target are both http on loopback. Only the endpoint
 * itself, the same scheme, host and port, is given credentials.
 */
struct endpoint;

/* `url` is scheme://host[:port][/]. RESULT_CONFIG otherwise. */
enum result endpoint_open(struct endpoint **out, const char *url, struct error *error) WARN_UNUSED;
void endpoint_close(struct endpoint *endpoint); /* NULL is fine */

/* Without a '/' at the end. */
const char *endpoint_url(const struct endpoint *endpoint);
const char *endpoint_host(const struct endpoint *endpoint);
bool endpoint_is_plain_http(const struct endpoint *endpoint);

bool endpoint_owns(const struct endpoint *endpoint, const char *url);

/* May a redirect lead there? The message names the host only: a signed URL is a secret. */
enum result endpoint_check_target(const struct endpoint *endpoint, const char *url,
                                  struct error *error) WARN_UNUSED;

#endif
