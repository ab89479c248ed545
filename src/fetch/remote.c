// SPDX-License-Identifier: Apache-2.0
#include "fetch/remote.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "fetch/patience.h"

enum {
	REFUSAL_MAX = 64 * 1024, /* of a body that is no data */
	TRIES_MAX = 5,           /* in a row, without a byte */
	HOPS_MAX = 5,
	RENEWALS_MAX = 2,
};

struct remote {
	struct kaggle *kaggle;
	char *source; /* the endpoint's URL */
	char *url;    /* where it led last; a secret */
	struct remote_identity identity;
	struct kaggle_trouble trouble;
	uint64_t received;
	unsigned tries, hops, renewals; /* since the last byte */
	remote_progress *progress;
	void *context;
};

enum kind {
	KIND_UNJUDGED,
	KIND_DATA,
	KIND_OTHER,     /* a redirect, a refusal */
	KIND_NO_RANGES, /* all of it, where a part was asked for */
};

/* One request. */
struct attempt {
	struct remote *remote;
	const struct remote_sink *sink;
	uint64_t *position;
	uint64_t end;
	enum kind kind;
	struct buffer body; /* of what is no data */
};

static const struct remote_identity NOTHING = {.total = -1};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

enum result remote_open(struct remote **out, struct kaggle *kaggle, const char *url,
                        const struct remote_identity *known, struct error *error)
{
	struct remote *remote = calloc(1, sizeof *remote);
	if (remote == NULL)
		return no_memory(error);
	remote->kaggle = kaggle;
	remote->identity = known != NULL ? *known : NOTHING;
	remote->source = strdup(url);
	remote->url = strdup(url);
	if (remote->source == NULL || remote->url == NULL) {
		remote_close(remote);
		return no_memory(error);
	}
	*out = remote;
	return RESULT_OK;
}

void remote_close(struct remote *remote)
{
	if (remote == NULL)
		return;
	free(remote->source);
	free(remote->url);
	free(remote);
}

void remote_watch(struct remote *remote, remote_progress *progress, void *context)
{
	remote->progress = progress;
	remote->context = context;
}

const struct remote_identity *remote_identity(const struct remote *remote)
{
	return &remote->identity;
}

const struct kaggle_trouble *remote_trouble(const struct remote *remote)
{
	return &remote->trouble;
}

uint64_t remote_received(const struct remote *remote)
{
	return remote->received;
}

void remote_forget(struct remote *remote)
{
	remote->identity = NOTHING;
}

/* False when both say something, and not the same; what is new is added. */
static bool merge_text(char known[WEB_TEXT_MAX], const char found[WEB_TEXT_MAX])
{
	if (known[0] != '\0' && found[0] != '\0')
		return strcmp(known, found) == 0;
	if (found[0] != '\0')
		memcpy(known, found, WEB_TEXT_MAX);
	return true;
}

static enum result compare(struct remote *remote, const struct web_answer *answer, int64_t total,
                           struct error *error)
{
	struct remote_identity *known = &remote->identity;
	bool is_same = known->total < 0 || total < 0 || known->total == total;
	is_same = is_same && merge_text(known->etag, answer->etag) &&
	          merge_text(known->modified, answer->modified) && merge_text(known->md5, answer->md5) &&
	          merge_text(known->crc32c, answer->crc32c);
	if (!is_same)
		return error_set(error, RESULT_CHANGED, "the file was replaced on the server meanwhile");
	if (total >= 0)
		known->total = total;
	return RESULT_OK;
}

/* All of it from the beginning, wanted or not. */
static enum result judge_whole(struct attempt *attempt, const struct web_answer *answer, struct error *error)
{
	bool is_part = *attempt->position > 0 || attempt->end != UINT64_MAX;
	if (is_part && (attempt->sink->restart == NULL || attempt->end != UINT64_MAX)) {
		attempt->kind = KIND_NO_RANGES;
		attempt->remote->identity.total = answer->length;
		return RESULT_END;
	}
	attempt->kind = KIND_DATA;
	if (is_part) {
		enum result result = attempt->sink->restart(attempt->sink->context, error);
		if (result != RESULT_OK)
			return result;
		*attempt->position = 0;
		remote_forget(attempt->remote);
	}
	return compare(attempt->remote, answer, answer->length, error);
}

