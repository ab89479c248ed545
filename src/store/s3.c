// SPDX-License-Identifier: Apache-2.0
#include "store/s3.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/s3_multipart.h"
#include "store/s3_object.h"
#include "store/xml.h"

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

static enum result put_whole(struct s3 *s3, const char *key, const struct store_put *put, struct error *error)
{
	CLEANUP(http_free_answer) struct http_answer answer = {0};
	struct digest_range whole = {.fd = put->fd, .length = put->size, .stop = s3->session.stop};
	struct digest_pair digests;
	enum result result = digest_both(&digests, &whole, error);
	if (result != RESULT_OK)
		return result;
	if (memcmp(digests.sha256, put->sha256, sizeof digests.sha256) != 0)
		return error_set(error, RESULT_CHANGED, "'%s' is not what it was said to be", put->name);
	char sha256[DIGEST_HEX_MAX];
	struct http_pair headers[S3_OBJECT_HEADERS_MAX];
	digest_hex(sha256, digests.sha256, sizeof digests.sha256);
	struct s3_request request = {
	    .method = "PUT",
	    .key = key,
	    .headers = headers,
	    .header_count = s3_object_headers(s3, sha256, headers),
	    .has_body = true,
	    .fd = put->fd,
	    .size = put->size,
	    .sha256 = digests.sha256,
	};
	result = s3_session_send(&s3->session, &request, &answer, error);
	if (result == RESULT_END)
		return error_set(error, RESULT_REFUSED, "'%s': the store answers 404 to an upload", put->name);
	if (result != RESULT_OK || s3_object_has_md5(&answer, digests.md5))
		return result;
	return s3_object_confirm(s3, key, put, error);
}

static enum result put(struct store *store, const struct store_put *put, struct error *error)
{
	struct s3 *s3 = (struct s3 *)store;
	enum result result = store_check_name(put->name, error);
	if (result != RESULT_OK)
		return result;
	CLEANUP_FREE char *key = s3_object_key(s3, put->name);
	if (key == NULL)
		return no_memory(error);
	return put->size > S3_MULTIPART_THRESHOLD ? s3_multipart_put(s3, key, put, error)
	                                          : put_whole(s3, key, put, error);
}

static enum result head(struct store *store, const char *name, struct store_object *object,
                        struct error *error)
{
	struct s3 *s3 = (struct s3 *)store;
	*object = (struct store_object){.name = name};
	enum result result = store_check_name(name, error);
	if (result != RESULT_OK)
		return result;
	CLEANUP_FREE char *key = s3_object_key(s3, name);
	return key != NULL ? s3_object_head(s3, key, object, error) : no_memory(error);
}

/* What goes by on its way to the caller. */
struct download {
	store_write *write;
	void *context;
	EVP_MD_CTX *digest;
	uint64_t size;
};

static enum result pass_on(void *context, const void *bytes, size_t count, struct error *error)
{
	struct download *download = context;
	download->size += count;
	if (EVP_DigestUpdate(download->digest, bytes, count) != 1)
		return no_memory(error);
	return download->write(download->context, bytes, count, error);
}

static enum result check_download(const struct download *download, const struct store_object *object,
                                  struct error *error)
{
	uint8_t sha256[STORE_SHA256_SIZE];
	if (EVP_DigestFinal_ex(download->digest, sha256, NULL) != 1)
		return no_memory(error);
	bool is_same = download->size == object->size &&
	               (!object->has_sha256 || memcmp(sha256, object->sha256, sizeof sha256) == 0);
	return is_same ? RESULT_OK
	               : error_set(error, RESULT_UNREACHABLE, "'%s' did not arrive as it was stored",
	                           object->name);
}

