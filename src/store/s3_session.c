// SPDX-License-Identifier: Apache-2.0
#include "store/s3_session.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/digest.h"
#include "store/s3_failure.h"
#include "store/sigv4.h"

enum { TRIES = 5, HEADERS_MAX = 16, PATIENCE_S = 10, STEP_NS = 50000000 };
static const int64_t FIRST_DELAY_NS = 200000000;

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

/* The parts of the endpoint's URL. */
struct place {
	char *scheme;
	char *host; /* an IPv6 address stands in brackets */
	char *port; /* NULL: the scheme's */
};

static void free_place(struct place *place)
{
	curl_free(place->scheme);
	curl_free(place->host);
	curl_free(place->port);
}

static enum result parse_endpoint(struct place *place, const char *endpoint, struct error *error)
{
	CURLU *url = curl_url();
	if (url == NULL)
		return no_memory(error);
	CURLUcode code = curl_url_set(url, CURLUPART_URL, endpoint, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(url, CURLUPART_SCHEME, &place->scheme, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(url, CURLUPART_HOST, &place->host, 0);
	if (code == CURLUE_OK)
		curl_url_get(url, CURLUPART_PORT, &place->port, CURLU_NO_DEFAULT_PORT);
	curl_url_cleanup(url);
	bool is_known = code == CURLUE_OK &&
	                (strcmp(place->scheme, "http") == 0 || strcmp(place->scheme, "https") == 0);
	if (is_known)
		return RESULT_OK;
	error_set(error, RESULT_CONFIG, "s3.endpoint '%s' is no URL of http or https", endpoint);
	error_hint(error, "it is a URL such as https://s3.example.org");
	return RESULT_CONFIG;
}

/* An address has no names below it, nor has a certificate for *.host any below that. */
static bool can_be_virtual(const struct place *place, const char *bucket)
{
	struct in_addr address;
	bool is_address = place->host[0] == '[' || inet_pton(AF_INET, place->host, &address) == 1;
	bool is_dotted = strcmp(place->scheme, "https") == 0 && strchr(bucket, '.') != NULL;
	return !is_address && !is_dotted;
}

static enum result set_address(struct s3_session *session, const struct s3_options *options,
                               struct error *error)
{
	CLEANUP(free_place) struct place place = {0};
	CLEANUP_FREE char *amazon = NULL;
	if (asprintf(&amazon, "https://s3.%s.amazonaws.com", session->region) < 0)
		return no_memory(error);
	enum result result =
	    parse_endpoint(&place, options->endpoint != NULL ? options->endpoint : amazon, error);
	if (result != RESULT_OK)
		return result;
	bool is_virtual = !options->is_path_addressed && can_be_virtual(&place, options->bucket);
	bool has_port = place.port != NULL;
	if (asprintf(&session->host, "%s%s%s%s%s", is_virtual ? options->bucket : "", is_virtual ? "." : "",
	             place.host, has_port ? ":" : "", has_port ? place.port : "") < 0 ||
	    asprintf(&session->root, "%s%s", is_virtual ? "" : "/", is_virtual ? "" : options->bucket) < 0 ||
	    asprintf(&session->base, "%s://%s%s", place.scheme, session->host, session->root) < 0)
		return no_memory(error);
	return RESULT_OK;
}

/* "" or with one '/' at its end. */
static char *make_prefix(const char *text)
{
	size_t length = text != NULL ? strlen(text) : 0;
	while (length > 0 && text[length - 1] == '/')
		length--;
	char *prefix;
	return asprintf(&prefix, "%.*s%s", (int)length, length > 0 ? text : "", length > 0 ? "/" : "") < 0
	           ? NULL
	           : prefix;
}

static enum result check_names(const struct s3_options *options, const char *prefix, struct error *error)
{
	size_t length = strlen(prefix);
	if (strspn(options->bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") !=
	    strlen(options->bucket))
		return error_set(error, RESULT_CONFIG, "s3.bucket '%s' cannot be a bucket's name",
		                 options->bucket);
	CLEANUP_FREE char *name = strndup(prefix, length > 0 ? length - 1 : 0);
	if (name == NULL)
		return no_memory(error);
	if (length == 0 || store_check_name(name, error) == RESULT_OK)
		return RESULT_OK;
	return error_set(error, RESULT_CONFIG, "s3.prefix '%s' may hold only A-Z a-z 0-9 . _ - and /",
	                 options->prefix);
}

enum result s3_session_open(struct s3_session *session, const struct s3_options *options, struct error *error)
{
	struct http_options http_options = {options->ca, options->stop, PATIENCE_S};
	char region[64] = "";
	*session = (struct s3_session){.stop = options->stop};
	enum result result = credentials_open(&session->credentials, options->profile, options->stop, error);
	if (result == RESULT_OK)
		result = http_open(&session->http, &http_options, error);
	if (result != RESULT_OK)
		return result;
	if (options->region == NULL)
		credentials_region(session->credentials, region, sizeof region);
	if (options->region == NULL && region[0] == '\0')
		strcpy(region, "us-east-1");
	session->region = strdup(options->region != NULL ? options->region : region);
	session->bucket = strdup(options->bucket);
	session->prefix = make_prefix(options->prefix);
	if (session->region == NULL || session->bucket == NULL || session->prefix == NULL)
		return no_memory(error);
	result = check_names(options, session->prefix, error);
	return result == RESULT_OK ? set_address(session, options, error) : result;
}

void s3_session_close(struct s3_session *session)
{
	http_close(session->http);
	credentials_close(session->credentials);
	free(session->base);
	free(session->host);
	free(session->root);
	free(session->bucket);
	free(session->region);
	free(session->prefix);
}

/* One request as it goes out. */
struct signed_request {
	struct http_pair headers[HEADERS_MAX];
	size_t header_count;
	struct buffer path;
	struct buffer url;
	struct buffer authorization;
	char time[SIGV4_TIME_MAX];
	char payload[DIGEST_HEX_MAX];
};

static void free_signed(struct signed_request *out)
{
	buffer_free(&out->path);
	buffer_free(&out->url);
	buffer_free(&out->authorization);
}

static void add_header(struct signed_request *out, const char *name, const char *value)
{
	out->headers[out->header_count++] = (struct http_pair){name, value};
}

static enum result end_text(struct buffer *text)
{
	return buffer_append(text, "", 1);
}

static enum result make_url(const struct s3_session *session, const struct s3_request *request,
                            struct signed_request *out)
{
	if (buffer_append_string(&out->path, session->root) != RESULT_OK ||
	    buffer_append(&out->path, "/", 1) != RESULT_OK ||
	    (request->key != NULL && sigv4_encode(&out->path, request->key, true) != RESULT_OK) ||
	    end_text(&out->path) != RESULT_OK)
		return RESULT_NO_MEMORY;
	size_t root = strlen(session->root);
	if (buffer_printf(&out->url, "%s%s", session->base, out->path.data + root) != RESULT_OK)
		return RESULT_NO_MEMORY;
	if (request->query_count > 0 &&
	    (buffer_append(&out->url, "?", 1) != RESULT_OK ||
	     sigv4_query(&out->url, request->query, request->query_count) != RESULT_OK))
		return RESULT_NO_MEMORY;
	return end_text(&out->url);
}

static enum result sign(const struct s3_session *session, const struct s3_request *request,
                        const struct credentials_keys *keys, struct signed_request *out, struct error *error)
{
	uint8_t sha256[STORE_SHA256_SIZE];
	const uint8_t *digest = request->sha256;
	if (digest == NULL) {
		const void *bytes = request->bytes != NULL ? request->bytes : "";
		enum result result = digest_sha256_bytes(sha256, bytes, (size_t)request->size, error);
		if (result != RESULT_OK)
			return result;
		digest = sha256;
	}
	digest_hex(out->payload, digest, STORE_SHA256_SIZE);
	sigv4_time(out->time, clock_wall_ns());
	add_header(out, "host", session->host);
	add_header(out, "x-amz-date", out->time);
	add_header(out, "x-amz-content-sha256", out->payload);
	if (keys->token[0] != '\0')
		add_header(out, "x-amz-security-token", keys->token);
	for (size_t i = 0; i < request->header_count; i++)
		add_header(out, request->headers[i].name, request->headers[i].value);
	if (make_url(session, request, out) != RESULT_OK)
		return no_memory(error);
	struct sigv4_key key = {keys->access_key, keys->secret_key, session->region, "s3"};
	struct sigv4_request plain = {
	    .method = request->method,
	    .path = out->path.data,
	    .query = request->query,
	    .query_count = request->query_count,
	    .headers = out->headers,
	    .header_count = out->header_count,
	    .payload = out->payload,
	    .time = out->time,
	};
	if (sigv4_authorize(&out->authorization, &key, &plain) != RESULT_OK ||
	    end_text(&out->authorization) != RESULT_OK)
		return no_memory(error);
	add_header(out, "authorization", out->authorization.data);
	return RESULT_OK;
}

static enum result send_once(struct s3_session *session, const struct s3_request *request,
                             const struct credentials_keys *keys, struct http_answer *answer,
                             struct error *error)
{
	CLEANUP(free_signed) struct signed_request out = {0};
	enum result result = sign(session, request, keys, &out, error);
	if (result != RESULT_OK)
		return result;
	struct http_request plain = {
	    .method = request->method,
	    .url = out.url.data,
	    .headers = out.headers,
	    .header_count = out.header_count,
	    .has_body = request->has_body,
	    .bytes = request->bytes,
	    .fd = request->fd,
	    .offset = request->offset,
	    .size = request->size,
	    .write = request->write,
	    .context = request->context,
	};
	result = http_send(session->http, &plain, answer, error);
	return result == RESULT_OK ? result : error_wrap(error, "'%s'", session->host);
}

static bool is_stopped(const struct s3_session *session)
{
	return session->stop != NULL && atomic_load(session->stop);
}

/* Longer each time, and never as long as another program's. */
static void wait_before(const struct s3_session *session, int attempt)
{
	uint32_t random = UINT32_MAX / 2;
	(void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
	int64_t delay_ns = FIRST_DELAY_NS << attempt;
	delay_ns = delay_ns / 2 + (int64_t)((double)random / UINT32_MAX * (double)delay_ns);
	struct timespec step = {.tv_nsec = STEP_NS};
	for (; delay_ns > 0 && !is_stopped(session); delay_ns -= STEP_NS)
		nanosleep(&step, NULL);
}

static enum result judge(const struct s3_session *session, const struct s3_request *request,
                         const struct credentials_keys *keys, const struct http_answer *answer,
                         struct error *error)
{
	if (!s3_failure_is(answer))
		return RESULT_OK;
	struct s3_failure_context context = {
	    .bucket = session->bucket,
	    .region = session->region,
	    .access_key = keys->access_key,
	    .place = keys->place,
	    .what = request->key != NULL ? request->key : session->bucket,
	};
	return s3_failure_explain(answer, &context, error);
}

enum result s3_session_send(struct s3_session *session, const struct s3_request *request,
                            struct http_answer *answer, struct error *error)
{
	const struct credentials_keys *keys;
	bool has_refreshed = false;
	enum result result = RESULT_UNREACHABLE;
	for (int attempt = 0; attempt < TRIES; attempt++) {
		if (is_stopped(session))
			return error_set(error, RESULT_STOPPED, "stopped");
		*error = (struct error){0};
		result = credentials_get(session->credentials, &keys, error);
		if (result != RESULT_OK)
			return result;
		result = send_once(session, request, keys, answer, error);
		if (result == RESULT_OK)
			result = judge(session, request, keys, answer, error);
		bool is_answer = answer->status != 0;
		if (is_answer && result == RESULT_CONFIG && s3_failure_is_old_token(answer) && !has_refreshed) {
			credentials_forget(session->credentials);
			has_refreshed = true;
			continue;
		}
		/* What get() has handed on already cannot be taken back. */
		bool is_handed_on = request->write != NULL && answer->status >= 200 && answer->status < 300;
		if (result != RESULT_UNREACHABLE || is_handed_on || attempt + 1 == TRIES)
			break;
		wait_before(session, attempt);
	}
	return result;
}
