// SPDX-License-Identifier: Apache-2.0
#include "fetch/refusal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int code_of(const json_t *object)
{
	const json_t *code = json_object_get(object, "code");
	if (json_is_string(code))
		return atoi(json_string_value(code));
	json_int_t number = json_integer_value(code);
	return number >= 0 && number < 1000 ? (int)number : 0;
}

static void set_text(struct refusal *refusal, const char *text)
{
	snprintf(refusal->text, sizeof refusal->text, "%s", text);
}

static void read_json(struct refusal *refusal, const json_t *body)
{
	const json_t *inner = json_object_get(body, "error");
	const json_t *object = json_is_object(inner) ? inner : body;
	const char *message = json_string_value(json_object_get(object, "message"));
	const char *other = json_string_value(json_object_get(body, "errorMessage"));
	int code = code_of(object);
	if (code >= 400)
		refusal->code = code;
	if ((message == NULL || message[0] == '\0') && other != NULL)
		message = other;
	if (refusal->code == 0 && other != NULL && other[0] != '\0')
		refusal->code = 400;
	if (refusal->code != 0 && message != NULL)
		set_text(refusal, message);
}

/* What stands in <Code>; the rest may quote the signature. */
static void read_xml(struct refusal *refusal, struct slice body)
{
	static const char tag[] = "<Code>";
	const char *start = memmem(body.data, body.length, tag, strlen(tag));
	refusal->is_storage = true;
	if (start == NULL)
		return;
	start += strlen(tag);
	const char *end = memchr(start, '<', body.length - (size_t)(start - body.data));
	if (end != NULL)
		snprintf(refusal->text, sizeof refusal->text, "%.*s", (int)(end - start), start);
}

static bool has_tag(struct slice body, const char *tag)
{
	size_t length = strlen(tag);
	for (size_t i = 0; i + length <= body.length && i < 1024; i++)
		if (strncasecmp(body.data + i, tag, length) == 0)
			return true;
	return false;
}

static const char *words_for(int code)
{
	switch (code) {
	case 401:
		return "unauthorized";
	case 403:
		return "forbidden";
	case 404:
		return "not found";
	case 429:
		return "too many requests";
	default:
		return code >= 500 ? "the server is in trouble" : "refused without a reason";
	}
}

bool refusal_read(struct refusal *refusal, long status, struct slice body)
{
	*refusal = (struct refusal){.code = status >= 400 ? (int)status : 0};
	json_t *json = body.length > 0 ? json_loadb(body.data, body.length, 0, NULL) : NULL;
	if (json_is_object(json))
		read_json(refusal, json);
	else if (has_tag(body, "<html") || has_tag(body, "<!doctype"))
		refusal->code = refusal->code != 0 ? refusal->code : 502;
	else if (has_tag(body, "<Error>"))
		read_xml(refusal, body);
	json_decref(json);
	if (refusal->code != 0 && refusal->text[0] == '\0')
		set_text(refusal, words_for(refusal->code));
	return refusal->code != 0;
}