static void free_digest(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

static enum result get(struct store *store, const char *name, store_write *write, void *context,
                       struct error *error)
{
	struct s3 *s3 = (struct s3 *)store;
	struct store_object object;
	enum result result = head(store, name, &object, error);
	if (result != RESULT_OK)
		return result;
	CLEANUP_FREE char *key = s3_object_key(s3, name);
	CLEANUP(http_free_answer) struct http_answer answer = {0};
	CLEANUP(free_digest) EVP_MD_CTX *digest = EVP_MD_CTX_new();
	if (key == NULL || digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
		return no_memory(error);
	struct download download = {write, context, digest, 0};
	struct s3_request request = {
	    .method = "GET", .key = key, .write = pass_on, .context = &download};
	result = s3_session_send(&s3->session, &request, &answer, error);
	return result == RESULT_OK ? check_download(&download, &object, error) : result;
}

/* A walk over the pages of a list. */
struct walk {
	struct s3 *s3;
	store_each *each;
	void *context;
	struct error *error;
	char key[1025];
	uint64_t size;
	bool is_truncated;
	char next[1025];
	enum result result;
};

static enum result take_object(void *context, const char *parent, const char *name, const char *text)
{
	struct walk *walk = context;
	if (strcmp(parent, "Contents") == 0 && strcmp(name, "Key") == 0)
		snprintf(walk->key, sizeof walk->key, "%s", text);
	if (strcmp(parent, "Contents") == 0 && strcmp(name, "Size") == 0)
		walk->size = strtoull(text, NULL, 10);
	if (strcmp(name, "IsTruncated") == 0)
		walk->is_truncated = strcmp(text, "true") == 0;
	if (strcmp(name, "NextContinuationToken") == 0)
		snprintf(walk->next, sizeof walk->next, "%s", text);
	size_t prefix = strlen(walk->s3->session.prefix);
	if (strcmp(name, "Contents") != 0 || strlen(walk->key) <= prefix)
		return RESULT_OK;
	struct store_object object = {.name = walk->key + prefix, .size = walk->size};
	walk->result = walk->each(walk->context, &object, walk->error);
	return walk->result == RESULT_OK ? RESULT_OK : RESULT_STOPPED;
}

static enum result list_page(struct walk *walk, const char *prefix, struct error *error)
{
	CLEANUP(http_free_answer) struct http_answer answer = {0};
	CLEANUP_FREE char *token = strdup(walk->next);
	if (token == NULL)
		return no_memory(error);
	struct http_pair query[] = {{"list-type", "2"}, {"prefix", prefix}, {"continuation-token", token}};
	struct s3_request request = {
	    .method = "GET", .query = query, .query_count = token[0] != '\0' ? 3 : 2};
	enum result result = s3_session_send(&walk->s3->session, &request, &answer, error);
	if (result == RESULT_END)
		return error_set(error, RESULT_CONFIG, "the store does not list bucket '%s'",
		                 walk->s3->session.bucket);
	if (result != RESULT_OK)
		return result;
	walk->is_truncated = false;
	result = xml_each(&answer.body, take_object, walk);
	if (result != RESULT_OK && walk->result == RESULT_OK)
		return error_set(error, RESULT_UNREACHABLE, "the store's list of objects cannot be read");
	walk->is_truncated &= strcmp(token, walk->next) != 0;
	return walk->result;
}

static enum result list(struct store *store, const char *prefix, store_each *each, void *context,
                        struct error *error)
{
	struct walk walk = {.s3 = (struct s3 *)store, .each = each, .context = context, .error = error};
	CLEANUP_FREE char *whole_prefix = s3_object_key(walk.s3, prefix);
	if (whole_prefix == NULL)
		return no_memory(error);
	enum result result;
	do
		result = list_page(&walk, whole_prefix, error);
	while (result == RESULT_OK && walk.is_truncated);
	return result;
}

static enum result abandon(struct store *store, const char *name, struct error *error)
{
	struct s3 *s3 = (struct s3 *)store;
	CLEANUP_FREE char *key = s3_object_key(s3, name);
	return key != NULL ? s3_multipart_abort(s3, key, error) : no_memory(error);
}

static void close_store(struct store *store)
{
	struct s3 *s3 = (struct s3 *)store;
	if (s3 == NULL)
		return;
	s3_session_close(&s3->session);
	free(s3->storage_class);
	free(s3->sse);
	free(s3);
}

static const struct store_interface interface = {
    .kind = "s3",
    .put = put,
    .head = head,
    .get = get,
    .list = list,
    .abandon = abandon,
    .close = close_store,
};

static enum result copy_option(char **out, const char *text)
{
	*out = text != NULL ? strdup(text) : NULL;
	return text == NULL || *out != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result s3_open(struct store **out, const struct s3_options *options, struct error *error)
{
	struct s3 *s3 = calloc(1, sizeof *s3);
	if (s3 == NULL)
		return no_memory(error);
	s3->store.interface = &interface;
	enum result result = s3_session_open(&s3->session, options, error);
	if (result == RESULT_OK && (copy_option(&s3->storage_class, options->storage_class) != RESULT_OK ||
	                            copy_option(&s3->sse, options->sse) != RESULT_OK))
		result = no_memory(error);
	if (result != RESULT_OK) {
		close_store(&s3->store);
		return result;
	}
	*out = &s3->store;
	return RESULT_OK;
}
