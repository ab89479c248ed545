// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/handle.h"

static struct error error;
static struct handle handle;

Test(handle, takes_every_way_to_write_a_data_set)
{
	static const struct {
		const char *source;
		uint64_t version;
	} forms[] = {
	    {"kaggle:owner/slug-1.x", 0},
	    {"owner/slug-1.x", 0},
	    {"owner/slug-1.x/3", 3},
	    {"kaggle:owner/slug-1.x/versions/17", 17},
	};
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		cr_assert_eq(handle_parse(&handle, forms[i].source, NULL, &error), RESULT_OK, "%s",
		             forms[i].source);
		cr_assert_str_eq(handle.owner, "owner");
		cr_assert_str_eq(handle.slug, "slug-1.x");
		cr_assert_eq(handle.version, forms[i].version);
		cr_assert_str_eq(handle.file, "");
	}
}

Test(handle, refuses_what_could_lead_elsewhere)
{
	static const char *const wrong[] = {
	    "",
	    "owner",
	    "owner/",
	    "/slug",
	    "../slug",
	    "owner/..",
	    
	    "o/s/0",
	    "o/s/x",
	    "o/s/3/4",
	    "o/s/-1",
	    "o/s/versions/",
	    "o w/s",
	    "o/s?x=y",
	    "o/s#f",
	    "o/s%2e%2e",
	    "kaggle:kaggle:o/s",
	    "https://www.kaggle.com/o/s",
	    "o/s/99999999999999999999",
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		cr_assert_eq(handle_parse(&handle, wrong[i], NULL, &error), RESULT_CONFIG, "%s", wrong[i]);
}

Test(handle, file_is_decoded_once)
{
	cr_assert_eq(handle_parse(&handle, "o/s", "a%20b%2Fc%2525.csv", &error), RESULT_OK);
	cr_assert_str_eq(handle.file, "a b/c%25.csv");
	cr_assert_eq(handle_parse(&handle, "o/s", "100% %zz.csv", &error), RESULT_OK);
	cr_assert_str_eq(handle.file, "100% %zz.csv");
}

Test(handle, encoding_leaves_nothing_that_a_url_could_misread)
{
	char *text = handle_encode("a b/ü?&=#%.csv");
	cr_assert_str_eq(text, "a%20b%2F%C3%BC%3F%26%3D%23%25.csv");
	free(text);
}

Test(handle, keys_differ_by_file_and_not_by_version)
{
	struct handle other;
	cr_assert_eq(handle_parse(&handle, "o/s", NULL, &error), RESULT_OK);
	cr_assert_eq(handle_parse(&other, "o/s/7", NULL, &error), RESULT_OK);
	char *whole = handle_key(&handle);
	char *pinned = handle_key(&other);
	cr_assert_str_eq(whole, pinned);
	cr_assert_eq(handle_parse(&other, "o/s", "x.csv", &error), RESULT_OK);
	char *one = handle_key(&other);
	cr_assert_eq(handle_parse(&other, "o/s", "d/x.csv", &error), RESULT_OK);
	char *another = handle_key(&other);
	cr_assert_str_neq(whole, one);
	cr_assert_str_neq(one, another);
	cr_assert_null(strchr(another, '/'));
	free(whole);
	free(pinned);
	free(one);
	free(another);
}
