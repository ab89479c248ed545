// SPDX-License-Identifier: Apache-2.0
#include "store/s3_failure.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/xml.h"

enum { CODE_MAX = 64, MESSAGE_MAX = 300 };

bool s3_failure_is(const struct http_answer *answer)
{
	char code[CODE_MAX];
	if (answer->status < 200 || answer->status >= 300)
		return true;
	return answer->body.length > 0 && strstr(answer->body.data, "<Error>") != NULL &&
	       xml_find(&answer->body, "Code", code, sizeof code);
}

static bool has_code(const struct http_answer *answer, const char *const *codes)
{
	char code[CODE_MAX];
	if (!xml_find(&answer->body, "Code", code, sizeof code))
		return false;
	for (; *codes != NULL; codes++) {
		if (strcmp(code, *codes) == 0)
			return true;
	}
	return false;
}

bool s3_failure_is_passing(const struct http_answer *answer)
{
	static const char *const codes[] = {"SlowDown",        "ServiceUnavailable", "InternalError",
	                                    "RequestTimeout",  "Throttling",         "ThrottlingException",
	                                    "OperationAborted", "RequestLimitExceeded", NULL};
	return answer->status >= 500 || answer->status == 429 || answer->status == 408 ||
	       has_code(answer, codes);
}

bool s3_failure_is_old_token(const struct http_answer *answer)
{
	static const char *const codes[] = {"ExpiredToken", "InvalidToken", "TokenRefreshRequired", NULL};
	return has_code(answer, codes);
}

/* How far this machine's clock is off, by the answer's Date. */
static void explain_clock(const struct http_answer *answer, struct error *error)
{
	char date[64];
	time_t theirs = http_header(answer, "date", date, sizeof date) ? curl_getdate(date, NULL) : -1;
	long long ahead = theirs < 0 ? 0 : (long long)(time(NULL) - theirs);
	error_set(error, RESULT_CONFIG, "the store refuses the time of the request: this machine's clock is %lld s %s",
	          llabs(ahead), ahead < 0 ? "behind the store's" : "ahead of the store's");
	error_hint(error, "set the clock: timedatectl set-ntp true");
}

static void explain_region(const struct http_answer *answer, const struct s3_failure_context *context,
                           struct error *error)
{
	char region[CODE_MAX];
	bool is_told = xml_find(&answer->body, "Region", region, sizeof region) ||
	               http_header(answer, "x-amz-bucket-region", region, sizeof region);
	error_set(error, RESULT_CONFIG, "bucket '%s' is not in region '%s'", context->bucket, context->region);
	if (is_told)
		error_hint(error, "set s3.region = \"%s\"", region);
	else
		error_hint(error, "set s3.region to the bucket's, and s3.endpoint where it is not Amazon's");
}

typedef void explain(const struct http_answer *answer, const struct s3_failure_context *context,
                     struct error *error);

static void explain_time(const struct http_answer *answer, const struct s3_failure_context *context,
                         struct error *error)
{
	(void)context;
	explain_clock(answer, error);
}

static void explain_secret(const struct http_answer *answer, const struct s3_failure_context *context,
                           struct error *error)
{
	(void)answer;
	error_set(error, RESULT_CONFIG, "the store refuses the signature: the secret key does not belong to key '%s'",
	          context->access_key);
	error_hint(error, "check the secret key in %s", context->place);
}

static void explain_key(const struct http_answer *answer, const struct s3_failure_context *context,
                        struct error *error)
{
	(void)answer;
	error_set(error, RESULT_CONFIG, "the store does not know the access key '%s'", context->access_key);
	error_hint(error, "check the keys in %s, and s3.endpoint", context->place);
}

static void explain_bucket(const struct http_answer *answer, const struct s3_failure_context *context,
                           struct error *error)
{
	(void)answer;
	error_set(error, RESULT_CONFIG, "there is no bucket '%s'", context->bucket);
	error_hint(error, "make it, or check s3.bucket and s3.addressing");
}

static void explain_access(const struct http_answer *answer, const struct s3_failure_context *context,
                           struct error *error)
{
	(void)answer;
	error_set(error, RESULT_CONFIG, "'%s': access denied to key '%s'", context->what, context->access_key);
	error_hint(error, "it needs s3:PutObject, s3:GetObject, s3:AbortMultipartUpload, "
	                  "s3:ListMultipartUploadParts on the objects and s3:ListBucket, "
	                  "s3:ListBucketMultipartUploads on bucket '%s'; some stores say so of a wrong secret key "
	                  "too", context->bucket);
}

static void explain_token(const struct http_answer *answer, const struct s3_failure_context *context,
                          struct error *error)
{
	(void)answer;
	error_set(error, RESULT_CONFIG, "the session token of %s is not valid any more", context->place);
	error_hint(error, "get new keys");
}

static const struct {
	const char *code;
	explain *explain;
} explanations[] = {
    {"RequestTimeTooSkewed", explain_time},
    {"RequestExpired", explain_time},
    {"SignatureDoesNotMatch", explain_secret},
    {"InvalidAccessKeyId", explain_key},
    {"AuthorizationHeaderMalformed", explain_region},
    {"PermanentRedirect", explain_region},
    {"TemporaryRedirect", explain_region},
    {"IllegalLocationConstraintException", explain_region},
    {"NoSuchBucket", explain_bucket},
    {"InvalidBucketName", explain_bucket},
    {"AccessDenied", explain_access},
    {"AllAccessDisabled", explain_access},
    {"AccountProblem", explain_access},
    {"ExpiredToken", explain_token},
    {"InvalidToken", explain_token},
};

/* Answers to HEAD have no body to say more. */
static void explain_status(const struct http_answer *answer, const struct s3_failure_context *context,
                           const char *code, struct error *error)
{
	char message[MESSAGE_MAX] = "";
	bool is_passing = s3_failure_is_passing(answer);
	xml_find(&answer->body, "Message", message, sizeof message);
	if (answer->status == 403 && code[0] == '\0') {
		explain_access(answer, context, error);
		return;
	}
	if (answer->status == 301 || answer->status == 307) {
		explain_region(answer, context, error);
		return;
	}
	error_set(error, is_passing ? RESULT_UNREACHABLE : RESULT_REFUSED, "'%s': the store answers %ld%s%s%s%s",
	          context->what, answer->status, code[0] != '\0' ? " " : "", code,
	          message[0] != '\0' ? ": " : "", message);
	if (!is_passing)
		error_hint(error, "check s3.endpoint, s3.storage_class and s3.sse");
}

enum result s3_failure_explain(const struct http_answer *answer, const struct s3_failure_context *context,
                               struct error *error)
{
	char code[CODE_MAX] = "";
	xml_find(&answer->body, "Code", code, sizeof code);
	bool is_bucket = strcmp(code, "NoSuchBucket") == 0;
	if (answer->status == 404 && !is_bucket)
		return RESULT_END;
	for (size_t i = 0; i < sizeof explanations / sizeof *explanations; i++) {
		if (strcmp(explanations[i].code, code) == 0) {
			explanations[i].explain(answer, context, error);
			return error->result;
		}
	}
	explain_status(answer, context, code, error);
	return error->result;
}
