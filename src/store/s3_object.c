// SPDX-License-Identifier: Apache-2.0
#include "store/s3_object.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

size_t s3_object_headers(const struct s3 *s3, const char *sha256,
                         struct http_pair headers[S3_OBJECT_HEADERS_MAX])
{
	size_t count = 0;
	headers[count++] = (struct http_pair){S3_OBJECT_SHA256, sha256};
	if (s3->storage_class != NULL)
		headers[count++] = (struct http_pair){"x-amz-storage-class", s3->storage_class};
	if (s3->sse != NULL)
		headers[count++] = (struct http_pair){"x-amz-server-side-encryption", s3->sse};
	return count;
}

char *s3_object_key(const struct s3 *s3, const char *name)
{
	char *key;
	return asprintf(&key, "%s%s", s3->session.prefix, name) < 0 ? NULL : key;
}

bool s3_object_has_md5(const struct http_answer *answer, const uint8_t md5[DIGEST_MD5_SIZE])
{
	char etag[128];
	char hex[2 * DIGEST_MD5_SIZE + 1];
	if (!http_header(answer, "etag", etag, sizeof etag))
		return false;
	digest_hex(hex, md5, DIGEST_MD5_SIZE);
	const char *text = etag[0] == '"' ? etag + 1 : etag;
	return strncasecmp(text, hex, strlen(hex)) == 0 &&
	       (text[strlen(hex)] == '"' || text[strlen(hex)] == '\0');
}

enum result s3_object_head(struct s3 *s3, const char *key, struct store_object *object, struct error *error)
{
	CLEANUP(http_free_answer) struct http_answer answer = {0};
	struct s3_request request = {.method = "HEAD", .key = key};
	enum result result = s3_session_send(&s3->session, &request, &answer, error);
	if (result != RESULT_OK)
		return result;
	char text[DIGEST_HEX_MAX + 2];
	if (!http_header(&answer, "content-length", text, sizeof text))
		return error_set(error, RESULT_UNREACHABLE, "'%s': the store does not say how long it is", key);
	object->size = strtoull(text, NULL, 10);
	object->has_sha256 = http_header(&answer, S3_OBJECT_SHA256, text, sizeof text) &&
	                     digest_parse_hex(object->sha256, sizeof object->sha256, text);
	return RESULT_OK;
}

enum result s3_object_confirm(struct s3 *s3, const char *key, const struct store_put *put,
                              struct error *error)
{
	struct store_object object = {.name = key};
	enum result result = s3_object_head(s3, key, &object, error);
	if (result == RESULT_END)
		return error_set(error, RESULT_UNREACHABLE, "'%s': the store took it but has it not", key);
	if (result != RESULT_OK)
		return result;
	bool is_same = object.size == put->size &&
	               (!object.has_sha256 || memcmp(object.sha256, put->sha256, sizeof object.sha256) == 0);
	return is_same ? RESULT_OK
	               : error_set(error, RESULT_UNREACHABLE, "'%s': the store has something else", key);
}
