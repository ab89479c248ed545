// SPDX-License-Identifier: Apache-2.0
#include "store/http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"

/* More than any answer of the protocols that are spoken here. */
enum { BODY_MAX = 16 << 20, HEADERS_MAX = 256 << 10, UPLOAD_PIECE = 512 << 10 };

struct http {
	CURL *curl;
	struct http_options options;
	char reason[CURL_ERROR_SIZE];
};

/* One request under way. */
struct exchange {
	const struct http *http;
	const struct http_request *request;
	struct http_answer *answer;
	uint64_t sent;
	struct error failure; /* of our own side, in a callback */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum result http_open(struct http **out, const struct http_options *options, struct error *error)
{
	pthread_once(&once, init_curl);
	struct http *http = calloc(1, sizeof *http);
	if (http == NULL || (http->curl = curl_easy_init()) == NULL) {
		free(http);
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	}
	http->options = *options;
	*out = http;
	return RESULT_OK;
}

void http_close(struct http *http)
{
	if (http == NULL)
		return;
	curl_easy_cleanup(http->curl);
	free(http);
}

void http_free_answer(struct http_answer *answer)
{
	buffer_free(&answer->headers);
	buffer_free(&answer->body);
}

static size_t send_body(char *out, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	const struct http_request *request = exchange->request;
	uint64_t left = request->size - exchange->sent;
	size_t wanted = size * count < left ? size * count : (size_t)left;
	if (request->bytes != NULL) {
		memcpy(out, (const char *)request->bytes + exchange->sent, wanted);
		exchange->sent += wanted;
		return wanted;
	}
	ssize_t got;
	do
		got = pread(request->fd, out, wanted, (off_t)(request->offset + exchange->sent));
	while (got < 0 && errno == EINTR);
	if (got < 0 || (got == 0 && wanted > 0)) {
		error_set(&exchange->failure, got < 0 ? RESULT_IO : RESULT_CHANGED,
		          "cannot read what is to be stored");
		return CURL_READFUNC_ABORT;
	}
	exchange->sent += (uint64_t)got;
	return (size_t)got;
}

/* libcurl sends again what a stale connection swallowed. */
static int seek_body(void *context, curl_off_t offset, int origin)
{
	struct exchange *exchange = context;
	if (origin != SEEK_SET || offset < 0)
		return CURL_SEEKFUNC_CANTSEEK;
	exchange->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	size_t length = size * count;
	long status = 0;
	curl_easy_getinfo(exchange->http->curl, CURLINFO_RESPONSE_CODE, &status);
	if (exchange->request->write != NULL && status >= 200 && status < 300) {
		enum result result =
		    exchange->request->write(exchange->request->context, bytes, length, &exchange->failure);
		return result == RESULT_OK ? length : 0;
	}
	struct buffer *body = &exchange->answer->body;
	if (body->length + length > BODY_MAX || buffer_append(body, bytes, length) != RESULT_OK) {
		error_set(&exchange->failure, RESULT_UNREACHABLE, "the answer is too long");
		return 0;
	}
	return length;
}

/* A status line begins anew: what a proxy or a "100 Continue" said before does not count. */
static size_t take_header(char *bytes, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	struct buffer *headers = &exchange->answer->headers;
	size_t length = size * count;
	if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
		headers->length = 0;
		return length;
	}
	const char *colon = memchr(bytes, ':', length);
	if (colon == NULL || headers->length + length > HEADERS_MAX)
		return length;
	size_t start = headers->length;
	if (buffer_append(headers, bytes, length) != RESULT_OK)
		return 0;
	for (size_t i = 0; i < (size_t)(colon - bytes); i++)
		headers->data[start + i] = (char)tolower((unsigned char)headers->data[start + i]);
	return length;
}

static int look_for_stop(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                         curl_off_t up)
{
	const struct exchange *exchange = context;
	(void)down_total;
	(void)down;
	(void)up_total;
	(void)up;
	return exchange->http->options.stop != NULL && atomic_load(exchange->http->options.stop);
}

