// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "fetch/endpoint.h"

static struct error error;

static struct endpoint *open_endpoint(const char *url)
{
	struct endpoint *endpoint = NULL;
	cr_assert_eq(endpoint_open(&endpoint, url, &error), RESULT_OK, "%s: %s", url, error.message);
	return endpoint;
}

Test(endpoint, is_https_or_http_on_loopback)
{
	static const char *const wrong[] = {
	    "http://example.org",
	    "ftp://127.0.0.1",
	    "www.kaggle.com",
	    "https://example.org/path",
	    "https://e.org/?q",
	    "https://user@e.org",
	    "http://127.0.0.1.e.org",
	    "http://localhost.e.org",
	    "",
	    "http://127.e.org",
	    "https://",
	};
	struct endpoint *endpoint;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		cr_assert_eq(endpoint_open(&endpoint, wrong[i], &error), RESULT_CONFIG, "%s", wrong[i]);
	static const char *const right[] = {"https://www.kaggle.com", "https://e.org:8443/",
	                                    "http://127.0.0.1:80", "http://[::1]:8080", "http://localhost/"};
	for (size_t i = 0; i < sizeof right / sizeof *right; i++)
		endpoint_close(open_endpoint(right[i]));
}

Test(endpoint, owns_its_scheme_host_and_port_alone)
{
	struct endpoint *endpoint = open_endpoint("https://www.kaggle.com/");
	cr_assert_str_eq(endpoint_url(endpoint), "https://www.kaggle.com");
	cr_assert(endpoint_owns(endpoint, "https://www.kaggle.com/api/v1/x?y"));
	cr_assert(endpoint_owns(endpoint, "https://WWW.kaggle.com:443/"));
	static const char *const others[] = {
	    "http://www.kaggle.com/",
	    "https://www.kaggle.com:8443/",
	    "https://kaggle.com/",
	    "https://www.kaggle.com.e.org/",
	    "https://a@www.kaggle.com/",
	    "https://www.kaggle.com@e.org/",
	    "https://storage.googleapis.com",
	    "nonsense",
	};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		cr_assert_not(endpoint_owns(endpoint, others[i]), "%s", others[i]);
	endpoint_close(endpoint);
}

Test(endpoint, redirects_lead_to_known_hosts_by_https)
{
	struct endpoint *endpoint = open_endpoint("https://www.kaggle.com");
	static const struct {
		const char *url;
		enum result result;
	} targets[] = {
	    {"https://storage.googleapis.com/a?X-Goog-Signature=s", RESULT_OK},
	    {"https://storage.googleapis.com:443/a", RESULT_OK},
	    {"https://kaggle-data.storage.googleapis.com/a", RESULT_OK},
	    {"https://www.kaggle.com/a", RESULT_OK},
	    {"http://storage.googleapis.com/a", RESULT_INVALID},
	    {"http://127.0.0.1/a", RESULT_INVALID},
	    {"https://127.0.0.1/a", RESULT_INVALID},
	    {"https://evil-storage.googleapis.com/a", RESULT_INVALID},
	    {"https://storage.googleapis.com.e.org/a", RESULT_INVALID},
	    {"https://user:word@storage.googleapis.com/a", RESULT_INVALID},
	    {"file:///etc/passwd", RESULT_INVALID},
	    {"", RESULT_INVALID},
	};
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		cr_assert_eq(endpoint_check_target(endpoint, targets[i].url, &error), targets[i].result, "%s",
		             targets[i].url);
	endpoint_close(endpoint);
}

Test(endpoint, plain_http_stays_on_loopback)
{
	struct endpoint *endpoint = open_endpoint("http://127.0.0.1:8000");
	cr_assert(endpoint_is_plain_http(endpoint));
	cr_assert_eq(endpoint_check_target(endpoint, "http://127.0.0.1:9000/x", &error), RESULT_OK);
	cr_assert_eq(endpoint_check_target(endpoint, "http://storage.googleapis.com/x", &error),
	             RESULT_INVALID);
	cr_assert_eq(endpoint_check_target(endpoint, "http://192.168.0.1/x", &error), RESULT_INVALID);
	endpoint_close(endpoint);
}