/* The endpoint itself says what is wrong in JSON or HTML, at 200 too. */
static bool is_message(const struct attempt *attempt, const struct web_answer *answer)
{
	return endpoint_owns(kaggle_endpoint(attempt->remote->kaggle), attempt->remote->url) &&
	       (strncasecmp(answer->type, "application/json", 16) == 0 ||
	        strncasecmp(answer->type, "text/html", 9) == 0);
}

static enum result judge(struct attempt *attempt, const struct web_answer *answer, struct error *error)
{
	attempt->kind = KIND_OTHER;
	if ((answer->status != 200 && answer->status != 206) || is_message(attempt, answer))
		return RESULT_OK;
	if (answer->status == 200)
		return judge_whole(attempt, answer, error);
	if (answer->range_start < 0 || (uint64_t)answer->range_start != *attempt->position)
		return error_set(error, RESULT_INVALID,
		                 "the server sent another range than it was asked for");
	attempt->kind = KIND_DATA;
	return compare(attempt->remote, answer, answer->range_total, error);
}

static enum result take_data(struct attempt *attempt, struct slice bytes, struct error *error)
{
	struct remote *remote = attempt->remote;
	int64_t total = remote->identity.total;
	uint64_t end = total >= 0 && (uint64_t)total < attempt->end ? (uint64_t)total : attempt->end;
	if (bytes.length > end - *attempt->position)
		return error_set(error, RESULT_INVALID, "the server sent more than it was asked for");
	enum result result = attempt->sink->append(attempt->sink->context, bytes, error);
	if (result != RESULT_OK)
		return result;
	*attempt->position += bytes.length;
	remote->tries = remote->hops = remote->renewals = 0;
	if (remote->progress != NULL)
		remote->progress(remote->context, *attempt->position, total);
	return RESULT_OK;
}

static enum result take(void *context, const struct web_answer *answer, struct slice bytes,
                        struct error *error)
{
	struct attempt *attempt = context;
	enum result result = RESULT_OK;
	attempt->remote->received += bytes.length;
	if (attempt->kind == KIND_UNJUDGED)
		result = judge(attempt, answer, error);
	if (result != RESULT_OK)
		return result;
	if (attempt->kind == KIND_DATA)
		return take_data(attempt, bytes, error);
	if (attempt->body.length + bytes.length > REFUSAL_MAX)
		return RESULT_END;
	return buffer_append(&attempt->body, bytes.data, bytes.length) == RESULT_OK ? RESULT_OK
	                                                                            : no_memory(error);
}

static enum result go_to(struct remote *remote, const char *url, struct error *error)
{
	char *copy = strdup(url);
	if (copy == NULL)
		return no_memory(error);
	free(remote->url);
	remote->url = copy;
	return RESULT_OK;
}

static enum result follow(struct remote *remote, const struct web_answer *answer, struct error *error)
{
	if (answer->location == NULL)
		return error_set(error, RESULT_INVALID, "redirected to nowhere");
	if (++remote->hops > HOPS_MAX)
		return error_set(error, RESULT_INVALID, "redirected more than %d times in a row", HOPS_MAX);
	enum result result = endpoint_check_target(kaggle_endpoint(remote->kaggle), answer->location, error);
	return result == RESULT_OK ? go_to(remote, answer->location, error) : result;
}

/* RESULT_OK: try again now; else what is in *error stands. */
static enum result try_later(struct remote *remote)
{
	if (++remote->tries > TRIES_MAX)
		return RESULT_UNREACHABLE;
	patience_pause(remote->tries);
	return RESULT_OK;
}

/* Nothing there from this position on: right when that is the end. */
static enum result judge_416(struct attempt *attempt, const struct web_answer *answer, struct error *error)
{
	const struct remote_identity *identity = &attempt->remote->identity;
	int64_t total = answer->range_total >= 0 ? answer->range_total : identity->total;
	if (attempt->end == UINT64_MAX && total >= 0 && (uint64_t)total == *attempt->position)
		return RESULT_END;
	if (attempt->sink->restart == NULL || *attempt->position == 0 || attempt->end != UINT64_MAX)
		return error_set(error, RESULT_CHANGED, "the file on the server is shorter than it was");
	*attempt->position = 0;
	remote_forget(attempt->remote);
	return attempt->sink->restart(attempt->sink->context, error);
}

