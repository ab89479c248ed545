// SPDX-License-Identifier: Apache-2.0
#include "store/s3_multipart.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/digest_ahead.h"
#include "store/xml.h"

enum { UPLOAD_ID_MAX = 1023, PARTS_MAX = 10000 };
static const uint64_t PART_SIZE = UINT64_C(16) << 20;

/* A part as the store has it, or as it was sent. */
struct part {
	uint64_t size; /* 0: the store does not have it */
	char etag[128]; /* as the store wrote it */
};

struct upload {
	struct s3 *s3;
	const char *key;
	const struct store_put *put;
	char id[UPLOAD_ID_MAX + 1];
	struct part *parts;
	uint32_t part_count;
	uint64_t part_size;
	EVP_MD_CTX *whole; /* of the parts, in order: bytes that the store has are those of this digest */
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

/* The uploads under way for one key, found in the list of those whose keys begin so. */
struct uploads {
	const char *key;
	char entry_key[1025];
	char entry_id[UPLOAD_ID_MAX + 1];
	char (*ids)[UPLOAD_ID_MAX + 1];
	size_t count;
};

static enum result take_upload(void *context, const char *parent, const char *name, const char *text)
{
	struct uploads *uploads = context;
	if (strcmp(parent, "Upload") == 0 && strcmp(name, "Key") == 0)
		snprintf(uploads->entry_key, sizeof uploads->entry_key, "%s", text);
	if (strcmp(parent, "Upload") == 0 && strcmp(name, "UploadId") == 0)
		snprintf(uploads->entry_id, sizeof uploads->entry_id, "%s", text);
	if (strcmp(name, "Upload") != 0 || strcmp(uploads->entry_key, uploads->key) != 0)
		return RESULT_OK;
	void *grown = realloc(uploads->ids, (uploads->count + 1) * sizeof *uploads->ids);
	if (grown == NULL)
		return RESULT_NO_MEMORY;
	uploads->ids = grown;
	strcpy(uploads->ids[uploads->count++], uploads->entry_id);
	return RESULT_OK;
}

static enum result list_uploads(struct s3 *s3, const char *key, struct uploads *out, struct error *error)
{
	CLEANUP(http_free_answer) struct http_answer answer = {0};
	struct http_pair query[] = {{"uploads", ""}, {"prefix", key}};
	struct s3_request request = {.method = "GET", .query = query, .query_count = 2};
	*out = (struct uploads){.key = key};
	enum result result = s3_session_send(&s3->session, &request, &answer, error);
	if (result != RESULT_OK)
		return result == RESULT_END ? RESULT_OK : result;
	result = xml_each(&answer.body, take_upload, out);
	return result == RESULT_OK ? result
	                           : error_set(error, RESULT_UNREACHABLE, "'%s': the store's list of uploads cannot be read", key);
}

static enum result abort_upload(struct s3 *s3, const char *key, const char *id, struct error *error)
{
	CLEANUP(http_free_answer) struct http_answer answer = {0};
	struct http_pair query = {"uploadId", id};
	struct s3_request request = {.method = "DELETE", .key = key, .query = &query, .query_count = 1};
	enum result result = s3_session_send(&s3->session, &request, &answer, error);
	return result == RESULT_END ? RESULT_OK : result;
}

/* Ends the uploads of a key but for the last `kept` ones. */
static enum result abort_some(struct s3 *s3, const struct uploads *uploads, size_t kept, struct error *error)
{
	enum result result = RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i + kept < uploads->count; i++)
		result = abort_upload(s3, uploads->key, uploads->ids[i], error);
	return result;
}

enum result s3_multipart_abort(struct s3 *s3, const char *key, struct error *error)
{
	struct uploads uploads;
	enum result result = list_uploads(s3, key, &uploads, error);
	if (result == RESULT_OK)
		result = abort_some(s3, &uploads, 0, error);
	free(uploads.ids);
	return result;
}

static enum result create(struct upload *upload, struct error *error)
{
	CLEANUP(http_free_answer) struct http_answer answer = {0};
	char sha256[DIGEST_HEX_MAX];
	struct http_pair headers[S3_OBJECT_HEADERS_MAX];
	struct http_pair query = {"uploads", ""};
	digest_hex(sha256, upload->put->sha256, STORE_SHA256_SIZE);
	struct s3_request request = {
	    .method = "POST",
	    .key = upload->key,
	    .query = &query,
	    .query_count = 1,
	    .headers = headers,
	    .header_count = s3_object_headers(upload->s3, sha256, headers),
	    .has_body = true,
	    .bytes = "",
	};
	enum result result = s3_session_send(&upload->s3->session, &request, &answer, error);
	if (result == RESULT_END)
		return error_set(error, RESULT_REFUSED, "'%s': the store knows no uploads in parts", upload->key);
	if (result == RESULT_OK && !xml_find(&answer.body, "UploadId", upload->id, sizeof upload->id))
		return error_set(error, RESULT_UNREACHABLE, "'%s': the store began no upload", upload->key);
	return result;
}

