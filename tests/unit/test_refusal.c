// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "fetch/refusal.h"

static struct refusal refusal;

static bool read(long status, const char *body)
{
	return refusal_read(&refusal, status, slice_from_string(body));
}

Test(refusal, good_answers_are_none)
{
	cr_assert_not(read(200, "{\"currentVersionNumber\":3,\"errorMessage\":\"\"}"));
	cr_assert_not(read(200, ""));
	cr_assert_not(read(302, ""));
	cr_assert_not(read(200, "{\"code\":200,\"message\":\"fine\"}"));
	cr_assert_not(read(200, "{\"code\":0}"));
}

Test(refusal, the_code_of_the_body_wins_over_the_status)
{
	static const char *const bodies[] = {
	    "{\"code\":429,\"message\":\"Slow\"}",
	    "{\"code\":\"429\",\"message\":\"Slow\"}",
	    "{\"error\":{\"code\":429,\"message\":\"Slow\",\"status\":\"RESOURCE_EXHAUSTED\"}}",
	};
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		cr_assert(read(i % 2 == 0 ? 200 : 403, bodies[i]));
		cr_assert_eq(refusal.code, 429);
		cr_assert_str_eq(refusal.text, "Slow");
	}
}

Test(refusal, has_words_where_the_server_has_none)
{
	cr_assert(read(404, ""));
	cr_assert_str_eq(refusal.text, "not found");
	cr_assert(read(503, "<html>x</html>"));
	cr_assert_eq(refusal.code, 503);
	cr_assert(read(200, "<!DOCTYPE html>sign in"));
	cr_assert_eq(refusal.code, 502);
	cr_assert(read(418, "{\"code\":99999999999999999999}"));
	cr_assert_eq(refusal.code, 418);
}

Test(refusal, of_the_storage_only_the_code_is_shown)
{
	cr_assert(read(
	    403,
	    "<?xml "
	    "version='1.0'?><Error><Code>ExpiredToken</Code><StringToSign>secret</StringToSign></Error>"));
	cr_assert(refusal.is_storage);
	cr_assert_str_eq(refusal.text, "ExpiredToken");
	cr_assert(read(403, "<Error><Code>"));
	cr_assert(read(403, "<Error>"));
	cr_assert_str_eq(refusal.text, "forbidden");
}

Test(refusal, long_words_are_cut)
{
	char body[2000] = "{\"message\":\"";
	memset(body + strlen(body), 'x', 1500);
	strcat(body, "\"}");
	cr_assert(read(400, body));
	cr_assert_eq(strlen(refusal.text), REFUSAL_TEXT_MAX);
}