/* RESULT_OK: go on. */
static enum result judge_refusal(struct attempt *attempt, const struct web_answer *answer,
                                 struct error *error)
{
	struct remote *remote = attempt->remote;
	struct refusal *refusal = &remote->trouble.refusal;
	bool is_own = endpoint_owns(kaggle_endpoint(remote->kaggle), remote->url);
	memcpy(remote->trouble.retry_after, answer->retry_after, sizeof answer->retry_after);
	if (!refusal_read(refusal, answer->status, (struct slice){attempt->body.data, attempt->body.length}))
		return error_set(error, RESULT_UNREACHABLE, "the server answered with status %ld and no file",
		                 answer->status);
	if (!is_own && (refusal->code == 400 || refusal->code == 401 || refusal->code == 403) &&
	    ++remote->renewals <= RENEWALS_MAX)
		return go_to(remote, remote->source, error);
	enum result result = kaggle_explain(remote->kaggle, refusal, error);
	bool is_trouble = result == RESULT_UNREACHABLE && refusal->code != 429;
	return is_trouble ? try_later(remote) : result;
}

/* Is everything there? Where the server gave no length, the end of the body is the end. */
static bool is_complete(const struct attempt *attempt)
{
	int64_t total = attempt->remote->identity.total;
	if (attempt->end != UINT64_MAX)
		return *attempt->position == attempt->end;
	return total < 0 || *attempt->position == (uint64_t)total;
}

/* The connection broke. What has no mark to know it by again is read from the beginning. */
static enum result after_break(struct attempt *attempt, struct error *error)
{
	struct remote *remote = attempt->remote;
	const struct remote_identity *identity = &remote->identity;
	enum result result = try_later(remote);
	bool has_mark = identity->etag[0] != '\0' || identity->md5[0] != '\0' ||
	                identity->crc32c[0] != '\0' || identity->modified[0] != '\0';
	if (result != RESULT_OK || has_mark || *attempt->position == 0 || attempt->sink->restart == NULL)
		return result;
	*attempt->position = 0;
	return attempt->sink->restart(attempt->sink->context, error);
}

/* One request and what follows from it. RESULT_OK: go on; RESULT_END: everything is there. */
static enum result step(struct attempt *attempt, struct error *error)
{
	struct remote *remote = attempt->remote;
	struct web_answer answer;
	struct web_request request = {
	    .url = remote->url,
	    .has_range = *attempt->position > 0 || attempt->end != UINT64_MAX,
	    .range_start = *attempt->position,
	    .range_end = attempt->end != UINT64_MAX ? attempt->end - 1 : UINT64_MAX,
	    .take = take,
	    .context = attempt,
	};
	enum result result = kaggle_get(remote->kaggle, &request, &answer, error);
	if (result == RESULT_UNREACHABLE)
		return after_break(attempt, error);
	if (result == RESULT_OK && attempt->kind == KIND_UNJUDGED)
		result = judge(attempt, &answer, error);
	if (result != RESULT_OK && result != RESULT_END)
		return result;
	if (attempt->kind == KIND_NO_RANGES)
		return error_set(error, RESULT_REFUSED, "the server gives no ranges");
	if (attempt->kind == KIND_DATA && is_complete(attempt))
		return RESULT_END;
	if (attempt->kind == KIND_DATA) {
		error_set(error, RESULT_UNREACHABLE, "the server sent less than it was asked for");
		return after_break(attempt, error);
	}
	if (answer.status >= 301 && answer.status <= 308 && answer.status != 304)
		return follow(remote, &answer, error);
	if (answer.status == 416)
		return judge_416(attempt, &answer, error);
	return judge_refusal(attempt, &answer, error);
}

enum result remote_read(struct remote *remote, uint64_t *position, uint64_t end,
                        const struct remote_sink *sink, struct error *error)
{
	enum result result = *position < end ? RESULT_OK : RESULT_END;
	remote->tries = remote->hops = remote->renewals = 0;
	remote->trouble = (struct kaggle_trouble){0};
	while (result == RESULT_OK) {
		struct attempt attempt = {.remote = remote, .sink = sink, .position = position, .end = end};
		result = step(&attempt, error);
		buffer_free(&attempt.body);
	}
	return result == RESULT_END ? RESULT_OK : result;
}
