// SPDX-License-Identifier: Apache-2.0
#include "config/syntax.h"

#include <string.h>

struct cursor {
	char *text;
	size_t length;
	size_t at;
	unsigned line;
	unsigned depth;     /* of braces */
	unsigned open_line; /* of the outermost one */
};

static bool stands_at(const struct cursor *cursor, const char *word)
{
	size_t length = strlen(word);
	return cursor->length - cursor->at >= length && memcmp(cursor->text + cursor->at, word, length) == 0;
}

static void step(struct cursor *cursor)
{
	if (cursor->text[cursor->at++] == '\n')
		cursor->line++;
}

static void blank(struct cursor *cursor)
{
	if (cursor->text[cursor->at] != '\n')
		cursor->text[cursor->at] = ' ';
	step(cursor);
}

static void blank_line(struct cursor *cursor)
{
	while (cursor->at < cursor->length && cursor->text[cursor->at] != '\n')
		blank(cursor);
}

static bool blank_block(struct cursor *cursor)
{
	blank(cursor);
	blank(cursor);
	while (!stands_at(cursor, "*/")) {
		if (cursor->at == cursor->length)
			return false;
		blank(cursor);
	}
	blank(cursor);
	blank(cursor);
	return true;
}

/* ${NAME:-text} may hold anything but '}'; without one it is no variable. */
static bool skip_variable(struct cursor *cursor)
{
	if (!stands_at(cursor, "${"))
		return false;
	if (memchr(cursor->text + cursor->at, '}', cursor->length - cursor->at) == NULL)
		return false;
	while (cursor->text[cursor->at] != '}')
		step(cursor);
	step(cursor);
	return true;
}

static bool skip_string(struct cursor *cursor)
{
	char quote = cursor->text[cursor->at];
	step(cursor);
	while (cursor->at < cursor->length) {
		char here = cursor->text[cursor->at];
		if (quote == '"' && skip_variable(cursor))
			continue;
		step(cursor);
		if (here == quote)
			return true;
		if (here == '\\' && cursor->at < cursor->length)
			step(cursor);
	}
	return false;
}

/* Inside of a word, as in http://host, a slash starts no comment. */
static bool is_in_word(const struct cursor *cursor)
{
	return cursor->at > 0 && strchr(" \t\r\n={}()+,\"'", cursor->text[cursor->at - 1]) == NULL;
}

/* libconfuse takes the end of the text for the end of every section. A '}' too many it reports. */
static void count_brace(struct cursor *cursor)
{
	char here = cursor->text[cursor->at];
	if (here == '{' && cursor->depth++ == 0)
		cursor->open_line = cursor->line;
	else if (here == '}' && cursor->depth > 0)
		cursor->depth--;
	step(cursor);
}

/* Takes one character, string or comment; returns what is wrong with it. */
static const char *take(struct cursor *cursor)
{
	char here = cursor->text[cursor->at];
	if (here == '#' || (stands_at(cursor, "//") && !is_in_word(cursor)))
		blank_line(cursor);
	else if (stands_at(cursor, "/*") && !is_in_word(cursor))
		return blank_block(cursor) ? NULL : "this comment is not closed";
	else if (here == '"' || here == '\'')
		return skip_string(cursor) ? NULL : "this string is not closed";
	else if (here == '*' || here == '|' || (here == '+' && !stands_at(cursor, "+=")))
		return "'*', '|' and '+' must stand in quotes";
	else if (here == '\0')
		return "a NUL byte";
	else if (!skip_variable(cursor))
		count_brace(cursor);
	return NULL;
}

bool syntax_prepare(char *text, size_t length, struct syntax_fault *fault)
{
	struct cursor cursor = {.text = text, .length = length, .line = 1};
	while (cursor.at < length) {
		fault->line = cursor.line;
		fault->reason = take(&cursor);
		if (fault->reason != NULL)
			return false;
	}
	if (cursor.depth > 0)
		*fault = (struct syntax_fault){cursor.open_line, "this '{' is not closed"};
	return cursor.depth == 0;
}
