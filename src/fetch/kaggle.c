// SPDX-License-Identifier: Apache-2.0
#include "fetch/kaggle.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/cleanup.h"

enum { ANSWER_MAX = 4 * 1024 * 1024 };

struct kaggle {
	struct web *web;
	struct endpoint *endpoint;
	const struct account *account;
};

enum result kaggle_open(struct kaggle **out, const struct kaggle_options *options, struct error *error)
{
	struct kaggle *kaggle = calloc(1, sizeof *kaggle);
	if (kaggle == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	kaggle->account = options->account;
	enum result result = endpoint_open(&kaggle->endpoint, options->endpoint, error);
	if (result == RESULT_OK) {
		struct web_options web = {.ca = options->ca,
		                          .is_plain_http = endpoint_is_plain_http(kaggle->endpoint)};
		result = web_open(&kaggle->web, &web, error);
	}
	if (result != RESULT_OK) {
		kaggle_close(kaggle);
		return result;
	}
	*out = kaggle;
	return RESULT_OK;
}

void kaggle_close(struct kaggle *kaggle)
{
	if (kaggle == NULL)
		return;
	web_close(kaggle->web);
	endpoint_close(kaggle->endpoint);
	free(kaggle);
}

const struct endpoint *kaggle_endpoint(const struct kaggle *kaggle)
{
	return kaggle->endpoint;
}

enum result kaggle_get(struct kaggle *kaggle, struct web_request *request, struct web_answer *answer,
                       struct error *error)
{
	bool is_own = endpoint_owns(kaggle->endpoint, request->url);
	request->authorization = is_own ? kaggle->account->authorization : NULL;
	return web_get(kaggle->web, request, answer, error);
}

static enum result collect(void *context, const struct web_answer *answer, struct slice bytes,
                           struct error *error)
{
	struct buffer *body = context;
	(void)answer;
	if (body->length + bytes.length > ANSWER_MAX)
		return error_set(error, RESULT_INVALID, "the server's answer is larger than %d bytes",
		                 ANSWER_MAX);
	if (buffer_append(body, bytes.data, bytes.length) != RESULT_OK)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	return RESULT_OK;
}

/* The current version among `versions`: is it said to be anything else than ready? */
static bool is_ready(const json_t *view, uint64_t version)
{
	size_t index;
	json_t *item;
	json_array_foreach(json_object_get(view, "versions"), index, item)
	{
		const char *status = json_string_value(json_object_get(item, "status"));
		if ((uint64_t)json_integer_value(json_object_get(item, "versionNumber")) == version &&
		    status != NULL && status[0] != '\0')
			return strcasecmp(status, "ready") == 0;
	}
	return true;
}

static enum result read_view(struct kaggle_dataset *dataset, struct slice body, struct error *error)
{
	json_t *view = json_loadb(body.data, body.length, 0, NULL);
	json_int_t version = json_integer_value(json_object_get(view, "currentVersionNumber"));
	if (version <= 0)
		version = json_integer_value(json_object_get(view, "currentVersionNumberNullable"));
	*dataset = (struct kaggle_dataset){.id = json_integer_value(json_object_get(view, "id")),
	                                   .version = version > 0 ? (uint64_t)version : 0};
	dataset->is_ready = is_ready(view, dataset->version);
	json_decref(view);
	if (dataset->version == 0)
		return error_set(error, RESULT_UNREACHABLE,
		                 "the server's answer makes no sense: no current version in it");
	return RESULT_OK;
}

enum result kaggle_view(struct kaggle *kaggle, const struct handle *handle, struct kaggle_dataset *dataset,
                        struct kaggle_trouble *trouble, struct error *error)
{
	CLEANUP_FREE char *url = NULL;
	CLEANUP(buffer_free) struct buffer body = {0};
	struct web_answer answer;
	*trouble = (struct kaggle_trouble){0};
	if (asprintf(&url, "%s/api/v1/datasets/view/%s/%s", endpoint_url(kaggle->endpoint), handle->owner,
	             handle->slug) < 0) {
		url = NULL;
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	}
	struct web_request request = {.url = url, .take = collect, .context = &body};
	enum result result = kaggle_get(kaggle, &request, &answer, error);
	if (result != RESULT_OK)
		return result;
	struct slice text = {body.data, body.length};
	memcpy(trouble->retry_after, answer.retry_after, sizeof trouble->retry_after);
	if (refusal_read(&trouble->refusal, answer.status, text))
		return kaggle_explain(kaggle, &trouble->refusal, error);
	if (answer.status != 200)
		return error_set(error, RESULT_UNREACHABLE, "the server answered with status %ld",
		                 answer.status);
	return read_view(dataset, text, error);
}

char *kaggle_download_url(const struct kaggle *kaggle, const struct handle *handle, uint64_t version)
{
	CLEANUP_FREE char *file = handle_encode(handle->file);
	char *url;
	if (file == NULL)
		return NULL;
	int length = asprintf(&url, "%s/api/v1/datasets/download/%s/%s%s%s?datasetVersionNumber=%" PRIu64,
	                      endpoint_url(kaggle->endpoint), handle->owner, handle->slug,
	                      file[0] != '\0' ? "/" : "", file, version);
	return length < 0 ? NULL : url;
}

static void hint(const struct kaggle *kaggle, int code, struct error *error)
{
	const struct account *account = kaggle->account;
	bool is_anonymous = account->authorization == NULL;
	if (code == 401 && !is_anonymous)
		error_hint(error, "check the credentials of %s", account->origin);
	else if (code == 403 && !is_anonymous)
		error_hint(error,
		           "accept its rules on its Kaggle page, or use credentials that may read it; these "
		           "are of %s",
		           account->origin);
	else if (code == 401 || code == 403)
		error_hint(error, "it may need credentials: put an API token into ~/.kaggle/access_token");
	else if (code == 404)
		error_hint(error, "check the name; a private data set is not found without credentials");
	else if (code == 429)
		error_hint(error, "it is asked again when it allows");
}

enum result kaggle_explain(const struct kaggle *kaggle, const struct refusal *refusal, struct error *error)
{
	bool may_pass = refusal->code == 429 || refusal->code == 408 || refusal->code >= 500;
	/* A server that shows us our own secret shall not bring it into a log. */
	bool is_secret = account_show_in(kaggle->account, refusal->text);
	enum result result = may_pass ? RESULT_UNREACHABLE : RESULT_INVALID;
	error_set(error, result, "refused with %d: %s", refusal->code,
	          is_secret ? "(hidden)" : refusal->text);
	hint(kaggle, refusal->code, error);
	return result;
}
