// SPDX-License-Identifier: Apache-2.0
#include "source/cut.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cut_rule rule = {.key = {123, 456}, .quote = '"'};
static const struct cut_size size = {.least = 512, .mean = 1024, .most = 4096};

/* Records of which every other has line ends and quotes in quotes. */
static char *sample(size_t *length)
{
	char *text = NULL;
	FILE *stream = open_memstream(&text, length);
	unsigned seed = 3;
	for (int i = 0; i < 5000; i++) {
		fprintf(stream, "%d,", rand_r(&seed));
		if (rand_r(&seed) % 2 == 0)
			fprintf(stream, "\"of \"\"%d\"\"\nlines\n, three\",", rand_r(&seed));
		fprintf(stream, "%.*s\n", rand_r(&seed) % 90,
		        "...................................................."
		        "......................................");
	}
	fclose(stream);
	return text;
}

static size_t count(struct slice bytes, char byte)
{
	size_t found = 0;
	for (size_t i = 0; i < bytes.length; i++)
		found += bytes.data[i] == byte;
	return found;
}

Test(cut, falls_behind_a_line_feed_outside_quotes)
{
	size_t length;
	char *text = sample(&length);
	struct slice rest = {text, length};
	size_t chunks = 0;
	for (; rest.length > size.most; chunks++) {
		struct slice chunk = {rest.data, cut_find(&rule, &size, rest, true)};
		cr_assert_geq(chunk.length, size.least);
		cr_assert_leq(chunk.length, size.most);
		cr_assert_eq(chunk.data[chunk.length - 1], '\n');
		cr_assert_eq(count(chunk, '"') % 2, 0, "chunk %zu ends inside quotes", chunks);
		rest.data += chunk.length;
		rest.length -= chunk.length;
	}
	cr_assert_gt(chunks, length / size.most);
	free(text);
}

Test(cut, depends_on_the_bytes_around_it_and_not_on_what_stands_before)
{
	size_t length;
	char *text = sample(&length);
	enum { SHIFT = 10000 };
	bool *is_cut = calloc(length + 1, sizeof *is_cut);
	for (size_t at = 0; at < length;)
		is_cut[at += cut_find(&rule, &size, (struct slice){text + at, length - at}, true)] = true;
	size_t start = SHIFT;
	while (text[start - 1] != '\n' || count((struct slice){text, start}, '"') % 2 != 0)
		start++;
	size_t apart = 0;
	for (size_t at = start; at < length && !is_cut[at]; apart++)
		at += cut_find(&rule, &size, (struct slice){text + at, length - at}, true);
	cr_assert_lt(apart, 20, "the cuts do not meet again");
	free(is_cut);
	free(text);
}

Test(cut, is_not_found_where_more_bytes_could_move_it)
{
	size_t length;
	char *text = sample(&length);
	size_t whole = cut_find(&rule, &size, (struct slice){text, length}, true);
	size_t early = 0;
	for (size_t seen = 0; seen <= size.most + CUT_AHEAD; seen++) {
		/* In a block of its own, so that the address sanitizer sees what is read beside it. */
		char *part = malloc(seen);
		memcpy(part, text, seen);
		size_t found = cut_find(&rule, &size, (struct slice){part, seen}, false);
		cr_assert(found == 0 || found == whole, "%zu bytes: %zu, not %zu", seen, found, whole);
		early += found != 0 && seen < size.most;
		free(part);
	}
	cr_assert_gt(early, 0, "it waits for more bytes than it needs");
	cr_assert_eq(cut_find(&rule, &size, (struct slice){text, size.most + CUT_AHEAD}, false), whole);
	free(text);
}

Test(cut, is_the_same_on_every_processor)
{
	size_t length;
	char *text = sample(&length);
	for (size_t at = 0; at < length; at++) {
		struct slice rest = {text + at, length - at < 5000 ? length - at : 5000};
		cr_assert_eq(cut_find(&rule, &size, rest, true), cut_find_plain(&rule, &size, rest, true),
		             "at %zu", at);
	}
	free(text);
}

Test(cut, counts_lines_of_every_kind)
{
	struct slice text = {"a\nb\r\nc\rd\r\r\n\n", 13};
	cr_assert_eq(cut_count_lines(text), 6);
}
