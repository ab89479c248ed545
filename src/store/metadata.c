// SPDX-License-Identifier: Apache-2.0
#include "store/metadata.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/http.h"

/* They answer at once or are not there. */
enum { PATIENCE_S = 2, TOKEN_FILE_MAX = 16384 };

static const char container_host[] = "http://169.254.170.2";
static const char machine_endpoint[] = "http://169.254.169.254";

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

static enum result get(const struct http_request *request, const atomic_bool *stop,
                       struct http_answer *answer, struct error *error)
{
	struct http_options options = {.stop = stop, .patience_s = PATIENCE_S};
	struct http *http;
	enum result result = http_open(&http, &options, error);
	if (result != RESULT_OK)
		return result;
	result = http_send(http, request, answer, error);
	http_close(http);
	return result;
}

static bool copy_text(char *out, size_t size, const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	if (text == NULL || strlen(text) >= size)
		return false;
	strcpy(out, text);
	return true;
}

/* {"AccessKeyId", "SecretAccessKey", "Token", "Expiration": "2026-01-31T12:34:56Z"} */
static enum result parse(struct credentials_keys *out, const struct buffer *body, const char *place,
                         struct error *error)
{
	json_auto_t *json = json_loadb(body->data, body->length, 0, NULL);
	struct tm expiry = {0};
	char text[64] = "";
	*out = (struct credentials_keys){0};
	snprintf(out->place, sizeof out->place, "%s", place);
	copy_text(text, sizeof text, json, "Expiration");
	if (!copy_text(out->access_key, sizeof out->access_key, json, "AccessKeyId") ||
	    !copy_text(out->secret_key, sizeof out->secret_key, json, "SecretAccessKey") ||
	    !copy_text(out->token, sizeof out->token, json, "Token"))
		return error_set(error, RESULT_UNREACHABLE, "%s gives no keys", place);
	if (strptime(text, "%Y-%m-%dT%H:%M:%S", &expiry) != NULL)
		out->expires_ns = (int64_t)timegm(&expiry) * 1000000000;
	return RESULT_OK;
}

/* Keys are not fetched in the clear from anywhere but this machine and the addresses that AWS reserved. */
static bool is_trusted(const char *uri)
{
	static const char *const hosts[] = {"http://127.0.0.1", "http://localhost", "http://[::1]",
	                                    container_host, "http://169.254.170.23",
	                                    "http://[fd00:ec2::23]"};
	if (strncasecmp(uri, "https://", 8) == 0)
		return true;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		size_t length = strlen(hosts[i]);
		if (strncasecmp(uri, hosts[i], length) == 0 && strchr(":/", uri[length]) != NULL)
			return true;
	}
	return false;
}

static enum result read_token(struct buffer *token, struct error *error)
{
	const char *path = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *text = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	if (path != NULL) {
		enum result result = file_read(path, TOKEN_FILE_MAX, token, error);
		if (result != RESULT_OK)
			return result;
		token->data[strcspn(token->data, "\r\n")] = '\0';
		return RESULT_OK;
	}
	if (buffer_append(token, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1) != RESULT_OK)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	return RESULT_OK;
}

enum result metadata_of_container(struct credentials_keys *out, const atomic_bool *stop, struct error *error)
{
	const char *relative = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	if (relative == NULL && full == NULL)
		return RESULT_END;
	CLEANUP_FREE char *uri = NULL;
	CLEANUP(buffer_free) struct buffer token = {0};
	CLEANUP(http_free_answer) struct http_answer answer = {0};
	if (asprintf(&uri, "%s%s", relative != NULL ? container_host : full,
	             relative != NULL ? relative : "") < 0)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	if (!is_trusted(uri))
		return error_set(error, RESULT_CONFIG,
		                 "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor this machine's");
	enum result result = read_token(&token, error);
	if (result != RESULT_OK)
		return result;
	struct http_pair header = {"authorization", token.data};
	struct http_request request = {
	    .method = "GET", .url = uri, .headers = &header, .header_count = token.data[0] != '\0'};
	result = get(&request, stop, &answer, error);
	if (result == RESULT_OK && answer.status != 200)
		result = error_set(error, RESULT_UNREACHABLE, "the container's agent answers %ld",
		                   answer.status);
	return result == RESULT_OK ? parse(out, &answer.body, "the container's agent", error) : result;
}

/* One GET of the metadata service under a session's token; RESULT_END for 404. */
static enum result get_metadata(const char *path, const char *token, const atomic_bool *stop,
                                struct http_answer *answer, struct error *error)
{
	const char *endpoint = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	CLEANUP_FREE char *url = NULL;
	if (asprintf(&url, "%s%s", endpoint != NULL ? endpoint : machine_endpoint, path) < 0)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	bool is_session = token == NULL;
	struct http_pair header = {is_session ? "x-aws-ec2-metadata-token-ttl-seconds"
	                                      : "x-aws-ec2-metadata-token",
	                           is_session ? "21600" : token};
	struct http_request request = {.method = is_session ? "PUT" : "GET",
	                               .url = url,
	                               .headers = &header,
	                               .header_count = 1,
	                               .has_body = is_session,
	                               .bytes = "",
	                               .size = 0};
	enum result result = get(&request, stop, answer, error);
	if (result == RESULT_OK && answer->status == 404)
		return RESULT_END;
	if (result == RESULT_OK && answer->status != 200)
		return error_set(error, RESULT_UNREACHABLE, "the machine's metadata service answers %ld",
		                 answer->status);
	return result;
}

enum result metadata_of_machine(struct credentials_keys *out, const atomic_bool *stop, struct error *error)
{
	static const char roles[] = "/latest/meta-data/iam/security-credentials/";
	const char *disabled = environment("AWS_EC2_METADATA_DISABLED");
	if (disabled != NULL && strcasecmp(disabled, "true") == 0)
		return RESULT_END;
	CLEANUP(http_free_answer) struct http_answer token = {0};
	CLEANUP(http_free_answer) struct http_answer role = {0};
	CLEANUP(http_free_answer) struct http_answer keys = {0};
	CLEANUP_FREE char *path = NULL;
	if (get_metadata("/latest/api/token", NULL, stop, &token, error) != RESULT_OK)
		return RESULT_END;
	enum result result = get_metadata(roles, token.body.data, stop, &role, error);
	if (result != RESULT_OK)
		return result;
	role.body.data[strcspn(role.body.data, "\r\n")] = '\0';
	if (role.body.data[0] == '\0')
		return RESULT_END;
	if (asprintf(&path, "%s%s", roles, role.body.data) < 0)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	result = get_metadata(path, token.body.data, stop, &keys, error);
	return result == RESULT_OK ? parse(out, &keys.body, "the machine's metadata service", error) : result;
}
