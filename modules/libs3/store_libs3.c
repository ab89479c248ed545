// SPDX-License-Identifier: Apache-2.0
// Linked with libs3 it is distributed under the GPL-3: see README.md.
#include <errno.h>
#include <libs3.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/digest.h"
#include "store/module.h"

enum { TRIES = 5, LIST_PAGE = 1000 };
static const struct timespec FIRST_DELAY = {.tv_nsec = 200000000};
static const uint64_t OBJECT_MAX = UINT64_C(5) << 30;
static const char SHA256_NAME[] = "sha256"; /* libs3 puts x-amz-meta- before it */

struct libs3 {
	struct store store;
	S3BucketContext bucket;
	char *host;
	char *bucket_name;
	char *prefix;
	char *access_key;
	char *secret_key;
	const atomic_bool *stop;
};

/* One request under way, and what its callbacks found out. */
struct request {
	struct libs3 *libs3;
	const struct store_put *put;
	uint64_t sent;
	store_write *write;
	void *write_context;
	EVP_MD_CTX *digest; /* of what is read */
	uint64_t received;
	uint64_t size;
	uint8_t md5[DIGEST_MD5_SIZE];
	bool has_md5; /* the ETag is one */
	uint8_t sha256[STORE_SHA256_SIZE];
	bool has_sha256;
	S3Status status;
	char message[ERROR_HINT_MAX];
	struct error failure; /* of our own side */
	/* of a list */
	store_each *each;
	bool is_truncated;
	char last_key[S3_MAX_KEY_SIZE + 1];
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

static bool is_stopped(const struct libs3 *libs3)
{
	return libs3->stop != NULL && atomic_load(libs3->stop);
}

static S3Status on_properties(const S3ResponseProperties *properties, void *context)
{
	struct request *request = context;
	request->size = properties->contentLength;
	if (properties->eTag != NULL) {
		char hex[2 * DIGEST_MD5_SIZE + 1];
		const char *etag = properties->eTag[0] == '"' ? properties->eTag + 1 : properties->eTag;
		snprintf(hex, sizeof hex, "%s", etag);
		request->has_md5 = digest_parse_hex(request->md5, sizeof request->md5, hex);
	}
	for (int i = 0; i < properties->metaDataCount; i++) {
		if (strcasecmp(properties->metaData[i].name, SHA256_NAME) == 0)
			request->has_sha256 = digest_parse_hex(request->sha256, sizeof request->sha256,
			                                       properties->metaData[i].value);
	}
	return S3StatusOK;
}

static void on_complete(S3Status status, const S3ErrorDetails *details, void *context)
{
	struct request *request = context;
	request->status = status;
	if (details != NULL && details->message != NULL)
		snprintf(request->message, sizeof request->message, "%s", details->message);
}

static const S3ResponseHandler response_handler = {on_properties, on_complete};

/* What a status means; the last word after all tries. */
static enum result judge(const struct request *request, const char *name, struct error *error)
{
	const struct libs3 *libs3 = request->libs3;
	if (request->failure.result != RESULT_OK) {
		*error = request->failure;
		return error->result;
	}
	switch (request->status) {
	case S3StatusOK:
		return RESULT_OK;
	case S3StatusErrorNoSuchKey:
	case S3StatusHttpErrorNotFound:
		return RESULT_END;
	case S3StatusErrorSignatureDoesNotMatch:
		error_set(error, RESULT_CONFIG,
		          "the store refuses the signature: the secret key does not belong to key '%s'",
		          libs3->access_key);
		error_hint(error, "check the secret key, and that the store takes signatures of version 2");
		return RESULT_CONFIG;
	case S3StatusErrorInvalidAccessKeyId:
		return error_set(error, RESULT_CONFIG, "the store does not know the access key '%s'",
		                 libs3->access_key);
	case S3StatusErrorNoSuchBucket:
		error_set(error, RESULT_CONFIG, "there is no bucket '%s'", libs3->bucket_name);
		error_hint(error, "make it, or check s3.bucket and s3.addressing");
		return RESULT_CONFIG;
	case S3StatusErrorAccessDenied:
	case S3StatusHttpErrorForbidden:
		return error_set(error, RESULT_CONFIG, "'%s': access denied to key '%s'", name, libs3->access_key);
	case S3StatusErrorRequestTimeTooSkewed:
		error_set(error, RESULT_CONFIG, "the store refuses the time of the request: the clocks differ");
		error_hint(error, "set the clock: timedatectl set-ntp true");
		return RESULT_CONFIG;
	case S3StatusAbortedByCallback:
		return error_set(error, RESULT_STOPPED, "stopped");
	default:
		break;
	}
	bool is_refused = request->status >= S3StatusErrorAccessDenied && request->status < S3StatusErrorUnknown &&
	                  request->status != S3StatusErrorSlowDown && request->status != S3StatusErrorInternalError &&
	                  request->status != S3StatusErrorRequestTimeout;
	return error_set(error, is_refused ? RESULT_REFUSED : RESULT_UNREACHABLE, "'%s': %s%s%s", name,
	                 S3_get_status_name(request->status), request->message[0] != '\0' ? ": " : "",
	                 request->message);
}

/* Runs a request until it succeeds, fails for good, or often enough. */
static enum result run(struct request *request, const char *name, void (*issue)(struct request *, const char *key),
                       struct error *error)
{
	struct libs3 *libs3 = request->libs3;
	CLEANUP_FREE char *key = NULL;
	if (asprintf(&key, "%s%s", libs3->prefix, name) < 0)
		return no_memory(error);
	struct timespec delay = FIRST_DELAY;
	enum result result = RESULT_UNREACHABLE;
	for (int attempt = 0; attempt < TRIES && result == RESULT_UNREACHABLE; attempt++) {
		if (is_stopped(libs3))
			return error_set(error, RESULT_STOPPED, "stopped");
		if (attempt > 0)
			nanosleep(&delay, NULL);
		if (attempt > 0 && delay.tv_nsec < 500000000)
			delay.tv_nsec *= 2;
		request->sent = 0;
		request->message[0] = '\0';
		issue(request, key);
		result = judge(request, name, error);
		if (request->received > 0)
			break; /* what was handed on cannot be taken back */
	}
	return result;
}

static int send_bytes(int size, char *out, void *context)
{
	struct request *request = context;
	uint64_t left = request->put->size - request->sent;
	size_t wanted = (uint64_t)size < left ? (size_t)size : (size_t)left;
	ssize_t count;
	if (is_stopped(request->libs3))
		return -1;
	do
		count = pread(request->put->fd, out, wanted, (off_t)request->sent);
	while (count < 0 && errno == EINTR);
	if (count < 0 || (count == 0 && wanted > 0)) {
		error_set(&request->failure, count < 0 ? RESULT_IO : RESULT_CHANGED,
		          "cannot read what is to be stored");
		return -1;
	}
	request->sent += (uint64_t)count;
	return (int)count;
}

static void issue_put(struct request *request, const char *key)
{
	const S3PutObjectHandler handler = {response_handler, send_bytes};
	char sha256[DIGEST_HEX_MAX];
	char md5[32];
	digest_hex(sha256, request->put->sha256, STORE_SHA256_SIZE);
	EVP_EncodeBlock((unsigned char *)md5, request->md5, sizeof request->md5);
	S3NameValue meta = {SHA256_NAME, sha256};
	S3PutProperties properties = {
	    .md5 = md5, .expires = -1, .cannedAcl = S3CannedAclPrivate, .metaDataCount = 1, .metaData = &meta};
	S3_put_object(&request->libs3->bucket, key, request->put->size, &properties, NULL, &handler, request);
}

static void issue_head(struct request *request, const char *key)
{
	S3_head_object(&request->libs3->bucket, key, NULL, &response_handler, request);
}

/* The store checked the body's MD5 when it came. Where its answer has none that libs3 can read, HEAD says what
 * it has. */
static enum result confirm(const struct request *sent, const struct digest_pair *digests, struct error *error)
{
	struct request request = {.libs3 = sent->libs3};
	bool is_confirmed = memcmp(sent->md5, digests->md5, sizeof digests->md5) == 0;
	if (!sent->has_md5) {
		enum result result = run(&request, sent->put->name, issue_head, error);
		if (result != RESULT_OK && result != RESULT_END)
			return result;
		is_confirmed = result == RESULT_OK && request.size == sent->put->size &&
		               (!request.has_sha256 ||
		                memcmp(request.sha256, digests->sha256, sizeof digests->sha256) == 0);
	}
	return is_confirmed ? RESULT_OK
	                    : error_set(error, RESULT_UNREACHABLE, "'%s' did not arrive as it was sent",
	                                sent->put->name);
}

static enum result put(struct store *store, const struct store_put *put, struct error *error)
{
	struct request request = {.libs3 = (struct libs3 *)store, .put = put};
	struct digest_range whole = {.fd = put->fd, .length = put->size, .stop = request.libs3->stop};
	struct digest_pair digests;
	enum result result = store_check_name(put->name, error);
	if (result == RESULT_OK && put->size > OBJECT_MAX)
		result = error_set(error, RESULT_REFUSED, "'%s' is larger than the 5 GB that libs3 can store", put->name);
	if (result == RESULT_OK)
		result = digest_both(&digests, &whole, error);
	if (result != RESULT_OK)
		return result;
	if (memcmp(digests.sha256, put->sha256, sizeof digests.sha256) != 0)
		return error_set(error, RESULT_CHANGED, "'%s' is not what it was said to be", put->name);
	memcpy(request.md5, digests.md5, sizeof request.md5);
	result = run(&request, put->name, issue_put, error);
	if (result == RESULT_END)
		return error_set(error, RESULT_REFUSED, "'%s': the store answers 404 to an upload", put->name);
	return result == RESULT_OK ? confirm(&request, &digests, error) : result;
}

static enum result head(struct store *store, const char *name, struct store_object *object,
                        struct error *error)
{
	struct request request = {.libs3 = (struct libs3 *)store};
	enum result result = store_check_name(name, error);
	if (result == RESULT_OK)
		result = run(&request, name, issue_head, error);
	*object = (struct store_object){.name = name, .size = request.size, .has_sha256 = request.has_sha256};
	memcpy(object->sha256, request.sha256, sizeof object->sha256);
	return result;
}

static S3Status take_bytes(int count, const char *bytes, void *context)
{
	struct request *request = context;
	request->received += (uint64_t)count;
	enum result result =
	    request->write(request->write_context, bytes, (size_t)count, &request->failure);
	if (result == RESULT_OK && EVP_DigestUpdate(request->digest, bytes, (size_t)count) != 1)
		result = no_memory(&request->failure);
	return result == RESULT_OK ? S3StatusOK : S3StatusAbortedByCallback;
}

static void issue_get(struct request *request, const char *key)
{
	const S3GetObjectHandler handler = {response_handler, take_bytes};
	const S3GetConditions any = {-1, -1, NULL, NULL};
	S3_get_object(&request->libs3->bucket, key, &any, 0, 0, NULL, &handler, request);
}

static void free_digest(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

static enum result get(struct store *store, const char *name, store_write *write, void *context,
                       struct error *error)
{
	CLEANUP(free_digest) EVP_MD_CTX *digest = EVP_MD_CTX_new();
	struct request request = {
	    .libs3 = (struct libs3 *)store, .write = write, .write_context = context, .digest = digest};
	uint8_t sha256[STORE_SHA256_SIZE];
	enum result result = store_check_name(name, error);
	if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
		return no_memory(error);
	if (result == RESULT_OK)
		result = run(&request, name, issue_get, error);
	if (result != RESULT_OK)
		return result;
	if (EVP_DigestFinal_ex(digest, sha256, NULL) != 1)
		return no_memory(error);
	bool is_same = request.received == request.size &&
	               (!request.has_sha256 || memcmp(sha256, request.sha256, sizeof sha256) == 0);
	return is_same ? RESULT_OK
	               : error_set(error, RESULT_UNREACHABLE, "'%s' did not arrive as it was stored", name);
}

static S3Status take_page(int is_truncated, const char *next, int count, const S3ListBucketContent *contents,
                          int prefix_count, const char **prefixes, void *context)
{
	struct request *request = context;
	size_t prefix = strlen(request->libs3->prefix);
	(void)next;
	(void)prefix_count;
	(void)prefixes;
	request->is_truncated = is_truncated != 0;
	for (int i = 0; i < count; i++) {
		struct store_object object = {.name = contents[i].key + prefix, .size = contents[i].size};
		snprintf(request->last_key, sizeof request->last_key, "%s", contents[i].key);
		request->received++;
		if (request->each(request->write_context, &object, &request->failure) != RESULT_OK)
			return S3StatusAbortedByCallback;
	}
	return S3StatusOK;
}

static void issue_list(struct request *request, const char *prefix)
{
	const S3ListBucketHandler handler = {response_handler, take_page};
	const char *marker = request->last_key[0] != '\0' ? request->last_key : NULL;
	S3_list_bucket(&request->libs3->bucket, prefix, marker, NULL, LIST_PAGE, NULL, &handler, request);
}

static enum result list(struct store *store, const char *prefix, store_each *each, void *context,
                        struct error *error)
{
	struct request request = {.libs3 = (struct libs3 *)store, .each = each, .write_context = context};
	enum result result;
	do {
		request.is_truncated = false;
		request.received = 0;
		result = run(&request, prefix, issue_list, error);
	} while (result == RESULT_OK && request.is_truncated);
	return result == RESULT_END ? error_set(error, RESULT_CONFIG, "there is no bucket '%s'",
	                                        request.libs3->bucket_name)
	                            : result;
}

static enum result abandon(struct store *store, const char *name, struct error *error)
{
	(void)store;
	(void)name;
	(void)error;
	return RESULT_OK; /* there are no parts */
}

static void close_store(struct store *store)
{
	struct libs3 *libs3 = (struct libs3 *)store;
	if (libs3 == NULL)
		return;
	if (libs3->secret_key != NULL)
		explicit_bzero(libs3->secret_key, strlen(libs3->secret_key));
	free(libs3->host);
	free(libs3->bucket_name);
	free(libs3->prefix);
	free(libs3->access_key);
	free(libs3->secret_key);
	free(libs3);
	S3_deinitialize();
}

static const struct store_interface interface = {
    .kind = "s3 (v2)",
    .put = put,
    .head = head,
    .get = get,
    .list = list,
    .abandon = abandon,
    .close = close_store,
};

static enum result open_store(struct store **out, const struct module_options *options, struct error *error)
{
	struct libs3 *libs3 = calloc(1, sizeof *libs3);
	if (libs3 == NULL)
		return no_memory(error);
	if (S3_initialize("rowsieve", S3_INIT_ALL, options->host) != S3StatusOK) {
		free(libs3);
		return error_set(error, RESULT_CONFIG, "libs3 cannot be started for '%s'", options->host);
	}
	libs3->store.interface = &interface;
	libs3->host = strdup(options->host);
	libs3->bucket_name = strdup(options->bucket);
	libs3->prefix = strdup(options->prefix);
	libs3->access_key = strdup(options->access_key);
	libs3->secret_key = strdup(options->secret_key);
	libs3->stop = options->stop;
	libs3->bucket = (S3BucketContext){
	    .hostName = libs3->host,
	    .bucketName = libs3->bucket_name,
	    .protocol = S3ProtocolHTTP,
	    .uriStyle = options->is_path_addressed ? S3UriStylePath : S3UriStyleVirtualHost,
	    .accessKeyId = libs3->access_key,
	    .secretAccessKey = libs3->secret_key,
	};
	if (libs3->host == NULL || libs3->bucket_name == NULL || libs3->prefix == NULL ||
	    libs3->access_key == NULL || libs3->secret_key == NULL) {
		close_store(&libs3->store);
		return no_memory(error);
	}
	*out = &libs3->store;
	return RESULT_OK;
}

__attribute__((visibility("default"))) extern const struct module store_module;
const struct module store_module = {.version = MODULE_VERSION, .open = open_store};
