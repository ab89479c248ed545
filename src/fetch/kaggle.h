// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_KAGGLE_H
#define ROWSIEVE_FETCH_KAGGLE_H

#include <stdbool.h>
#include <stdint.h>

#include "fetch/account.h"
#include "fetch/endpoint.h"
#include "fetch/handle.h"
#include "fetch/refusal.h"
#include "fetch/web.h"

/* Kaggle's REST interface: what there is of a data set, and where it is downloaded. */
struct kaggle;

struct kaggle_options {
	const char *endpoint;
	const char *ca;                /* NULL: the system's authorities */
	const struct account *account; /* borrowed */
};

struct kaggle_dataset {
	int64_t id;
	uint64_t version; /* the current one */
	bool is_ready;    /* nothing says that it is still being processed */
};

/* What was answered instead of what was asked for; code 0: nothing of the kind. */
struct kaggle_trouble {
	struct refusal refusal;
	char retry_after[WEB_TEXT_MAX];
};

enum result kaggle_open(struct kaggle **out, const struct kaggle_options *options,
                        struct error *error) WARN_UNUSED;
void kaggle_close(struct kaggle *kaggle); /* NULL is fine */

const struct endpoint *kaggle_endpoint(const struct kaggle *kaggle);

/* web_get(), with credentials if and only if the URL is the endpoint's own. */
enum result kaggle_get(struct kaggle *kaggle, struct web_request *request, struct web_answer *answer,
                       struct error *error) WARN_UNUSED;

/* One request. A failure that the server explained fills *trouble too. */
enum result kaggle_view(struct kaggle *kaggle, const struct handle *handle, struct kaggle_dataset *dataset,
                        struct kaggle_trouble *trouble, struct error *error) WARN_UNUSED;

/* Where the endpoint redirects to the bytes of this version; newly allocated, NULL without memory. */
char *kaggle_download_url(const struct kaggle *kaggle, const struct handle *handle, uint64_t version);

/* The error for a refusal: RESULT_UNREACHABLE where it may pass by itself, else RESULT_INVALID. */
enum result kaggle_explain(const struct kaggle *kaggle, const struct refusal *refusal, struct error *error);

#endif
