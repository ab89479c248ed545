// SPDX-License-Identifier: Apache-2.0
#include "fetch/endpoint.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

/* A host that begins with '.' stands for all below it. */
static const char *const STORAGE_HOSTS[] = {"storage.googleapis.com", ".storage.googleapis.com"};

struct origin {
	char *scheme;
	char *host;
	char *port;
};

struct endpoint {
	char *url;
	struct origin origin;
};

static void origin_free(struct origin *origin)
{
	curl_free(origin->scheme);
	curl_free(origin->host);
	curl_free(origin->port);
}

static void url_free(CURLU **url)
{
	curl_url_cleanup(*url);
}

/* `rest`, when not NULL, receives whether anything but an origin stands in the URL. */
static bool origin_parse(struct origin *origin, const char *text, bool *rest)
{
	CLEANUP(url_free) CURLU *url = curl_url();
	*origin = (struct origin){0};
	if (url == NULL || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
		return false;
	char *path = NULL, *query = NULL, *user = NULL;
	curl_url_get(url, CURLUPART_PATH, &path, 0);
	curl_url_get(url, CURLUPART_QUERY, &query, 0);
	curl_url_get(url, CURLUPART_USER, &user, 0);
	bool has_user = user != NULL;
	if (rest != NULL)
		*rest = query != NULL || (path != NULL && strcmp(path, "/") != 0);
	curl_free(path);
	curl_free(query);
	curl_free(user);
	if (!has_user && curl_url_get(url, CURLUPART_SCHEME, &origin->scheme, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_HOST, &origin->host, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_PORT, &origin->port, CURLU_DEFAULT_PORT) == CURLUE_OK)
		return true;
	origin_free(origin);
	*origin = (struct origin){0};
	return false;
}

static bool is_loopback(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

static bool is_plain(const struct origin *origin)
{
	return strcmp(origin->scheme, "http") == 0;
}

enum result endpoint_open(struct endpoint **out, const char *url, struct error *error)
{
	bool has_rest;
	struct endpoint *endpoint = calloc(1, sizeof *endpoint);
	if (endpoint == NULL || (endpoint->url = strdup(url)) == NULL) {
		free(endpoint);
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	}
	struct origin *origin = &endpoint->origin;
	enum result result = RESULT_OK;
	if (!origin_parse(origin, url, &has_rest) || has_rest)
		result = error_set(error, RESULT_CONFIG, "kaggle.endpoint '%s': not of the form https://host",
		                   url);
	else if (strcmp(origin->scheme, "https") != 0 && !(is_plain(origin) && is_loopback(origin->host)))
		result = error_set(error, RESULT_CONFIG,
		                   "kaggle.endpoint '%s': must be https, except on loopback", url);
	if (result != RESULT_OK) {
		endpoint_close(endpoint);
		return result;
	}
	size_t length = strlen(endpoint->url);
	if (endpoint->url[length - 1] == '/')
		endpoint->url[length - 1] = '\0';
	*out = endpoint;
	return RESULT_OK;
}

void endpoint_close(struct endpoint *endpoint)
{
	if (endpoint == NULL)
		return;
	origin_free(&endpoint->origin);
	free(endpoint->url);
	free(endpoint);
}

const char *endpoint_url(const struct endpoint *endpoint)
{
	return endpoint->url;
}

const char *endpoint_host(const struct endpoint *endpoint)
{
	return endpoint->origin.host;
}

bool endpoint_is_plain_http(const struct endpoint *endpoint)
{
	return is_plain(&endpoint->origin);
}

bool endpoint_owns(const struct endpoint *endpoint, const char *url)
{
	CLEANUP(origin_free) struct origin origin;
	const struct origin *own = &endpoint->origin;
	return origin_parse(&origin, url, NULL) && strcmp(origin.scheme, own->scheme) == 0 &&
	       strcasecmp(origin.host, own->host) == 0 && strcmp(origin.port, own->port) == 0;
}

static bool is_known(const struct endpoint *endpoint, const char *host)
{
	if (strcasecmp(host, endpoint->origin.host) == 0)
		return true;
	for (size_t i = 0; i < sizeof STORAGE_HOSTS / sizeof *STORAGE_HOSTS; i++) {
		const char *known = STORAGE_HOSTS[i];
		size_t length = strlen(host), ending = strlen(known);
		if (known[0] != '.' ? strcasecmp(host, known) == 0
		                    : length > ending && strcasecmp(host + length - ending, known) == 0)
			return true;
	}
	return false;
}

enum result endpoint_check_target(const struct endpoint *endpoint, const char *url, struct error *error)
{
	CLEANUP(origin_free) struct origin origin;
	if (!origin_parse(&origin, url, NULL))
		return error_set(error, RESULT_INVALID, "redirected to something that is no https URL");
	bool is_local = endpoint_is_plain_http(endpoint) && is_plain(&origin) && is_loopback(origin.host);
	if (is_local)
		return RESULT_OK;
	if (strcmp(origin.scheme, "https") != 0)
		return error_set(error, RESULT_INVALID, "redirected to %s on '%s', which is not followed",
		                 origin.scheme, origin.host);
	if (!is_known(endpoint, origin.host))
		return error_set(error, RESULT_INVALID,
		                 "redirected to the unknown host '%s', which is not followed", origin.host);
	return RESULT_OK;
}
