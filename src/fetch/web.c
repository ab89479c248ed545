// SPDX-License-Identifier: Apache-2.0
#include "fetch/web.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

enum {
	CONNECT_SECONDS = 30,
	STALL_SECONDS = 60, /* without a byte */
	RECEIVE_BUFFER = 128 * 1024,
};

struct web {
	CURL *easy;
};

/* One request under way. */
struct exchange {
	CURL *easy;
	const struct web_request *request;
	struct web_answer *answer;
	struct error *error;
	bool has_answer;
	enum result result; /* of take() */
};

static void list_free(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

enum result web_open(struct web **out, const struct web_options *options, struct error *error)
{
	struct web *web = calloc(1, sizeof *web);
	if (web == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (web->easy = curl_easy_init()) == NULL) {
		free(web);
		return error_set(error, RESULT_NO_MEMORY, "cannot start libcurl");
	}
	CURL *easy = web->easy;
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, options->is_plain_http ? "http,https" : "https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "rowsieve/" ROWSIEVE_VERSION);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
	if (options->ca != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca);
	*out = web;
	return RESULT_OK;
}

void web_close(struct web *web)
{
	if (web == NULL)
		return;
	curl_easy_cleanup(web->easy);
	curl_global_cleanup();
	free(web);
}

static void copy_header(CURL *easy, const char *name, char out[WEB_TEXT_MAX])
{
	struct curl_header *header;
	if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		snprintf(out, WEB_TEXT_MAX, "%s", header->value);
}

/* "crc32c=…,md5=…", in one line or in several. */
static void read_hashes(CURL *easy, struct web_answer *answer)
{
	struct curl_header *header;
	for (size_t i = 0; curl_easy_header(easy, "x-goog-hash", i, CURLH_HEADER, -1, &header) == CURLHE_OK;
	     i++) {
		char text[2 * WEB_TEXT_MAX];
		char *rest = NULL;
		snprintf(text, sizeof text, "%s", header->value);
		for (char *part = strtok_r(text, ", ", &rest); part; part = strtok_r(NULL, ", ", &rest)) {
			if (strncasecmp(part, "md5=", 4) == 0)
				snprintf(answer->md5, sizeof answer->md5, "%s", part + 4);
			else if (strncasecmp(part, "crc32c=", 7) == 0)
				snprintf(answer->crc32c, sizeof answer->crc32c, "%s", part + 7);
		}
	}
}

/* "bytes 0-99/1000", with a star for what is not known. */
static void read_range(const char *text, struct web_answer *answer)
{
	uint64_t start, end, total;
	char unit[8], rest;
	if (sscanf(text, "%7s %" SCNu64 "-%" SCNu64 "/%" SCNu64 "%c", unit, &start, &end, &total, &rest) ==
	        4 &&
	    start <= end && end < total && total <= INT64_MAX) {
		answer->range_start = (int64_t)start;
		answer->range_total = (int64_t)total;
	} else if (sscanf(text, "%7s */%" SCNu64 "%c", unit, &total, &rest) == 2 && total <= INT64_MAX) {
		answer->range_total = (int64_t)total;
	}
}

static void read_answer(struct exchange *exchange)
{
	struct web_answer *answer = exchange->answer;
	char *location = NULL;
	curl_off_t length = -1;
	char range[WEB_TEXT_MAX] = "";
	if (exchange->has_answer)
		return;
	curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_easy_getinfo(exchange->easy, CURLINFO_REDIRECT_URL, &location);
	curl_easy_getinfo(exchange->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	answer->location = location;
	answer->length = length;
	copy_header(exchange->easy, "etag", answer->etag);
	copy_header(exchange->easy, "last-modified", answer->modified);
	copy_header(exchange->easy, "content-type", answer->type);
	copy_header(exchange->easy, "retry-after", answer->retry_after);
	copy_header(exchange->easy, "content-range", range);
	read_range(range, answer);
	read_hashes(exchange->easy, answer);
	exchange->has_answer = answer->status != 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	const struct web_request *request = exchange->request;
	struct slice piece = {bytes, size * count};
	read_answer(exchange);
	exchange->result = request->take(request->context, exchange->answer, piece, exchange->error);
	return exchange->result == RESULT_OK ? piece.length : CURL_WRITEFUNC_ERROR;
}

static void set_range(CURL *easy, const struct web_request *request)
{
	char range[64];
	if (request->range_end == UINT64_MAX)
		snprintf(range, sizeof range, "%" PRIu64 "-", request->range_start);
	else
		snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, request->range_start,
		         request->range_end);
	curl_easy_setopt(easy, CURLOPT_RANGE, request->has_range ? range : NULL);
}

/* Whose trouble it was, without the URL. */
static enum result failure(const char *url, CURLcode code, struct error *error)
{
	const char *host = strstr(url, "://");
	host = host != NULL ? host + 3 : url;
	int length = (int)strcspn(host, "/?");
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return error_set(error, RESULT_CONFIG, "'%.*s': its certificate is not trusted: %s", length,
		                 host, curl_easy_strerror(code));
	default:
		return error_set(error, RESULT_UNREACHABLE, "'%.*s': %s", length, host,
		                 curl_easy_strerror(code));
	}
}

enum result web_get(struct web *web, const struct web_request *request, struct web_answer *answer,
                    struct error *error)
{
	CURL *easy = web->easy;
	struct exchange exchange = {.easy = easy, .request = request, .answer = answer, .error = error};
	CLEANUP(list_free) struct curl_slist *headers = NULL;
	*answer = (struct web_answer){.length = -1, .range_start = -1, .range_total = -1};
	if (request->authorization != NULL &&
	    (headers = curl_slist_append(NULL, request->authorization)) == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
	set_range(easy, request);
	CURLcode code = curl_easy_perform(easy);
	read_answer(&exchange);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	if (exchange.result != RESULT_OK && exchange.result != RESULT_END)
		return exchange.result;
	if (code == CURLE_OK || exchange.result == RESULT_END)
		return RESULT_OK;
	return failure(request->url, code, error);
}
