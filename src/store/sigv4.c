// SPDX-License-Identifier: Apache-2.0
#include "store/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "store/digest.h"

enum { DIGEST_SIZE = STORE_SHA256_SIZE, DAY_LENGTH = 8 };

void sigv4_time(char text[SIGV4_TIME_MAX], int64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / 1000000000);
	struct tm parts;
	gmtime_r(&seconds, &parts);
	strftime(text, SIGV4_TIME_MAX, "%Y%m%dT%H%M%SZ", &parts);
}

enum result sigv4_encode(struct buffer *out, const char *text, bool is_path)
{
	static const char digits[] = "0123456789ABCDEF";
	if (buffer_reserve(out, 3 * strlen(text)) != RESULT_OK)
		return RESULT_NO_MEMORY;
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;
		bool is_plain = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
		                (byte >= '0' && byte <= '9') || strchr("-._~", byte) != NULL ||
		                (is_path && byte == '/');
		char *at = out->data + out->length;
		if (is_plain) {
			*at = (char)byte;
			out->length++;
			continue;
		}
		at[0] = '%';
		at[1] = digits[byte >> 4];
		at[2] = digits[byte & 15];
		out->length += 3;
	}
	return RESULT_OK;
}

static int compare_names(const void *left, const void *right)
{
	const struct http_pair *a = left;
	const struct http_pair *b = right;
	int order = strcmp(a->name, b->name);
	return order != 0 ? order : strcmp(a->value, b->value);
}

/* A sorted copy of the pairs; NULL without memory. */
static struct http_pair *sort(const struct http_pair *pairs, size_t count)
{
	struct http_pair *sorted = calloc(count + 1, sizeof *sorted);
	if (sorted == NULL || count == 0)
		return sorted;
	memcpy(sorted, pairs, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare_names);
	return sorted;
}

enum result sigv4_query(struct buffer *out, const struct http_pair *query, size_t count)
{
	CLEANUP_FREE struct http_pair *sorted = sort(query, count);
	if (sorted == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		if ((i > 0 && buffer_append(out, "&", 1) != RESULT_OK) ||
		    sigv4_encode(out, sorted[i].name, false) != RESULT_OK ||
		    buffer_append(out, "=", 1) != RESULT_OK ||
		    sigv4_encode(out, sorted[i].value, false) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return RESULT_OK;
}

/* Without blanks at both ends, and with one where there are several. */
static enum result append_value(struct buffer *out, const char *value)
{
	if (buffer_reserve(out, strlen(value) + 1) != RESULT_OK)
		return RESULT_NO_MEMORY;
	size_t start = out->length;
	for (; *value != '\0'; value++) {
		bool is_blank = *value == ' ' || *value == '\t';
		bool is_dropped = is_blank && (out->length == start || out->data[out->length - 1] == ' ');
		if (!is_dropped)
			out->data[out->length++] = is_blank ? ' ' : *value;
	}
	if (out->length > start && out->data[out->length - 1] == ' ')
		out->length--;
	return RESULT_OK;
}

static enum result append_names(struct buffer *out, const struct http_pair *sorted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool is_repeated = i > 0 && strcmp(sorted[i - 1].name, sorted[i].name) == 0;
		if (is_repeated)
			continue;
		if ((i > 0 && buffer_append(out, ";", 1) != RESULT_OK) ||
		    buffer_append_string(out, sorted[i].name) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return RESULT_OK;
}

static enum result append_headers(struct buffer *out, const struct http_pair *sorted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool is_repeated = i > 0 && strcmp(sorted[i - 1].name, sorted[i].name) == 0;
		enum result result = RESULT_OK;
		if (is_repeated)
			out->data[out->length - 1] = ','; /* in place of the line's end */
		else
			result = buffer_printf(out, "%s:", sorted[i].name);
		if (result != RESULT_OK || append_value(out, sorted[i].value) != RESULT_OK ||
		    buffer_append(out, "\n", 1) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return RESULT_OK;
}

static enum result append_canonical(struct buffer *out, const struct sigv4_request *request,
                                    const struct http_pair *headers)
{
	if (buffer_printf(out, "%s\n%s\n", request->method, request->path) != RESULT_OK ||
	    sigv4_query(out, request->query, request->query_count) != RESULT_OK ||
	    buffer_append(out, "\n", 1) != RESULT_OK ||
	    append_headers(out, headers, request->header_count) != RESULT_OK ||
	    buffer_append(out, "\n", 1) != RESULT_OK ||
	    append_names(out, headers, request->header_count) != RESULT_OK)
		return RESULT_NO_MEMORY;
	return buffer_printf(out, "\n%s", request->payload);
}

static bool sign(uint8_t out[DIGEST_SIZE], const uint8_t *key, size_t key_size, const char *text)
{
	return HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)text, strlen(text), out, NULL) !=
	       NULL;
}

/* The key of this day, region and service. */
static bool derive_key(uint8_t out[DIGEST_SIZE], const struct sigv4_key *key, const char *day)
{
	CLEANUP_FREE char *first = NULL;
	if (asprintf(&first, "AWS4%s", key->secret_key) < 0)
		return false;
	uint8_t step[DIGEST_SIZE];
	bool is_made = sign(step, (const uint8_t *)first, strlen(first), day) &&
	               sign(step, step, sizeof step, key->region) &&
	               sign(step, step, sizeof step, key->service) &&
	               sign(out, step, sizeof step, "aws4_request");
	explicit_bzero(first, strlen(first));
	explicit_bzero(step, sizeof step);
	return is_made;
}

static enum result append_signature(struct buffer *out, const struct sigv4_key *key,
                                    const struct sigv4_request *request, const struct buffer *canonical,
                                    const char *scope)
{
	uint8_t digest[DIGEST_SIZE];
	char hex[DIGEST_HEX_MAX];
	CLEANUP_FREE char *text = NULL;
	struct error ignored;
	if (digest_sha256_bytes(digest, canonical->data, canonical->length, &ignored) != RESULT_OK)
		return RESULT_NO_MEMORY;
	digest_hex(hex, digest, sizeof digest);
	uint8_t signing_key[DIGEST_SIZE];
	char day[DAY_LENGTH + 1];
	snprintf(day, sizeof day, "%s", request->time);
	if (asprintf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", request->time, scope, hex) < 0 ||
	    !derive_key(signing_key, key, day) || !sign(digest, signing_key, sizeof signing_key, text))
		return RESULT_NO_MEMORY;
	explicit_bzero(signing_key, sizeof signing_key);
	digest_hex(hex, digest, sizeof digest);
	return buffer_append_string(out, hex);
}

enum result sigv4_authorize(struct buffer *out, const struct sigv4_key *key,
                            const struct sigv4_request *request)
{
	CLEANUP_FREE struct http_pair *headers = sort(request->headers, request->header_count);
	CLEANUP(buffer_free) struct buffer canonical = {0};
	CLEANUP_FREE char *scope = NULL;
	if (headers == NULL || append_canonical(&canonical, request, headers) != RESULT_OK ||
	    asprintf(&scope, "%.*s/%s/%s/aws4_request", DAY_LENGTH, request->time, key->region,
	             key->service) < 0 ||
	    buffer_printf(out, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=", key->access_key, scope) !=
		RESULT_OK ||
	    append_names(out, headers, request->header_count) != RESULT_OK ||
	    buffer_append_string(out, ", Signature=") != RESULT_OK)
		return RESULT_NO_MEMORY;
	return append_signature(out, key, request, &canonical, scope);
}