/* A page of the parts that are there. */
struct parts_page {
	struct upload *upload;
	unsigned long number;
	struct part part;
	bool is_truncated;
	char next[32];
};

static enum result take_part(void *context, const char *parent, const char *name, const char *text)
{
	struct parts_page *page = context;
	bool is_inside = strcmp(parent, "Part") == 0;
	if (is_inside && strcmp(name, "PartNumber") == 0)
		page->number = strtoul(text, NULL, 10);
	if (is_inside && strcmp(name, "Size") == 0)
		page->part.size = strtoull(text, NULL, 10);
	if (is_inside && strcmp(name, "ETag") == 0)
		snprintf(page->part.etag, sizeof page->part.etag, "%s", text);
	if (strcmp(name, "IsTruncated") == 0)
		page->is_truncated = strcmp(text, "true") == 0;
	if (strcmp(name, "NextPartNumberMarker") == 0)
		snprintf(page->next, sizeof page->next, "%s", text);
	if (strcmp(name, "Part") == 0 && page->number >= 1 && page->number <= page->upload->part_count)
		page->upload->parts[page->number - 1] = page->part;
	return RESULT_OK;
}

/* RESULT_END: the upload is gone. */
static enum result list_parts(struct upload *upload, struct error *error)
{
	struct parts_page page = {.upload = upload, .is_truncated = true, .next = "0"};
	enum result result = RESULT_OK;
	while (result == RESULT_OK && page.is_truncated) {
		CLEANUP(http_free_answer) struct http_answer answer = {0};
		char marker[32];
		strcpy(marker, page.next);
		struct http_pair query[] = {{"uploadId", upload->id}, {"part-number-marker", marker}};
		struct s3_request request = {
		    .method = "GET", .key = upload->key, .query = query, .query_count = 2};
		result = s3_session_send(&upload->s3->session, &request, &answer, error);
		if (result != RESULT_OK)
			break;
		page.is_truncated = false;
		if (xml_each(&answer.body, take_part, &page) != RESULT_OK)
			result = error_set(error, RESULT_UNREACHABLE, "'%s': the store's list of parts cannot be read",
			                   upload->key);
		page.is_truncated &= strcmp(marker, page.next) != 0;
	}
	return result;
}

/* Goes on with the upload that is under way, or begins one. */
static enum result begin(struct upload *upload, struct error *error)
{
	struct uploads uploads;
	enum result result = list_uploads(upload->s3, upload->key, &uploads, error);
	if (result == RESULT_OK)
		result = abort_some(upload->s3, &uploads, 1, error);
	bool is_known = result == RESULT_OK && uploads.count > 0;
	if (is_known)
		strcpy(upload->id, uploads.ids[uploads.count - 1]);
	free(uploads.ids);
	if (is_known)
		result = list_parts(upload, error);
	if (result == RESULT_END || (result == RESULT_OK && !is_known))
		result = create(upload, error);
	return result;
}

static bool is_same(const struct part *part, uint64_t size, const uint8_t md5[DIGEST_MD5_SIZE])
{
	char hex[2 * DIGEST_MD5_SIZE + 1];
	digest_hex(hex, md5, DIGEST_MD5_SIZE);
	return part->size == size && strcasestr(part->etag, hex) != NULL;
}

static enum result send_part(struct upload *upload, uint32_t index, const struct digest_range *range,
                             const struct digest_pair *digests, struct error *error)
{
	CLEANUP(http_free_answer) struct http_answer answer = {0};
	struct part *part = &upload->parts[index];
	char number[16];
	snprintf(number, sizeof number, "%u", index + 1);
	struct http_pair query[] = {{"partNumber", number}, {"uploadId", upload->id}};
	struct s3_request request = {
	    .method = "PUT",
	    .key = upload->key,
	    .query = query,
	    .query_count = 2,
	    .has_body = true,
	    .fd = range->fd,
	    .offset = range->offset,
	    .size = range->length,
	    .sha256 = digests->sha256,
	};
	enum result result = s3_session_send(&upload->s3->session, &request, &answer, error);
	if (result == RESULT_END)
		return error_set(error, RESULT_UNREACHABLE, "'%s': the store has forgotten the upload", upload->key);
	if (result != RESULT_OK)
		return result;
	bool has_etag = http_header(&answer, "etag", part->etag, sizeof part->etag);
	bool must_be_md5 = upload->s3->sse == NULL || strcmp(upload->s3->sse, "AES256") == 0;
	if (!has_etag || (must_be_md5 && !s3_object_has_md5(&answer, digests->md5)))
		return error_set(error, RESULT_UNREACHABLE, "'%s': part %u did not arrive as it was sent",
		                 upload->key, index + 1);
	part->size = range->length;
	return RESULT_OK;
}

