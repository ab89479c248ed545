// SPDX-License-Identifier: Apache-2.0
#include "source/split.h"

enum {
	STATE_START = 0, /* of a field */
	STATE_PLAIN,
	STATE_QUOTED,
	STATE_QUOTE, /* behind a quote in a quoted field: its end, or the first of two */
	STATE_ESCAPED,
	STATE_QUOTED_ESCAPED,
};

void split_reset(struct split *split)
{
	split->field.length = 0;
	split->state = STATE_START;
	split->has_fields = false;
}

static void end_field(struct split *split, split_field_fn *each, void *context)
{
	each(split->field.data, split->field.length, context);
	split->field.length = 0;
	split->state = STATE_START;
	split->has_fields = true;
}

/* Takes a byte as data; there is room for it. */
static void take(struct split *split, char byte, int state)
{
	split->field.data[split->field.length++] = byte;
	split->state = state;
}

/* Outside quotes. False: a quote stands where none can. */
static bool feed_plain(struct split *split, char byte, split_field_fn *each, void *context)
{
	bool is_quote = split->quote != '\0' && byte == split->quote;
	if (byte == split->delimiter)
		end_field(split, each, context);
	else if (split->escape != '\0' && byte == split->escape)
		split->state = STATE_ESCAPED;
	else if (is_quote && split->state == STATE_START)
		split->state = STATE_QUOTED;
	else if (is_quote && split->is_strict)
		return false;
	else
		take(split, byte, STATE_PLAIN);
	return true;
}

static bool feed_byte(struct split *split, char byte, split_field_fn *each, void *context)
{
	switch (split->state) {
	case STATE_QUOTED:
		if (split->escape != '\0' && byte == split->escape)
			split->state = STATE_QUOTED_ESCAPED;
		else if (byte == split->quote)
			split->state = STATE_QUOTE;
		else
			take(split, byte, STATE_QUOTED);
		return true;
	case STATE_QUOTE:
		if (byte == split->quote) {
			take(split, byte, STATE_QUOTED);
			return true;
		}
		if (split->is_strict && byte != split->delimiter)
			return false;
		split->state = STATE_PLAIN;
		return feed_plain(split, byte, each, context);
	case STATE_ESCAPED:
		take(split, byte, STATE_PLAIN);
		return true;
	case STATE_QUOTED_ESCAPED:
		take(split, byte, STATE_QUOTED);
		return true;
	default:
		return feed_plain(split, byte, each, context);
	}
}

enum split_fed split_feed(struct split *split, struct slice bytes, split_field_fn *each, void *context)
{
	if (buffer_reserve(&split->field, bytes.length) != RESULT_OK)
		return SPLIT_NO_MEMORY;
	for (size_t i = 0; i < bytes.length; i++)
		if (!feed_byte(split, bytes.data[i], each, context))
			return SPLIT_STRAY_QUOTE;
	return SPLIT_FED;
}

bool split_end(struct split *split, split_field_fn *each, void *context)
{
	if (split->state == STATE_QUOTED || split->state == STATE_ESCAPED ||
	    split->state == STATE_QUOTED_ESCAPED)
		return false;
	if (split->state != STATE_START || split->has_fields)
		end_field(split, each, context);
	return true;
}

void split_free(struct split *split)
{
	buffer_free(&split->field);
}
