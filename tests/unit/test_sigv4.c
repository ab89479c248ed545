// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "store/sigv4.h"

/* Requests and signatures that AWS published: of the signature's own test suite, and of S3's documentation. */

static const char empty_payload[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static const struct sigv4_key suite_key = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                           "us-east-1", "service"};
static const struct sigv4_key s3_key = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                        "us-east-1", "s3"};

static void expect(const struct sigv4_key *key, const struct sigv4_request *request, const char *signature)
{
	struct buffer out = {0};
	cr_assert_eq(sigv4_authorize(&out, key, request), RESULT_OK);
	cr_assert_eq(buffer_append(&out, "", 1), RESULT_OK);
	const char *found = strstr(out.data, "Signature=");
	cr_assert_str_eq(found + strlen("Signature="), signature, "%s", out.data);
	buffer_free(&out);
}

static struct sigv4_request suite_request(const char *method, const char *path)
{
	static const struct http_pair headers[] = {{"host", "example.amazonaws.com"},
	                                           {"x-amz-date", "20150830T123600Z"}};
	return (struct sigv4_request){
	    .method = method,
	    .path = path,
	    .headers = headers,
	    .header_count = 2,
	    .payload = empty_payload,
	    .time = "20150830T123600Z",
	};
}

Test(sigv4, get_vanilla)
{
	struct sigv4_request request = suite_request("GET", "/");
	expect(&suite_key, &request, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

Test(sigv4, post_vanilla)
{
	struct sigv4_request request = suite_request("POST", "/");
	expect(&suite_key, &request, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

Test(sigv4, get_vanilla_query_order_key_case)
{
	static const struct http_pair query[] = {{"Param2", "value2"}, {"Param1", "value1"}};
	struct sigv4_request request = suite_request("GET", "/");
	request.query = query;
	request.query_count = 2;
	expect(&suite_key, &request, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

Test(sigv4, get_utf8)
{
	struct buffer path = {0};
	cr_assert_eq(sigv4_encode(&path, "/\xe1\x88\xb4", true), RESULT_OK);
	cr_assert_eq(buffer_append(&path, "", 1), RESULT_OK);
	struct sigv4_request request = suite_request("GET", path.data);
	expect(&suite_key, &request, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
	buffer_free(&path);
}

Test(sigv4, get_header_value_trim)
{
	static const struct http_pair headers[] = {{"host", "example.amazonaws.com"},
	                                           {"x-amz-date", "20150830T123600Z"},
	                                           {"my-header1", " value1"},
	                                           {"my-header2", " \"a   b   c\""}};
	struct sigv4_request request = suite_request("GET", "/");
	request.headers = headers;
	request.header_count = 4;
	expect(&suite_key, &request, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

static struct sigv4_request s3_request(const char *path, const struct http_pair *headers, size_t count)
{
	return (struct sigv4_request){
	    .method = "GET",
	    .path = path,
	    .headers = headers,
	    .header_count = count,
	    .payload = empty_payload,
	    .time = "20130524T000000Z",
	};
}

static const struct http_pair s3_headers[] = {{"x-amz-date", "20130524T000000Z"},
                                              {"x-amz-content-sha256", empty_payload},
                                              {"host", "examplebucket.s3.amazonaws.com"},
                                              {"range", "bytes=0-9"}};

Test(sigv4, s3_get_object)
{
	struct sigv4_request request = s3_request("/test.txt", s3_headers, 4);
	expect(&s3_key, &request, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

Test(sigv4, s3_put_object)
{
	static const char payload[] = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
	static const struct http_pair headers[] = {{"host", "examplebucket.s3.amazonaws.com"},
	                                           {"date", "Fri, 24 May 2013 00:00:00 GMT"},
	                                           {"x-amz-date", "20130524T000000Z"},
	                                           {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
	                                           {"x-amz-content-sha256", payload}};
	struct buffer path = {0};
	cr_assert_eq(sigv4_encode(&path, "/test$file.text", true), RESULT_OK);
	cr_assert_eq(buffer_append(&path, "", 1), RESULT_OK);
	struct sigv4_request request = s3_request(path.data, headers, 5);
	request.method = "PUT";
	request.payload = payload;
	expect(&s3_key, &request, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
	buffer_free(&path);
}

Test(sigv4, s3_get_bucket_lifecycle)
{
	static const struct http_pair query[] = {{"lifecycle", ""}};
	struct sigv4_request request = s3_request("/", s3_headers, 3);
	request.query = query;
	request.query_count = 1;
	expect(&s3_key, &request, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

Test(sigv4, s3_list_objects)
{
	static const struct http_pair query[] = {{"prefix", "J"}, {"max-keys", "2"}};
	struct sigv4_request request = s3_request("/", s3_headers, 3);
	request.query = query;
	request.query_count = 2;
	expect(&s3_key, &request, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

Test(sigv4, a_time_is_utc)
{
	char text[SIGV4_TIME_MAX];
	sigv4_time(text, INT64_C(1440938160) * 1000000000 + 999999999);
	cr_assert_str_eq(text, "20150830T123600Z");
}

Test(sigv4, only_unreserved_bytes_stand_for_themselves)
{
	struct buffer out = {0};
	cr_assert_eq(sigv4_encode(&out, "aZ09-._~/ +&=%\xff", false), RESULT_OK);
	cr_assert_eq(buffer_append(&out, "", 1), RESULT_OK);
	cr_assert_str_eq(out.data, "aZ09-._~%2F%20%2B%26%3D%25%FF");
	buffer_free(&out);
}
