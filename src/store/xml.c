// SPDX-License-Identifier: Apache-2.0
#include "store/xml.h"

#include <expat.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 8, NAME_MAX_BYTES = 64 };

struct parse {
	XML_Parser parser;
	xml_element *each;
	void *context;
	char names[DEPTH_MAX][NAME_MAX_BYTES];
	size_t depth;
	struct buffer text;
	enum result result;
};

static void stop(struct parse *parse, enum result result)
{
	parse->result = result;
	XML_StopParser(parse->parser, XML_FALSE);
}

static void begin_element(void *context, const char *name, const char **attributes)
{
	struct parse *parse = context;
	(void)attributes;
	if (parse->depth == DEPTH_MAX) {
		stop(parse, RESULT_INVALID);
		return;
	}
	snprintf(parse->names[parse->depth++], NAME_MAX_BYTES, "%s", name);
	parse->text.length = 0;
}

static void end_element(void *context, const char *name)
{
	struct parse *parse = context;
	if (buffer_append(&parse->text, "", 1) != RESULT_OK) {
		stop(parse, RESULT_NO_MEMORY);
		return;
	}
	parse->depth--;
	const char *parent = parse->depth > 0 ? parse->names[parse->depth - 1] : "";
	enum result result = parse->each(parse->context, parent, name, parse->text.data);
	parse->text.length = 0;
	if (result != RESULT_OK)
		stop(parse, result);
}

static void take_text(void *context, const char *bytes, int count)
{
	struct parse *parse = context;
	if (buffer_append(&parse->text, bytes, (size_t)count) != RESULT_OK)
		stop(parse, RESULT_NO_MEMORY);
}

enum result xml_each(const struct buffer *body, xml_element *each, void *context)
{
	struct parse parse = {.each = each, .context = context};
	parse.parser = XML_ParserCreate(NULL);
	if (parse.parser == NULL)
		return RESULT_NO_MEMORY;
	XML_SetUserData(parse.parser, &parse);
	XML_SetElementHandler(parse.parser, begin_element, end_element);
	XML_SetCharacterDataHandler(parse.parser, take_text);
	enum XML_Status status = XML_Parse(parse.parser, body->data, (int)body->length, 1);
	if (status != XML_STATUS_OK && parse.result == RESULT_OK)
		parse.result = RESULT_INVALID;
	XML_ParserFree(parse.parser);
	buffer_free(&parse.text);
	return parse.result;
}

struct search {
	const char *name;
	char *out;
	size_t size;
};

static enum result compare(void *context, const char *parent, const char *name, const char *text)
{
	const struct search *search = context;
	(void)parent;
	if (strcmp(name, search->name) != 0)
		return RESULT_OK;
	snprintf(search->out, search->size, "%s", text);
	return RESULT_END;
}

bool xml_find(const struct buffer *body, const char *name, char *out, size_t size)
{
	struct search search = {name, out, size};
	return body->length > 0 && xml_each(body, compare, &search) == RESULT_END;
}