/* NULL without memory. "Expect:" is sent by nobody: the store's answer to it may take a second. */
static struct curl_slist *make_headers(const struct http_request *request)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	for (size_t i = 0; list != NULL && i < request->header_count; i++) {
		CLEANUP_FREE char *line = NULL;
		struct curl_slist *grown = NULL;
		/* A header without a value is sent with a ';' in libcurl's notation. */
		const char *format = request->headers[i].value[0] != '\0' ? "%s: %s" : "%s;%s";
		if (asprintf(&line, format, request->headers[i].name, request->headers[i].value) >= 0)
			grown = curl_slist_append(list, line);
		if (grown == NULL)
			curl_slist_free_all(list);
		list = grown;
	}
	return list;
}

static void set_method(CURL *curl, const struct http_request *request)
{
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	if (strcmp(request->method, "HEAD") == 0)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	if (!request->has_body)
		return;
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->size);
	curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_PIECE);
}

static void set_options(struct http *http, struct exchange *exchange, struct curl_slist *headers)
{
	CURL *curl = http->curl;
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, exchange->request->url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->reason);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, http->options.patience_s);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 3 * http->options.patience_s);
	if (http->options.ca != NULL)
		curl_easy_setopt(curl, CURLOPT_CAINFO, http->options.ca);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, send_body);
	curl_easy_setopt(curl, CURLOPT_READDATA, exchange);
	curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, seek_body);
	curl_easy_setopt(curl, CURLOPT_SEEKDATA, exchange);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_for_stop);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, exchange);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	set_method(curl, exchange->request);
}

static enum result explain(const struct http *http, CURLcode code, struct exchange *exchange,
                           struct error *error)
{
	const char *reason = http->reason[0] != '\0' ? http->reason : curl_easy_strerror(code);
	if (code == CURLE_ABORTED_BY_CALLBACK && exchange->failure.result == RESULT_OK)
		return error_set(error, RESULT_STOPPED, "stopped");
	if (exchange->failure.result != RESULT_OK) {
		*error = exchange->failure;
		return error->result;
	}
	if (code == CURLE_PEER_FAILED_VERIFICATION) {
		error_set(error, RESULT_CONFIG, "the server's certificate cannot be verified: %s", reason);
		error_hint(error, "s3.ca names the PEM file of the authority that signed it");
		return RESULT_CONFIG;
	}
	if (code == CURLE_SSL_CACERT_BADFILE) {
		error_set(error, RESULT_CONFIG, "'%s' cannot be used as s3.ca: %s", http->options.ca, reason);
		return RESULT_CONFIG;
	}
	if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
		error_set(error, RESULT_CONFIG, "'%s': %s", exchange->request->url, reason);
		error_hint(error, "s3.endpoint is a URL such as https://s3.example.org");
		return RESULT_CONFIG;
	}
	return error_set(error, RESULT_UNREACHABLE, "no answer: %s", reason);
}

enum result http_send(struct http *http, const struct http_request *request, struct http_answer *answer,
                      struct error *error)
{
	struct exchange exchange = {.http = http, .request = request, .answer = answer};
	struct curl_slist *headers = make_headers(request);
	answer->status = 0;
	answer->headers.length = answer->body.length = 0;
	if (headers == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	http->reason[0] = '\0';
	set_options(http, &exchange, headers);
	CURLcode code = curl_easy_perform(http->curl);
	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	/* A refusal may come, and the connection end, before all of the body is sent. */
	bool is_refused_early = code == CURLE_SEND_ERROR && answer->status >= 300;
	if (code != CURLE_OK && !is_refused_early)
		return explain(http, code, &exchange, error);
	if (buffer_reserve(&answer->body, 1) != RESULT_OK)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	answer->body.data[answer->body.length] = '\0';
	return RESULT_OK;
}

bool http_header(const struct http_answer *answer, const char *name, char *out, size_t size)
{
	size_t length = strlen(name);
	const char *at = answer->headers.data;
	const char *end = at + answer->headers.length;
	while (at != NULL && at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		line_end = line_end != NULL ? line_end : end;
		if ((size_t)(line_end - at) > length && memcmp(at, name, length) == 0 && at[length] == ':') {
			at += length + 1;
			while (at < line_end && isspace((unsigned char)*at))
				at++;
			while (line_end > at && isspace((unsigned char)line_end[-1]))
				line_end--;
			snprintf(out, size, "%.*s", (int)(line_end - at), at);
			return true;
		}
		at = line_end + 1;
	}
	return false;
}