static struct digest_range part_range(const struct upload *upload, uint32_t index)
{
	uint64_t offset = index * upload->part_size;
	uint64_t left = upload->put->size - offset;
	return (struct digest_range){
	    .fd = upload->put->fd,
	    .offset = offset,
	    .length = left < upload->part_size ? left : upload->part_size,
	    .stop = upload->s3->session.stop,
	    .whole = upload->whole,
	};
}

static void drop_ahead(struct digest_ahead **ahead)
{
	digest_ahead_drop(*ahead);
}

/* While a part is sent, the digests of the next are made. */
static enum result send_parts(struct upload *upload, struct error *error)
{
	CLEANUP(drop_ahead) struct digest_ahead *ahead = NULL;
	struct digest_range next = part_range(upload, 0);
	enum result result = digest_ahead_start(&ahead, &next, error);
	for (uint32_t i = 0; result == RESULT_OK && i < upload->part_count; i++) {
		struct digest_range range = next;
		struct digest_pair digests;
		result = digest_ahead_finish(STEAL(ahead), &digests, error);
		if (result == RESULT_OK && i + 1 < upload->part_count) {
			next = part_range(upload, i + 1);
			result = digest_ahead_start(&ahead, &next, error);
		}
		if (result == RESULT_OK && !is_same(&upload->parts[i], range.length, digests.md5))
			result = send_part(upload, i, &range, &digests, error);
	}
	return result;
}

/* The file was read for its digest, and then again for the parts: whoever wrote to it meanwhile made an object
 * of neither version. */
static enum result check_whole(const struct upload *upload, struct error *error)
{
	uint8_t sha256[STORE_SHA256_SIZE];
	if (EVP_DigestFinal_ex(upload->whole, sha256, NULL) != 1)
		return no_memory(error);
	if (memcmp(sha256, upload->put->sha256, sizeof sha256) == 0)
		return RESULT_OK;
	return error_set(error, RESULT_CHANGED, "'%s' is not what it was said to be", upload->put->name);
}

static enum result append_parts(struct buffer *body, const struct upload *upload)
{
	if (buffer_append_string(body, "<CompleteMultipartUpload>") != RESULT_OK)
		return RESULT_NO_MEMORY;
	for (uint32_t i = 0; i < upload->part_count; i++) {
		char etag[128];
		snprintf(etag, sizeof etag, "%s", upload->parts[i].etag);
		etag[strcspn(etag, "<&>")] = '\0';
		if (buffer_printf(body, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", i + 1, etag) !=
		    RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return buffer_append_string(body, "</CompleteMultipartUpload>");
}

/* An upload that is gone may be one whose completion was answered into the void: what counts is the object. */
static enum result complete(struct upload *upload, struct error *error)
{
	CLEANUP(http_free_answer) struct http_answer answer = {0};
	CLEANUP(buffer_free) struct buffer body = {0};
	if (append_parts(&body, upload) != RESULT_OK)
		return no_memory(error);
	struct http_pair query = {"uploadId", upload->id};
	struct http_pair type = {"content-type", "application/xml"};
	struct s3_request request = {
	    .method = "POST",
	    .key = upload->key,
	    .query = &query,
	    .query_count = 1,
	    .headers = &type,
	    .header_count = 1,
	    .has_body = true,
	    .bytes = body.data,
	    .size = body.length,
	};
	enum result result = s3_session_send(&upload->s3->session, &request, &answer, error);
	if (result != RESULT_OK && result != RESULT_END)
		return result;
	return s3_object_confirm(upload->s3, upload->key, upload->put, error);
}

/* So large that there are not too many of them. */
static uint64_t choose_part_size(uint64_t size)
{
	uint64_t part_size = PART_SIZE;
	while (size / part_size >= PARTS_MAX)
		part_size *= 2;
	return part_size;
}

enum result s3_multipart_put(struct s3 *s3, const char *key, const struct store_put *put, struct error *error)
{
	struct upload upload = {.s3 = s3, .key = key, .put = put, .part_size = choose_part_size(put->size)};
	upload.part_count = (uint32_t)((put->size + upload.part_size - 1) / upload.part_size);
	upload.parts = calloc(upload.part_count, sizeof *upload.parts);
	upload.whole = EVP_MD_CTX_new();
	enum result result = RESULT_OK;
	if (upload.parts == NULL || upload.whole == NULL ||
	    EVP_DigestInit_ex(upload.whole, EVP_sha256(), NULL) != 1)
		result = no_memory(error);
	if (result == RESULT_OK)
		result = begin(&upload, error);
	if (result == RESULT_OK)
		result = send_parts(&upload, error);
	if (result == RESULT_OK)
		result = check_whole(&upload, error);
	if (result == RESULT_OK)
		result = complete(&upload, error);
	EVP_MD_CTX_free(upload.whole);
	free(upload.parts);
	return result;
}
