// SPDX-License-Identifier: Apache-2.0
#include "source/scanner.h"

#include <criterion/criterion.h>
#include <csv.h>
#include <stdlib.h>
#include <string.h>

/*
 * Every kind of scanner against its definition, written out byte by byte, and what it takes for regular
 * against libcsv. A first record of one field moves the text through every place of a block.
 */

enum { TEXT_MAX = 400, SHIFTS = 64 };

struct setting {
	char delimiter;
	char quote;
};

static const struct setting settings[] = {{',', '"'},  {';', '"'}, {'\t', '"'}, {',', '\0'},
                                          {'|', '\''}, {' ', '"'}, {',', '\''}, {'\0', '"'}};
enum { SETTING_COUNT = sizeof(settings) / sizeof(settings[0]) };

struct expected {
	struct scanner_found found;
	uint32_t ends[TEXT_MAX + SHIFTS];
};

enum step { STEP_FIELD, STEP_RECORD, STEP_IRREGULAR, STEP_OPEN };

/* Over one field, from *at; behind it *at stands at what ended it. */
static enum step next_field(const struct setting *setting, const char *text, size_t length, size_t *at,
                            bool *is_doubled)
{
	bool quoted = setting->quote != '\0' && *at < length && text[*at] == setting->quote;
	if (quoted) {
		for (++*at;; ++*at) {
			if (*at == length)
				return STEP_OPEN;
			if (text[*at] != setting->quote)
				continue;
			++*at;
			if (*at == length)
				return STEP_OPEN;
			if (text[*at] != setting->quote)
				break;
			*is_doubled = true;
		}
		if (text[*at] != setting->delimiter && text[*at] != '\n' && text[*at] != '\r')
			return STEP_IRREGULAR;
	}
	for (;; ++*at) {
		if (*at == length)
			return STEP_OPEN;
		if (text[*at] == setting->delimiter)
			return STEP_FIELD;
		if (text[*at] == '\n')
			return STEP_RECORD;
		if (text[*at] == '\r' && *at + 1 == length)
			return STEP_OPEN;
		if (text[*at] == '\r' && text[*at + 1] != '\n')
			return STEP_IRREGULAR;
		if (setting->quote != '\0' && text[*at] == setting->quote)
			return STEP_IRREGULAR;
	}
}

static struct expected expect(const struct setting *setting, const char *text, size_t length)
{
	struct expected expected = {0};
	size_t count = 0;
	bool is_doubled = false;
	enum step step = STEP_RECORD;
	for (size_t at = 0; at < length; at++) {
		bool is_blank = step == STEP_RECORD && (text[at] == '\n' || text[at] == '\r');
		step = is_blank ? STEP_IRREGULAR : next_field(setting, text, length, &at, &is_doubled);
		if (step == STEP_IRREGULAR)
			expected.found.irregular = true;
		if (step == STEP_IRREGULAR || step == STEP_OPEN)
			break;
		expected.ends[count++] = (uint32_t)at;
		if (step != STEP_RECORD)
			continue;
		expected.found.count = count;
		expected.found.has_doubled = is_doubled;
	}
	return expected;
}

static size_t random_text(const struct setting *setting, char *text, unsigned *seed)
{
	const char alphabet[] = {'a', 'b', ' ', setting->delimiter, setting->delimiter, '\n', '\r'};
	size_t length = 1 + (size_t)rand_r(seed) % TEXT_MAX;
	int quotes = rand_r(seed) % 16;
	for (size_t i = 0; i < length; i++)
		text[i] = rand_r(seed) % 64 < quotes ? setting->quote
		                                     : alphabet[(size_t)rand_r(seed) % sizeof(alphabet)];
	return length;
}

/* Fields that are quoted as they should be, more or less. */
static size_t tidy_text(const struct setting *setting, char *text, unsigned *seed)
{
	size_t length = 0;
	while (length < TEXT_MAX - 30) {
		bool quoted = setting->quote != '\0' && rand_r(seed) % 3 == 0;
		if (quoted)
			text[length++] = setting->quote;
		for (int left = rand_r(seed) % 12; left > 0; left--) {
			if (quoted && rand_r(seed) % 8 == 0) {
				text[length++] = setting->quote;
				text[length++] = setting->quote;
			} else
				text[length++] = quoted && rand_r(seed) % 8 == 0 ? '\n' : 'x';
		}
		if (quoted)
			text[length++] = setting->quote;
		if (rand_r(seed) % 4 != 0)
			text[length++] = setting->delimiter;
		else if (rand_r(seed) % 2 == 0)
			text[length++] = '\n';
		else {
			text[length++] = '\r';
			text[length++] = '\n';
		}
	}
	return length;
}

static void compare(enum scanner_kind kind, const struct setting *setting, const char *text, size_t length,
                    const struct expected *expected)
{
	struct scanner scanner;
	if (!scanner_init_kind(&scanner, kind, setting->delimiter, setting->quote))
		return; /* this processor has no such instructions */
	/* Exactly as long as it says, so that a sanitizer sees a byte too many read or written. */
	char *bytes = malloc(length);
	uint32_t *ends = malloc(SCANNER_ENDS_MAX * sizeof(*ends));
	memcpy(bytes, text, length);
	struct scanner_found found = scanner_scan(&scanner, bytes, length, ends);
	cr_assert_eq(found.irregular, expected->found.irregular, "kind %d, of '%.*s'", (int)kind, (int)length,
	             text);
	cr_assert_eq(found.count, expected->found.count, "kind %d, of '%.*s'", (int)kind, (int)length, text);
	cr_assert_arr_eq(ends, expected->ends, found.count * sizeof(*ends));
	cr_assert_geq(found.has_doubled, expected->found.has_doubled, "kind %d, of '%.*s'", (int)kind,
	              (int)length, text);
	free(ends);
	free(bytes);
}

static size_t shifted(char *out, size_t shift, const char *text, size_t length)
{
	memset(out, 'k', shift);
	out[shift - 1] = '\n';
	memcpy(out + shift, text, length);
	return shift + length;
}

Test(scanner, finds_what_its_definition_says_at_every_place_of_a_block)
{
	unsigned seed = 7;
	char text[TEXT_MAX];
	char moved[TEXT_MAX + SHIFTS];
	size_t regular = 0;
	for (int round = 0; round < 2000; round++) {
		const struct setting *setting = &settings[(size_t)round % SETTING_COUNT];
		size_t length =
		    round % 3 == 0 ? random_text(setting, text, &seed) : tidy_text(setting, text, &seed);
		for (size_t shift = 2; shift <= SHIFTS; shift++) {
			size_t count = shifted(moved, shift, text, length);
			struct expected expected = expect(setting, moved, count);
			regular += expected.found.count > 1;
			for (enum scanner_kind kind = SCANNER_SCALAR; kind <= SCANNER_AVX512; kind++)
				compare(kind, setting, moved, count, &expected);
		}
	}
	cr_assert_gt(regular, 50000);
}

struct parsed {
	char text[TEXT_MAX];
	size_t length;
	size_t rows;
};

static void put_field(struct parsed *parsed, const char *field, size_t length)
{
	memcpy(parsed->text + parsed->length, field, length);
	parsed->length += length;
	parsed->text[parsed->length++] = '\1';
}

static void on_field(void *field, size_t length, void *context)
{
	put_field(context, field == NULL ? "" : field, length);
}

static void on_row(int end, void *context)
{
	(void)end;
	struct parsed *parsed = context;
	parsed->rows++;
}

static int never_space(unsigned char byte)
{
	(void)byte;
	return 0;
}

static struct parsed by_libcsv(const struct setting *setting, const char *record, size_t length)
{
	struct parsed parsed = {0};
	struct csv_parser parser;
	cr_assert_eq(csv_init(&parser, 0), 0);
	/* A quote that no record holds is none. */
	csv_set_quote(&parser, (unsigned char)(setting->quote == '\0' ? '\2' : setting->quote));
	csv_set_delim(&parser, (unsigned char)setting->delimiter);
	csv_set_space_func(&parser, never_space);
	cr_assert_eq(csv_parse(&parser, record, length, on_field, on_row, &parsed), length);
	cr_assert_eq(csv_fini(&parser, on_field, on_row, &parsed), 0);
	csv_free(&parser);
	return parsed;
}

static void unquote(struct parsed *parsed, const struct setting *setting, const char *field, size_t length)
{
	char text[TEXT_MAX];
	size_t count = 0;
	bool quoted = length >= 2 && setting->quote != '\0' && field[0] == setting->quote;
	for (size_t i = quoted; i + quoted < length; i++) {
		text[count++] = field[i];
		i += quoted && field[i] == setting->quote;
	}
	put_field(parsed, text, count);
}

Test(scanner, takes_for_regular_only_what_libcsv_reads_the_same)
{
	unsigned seed = 11;
	char text[TEXT_MAX];
	uint32_t ends[SCANNER_ENDS_MAX];
	size_t compared = 0;
	for (int round = 0; round < 20000; round++) {
		const struct setting *setting = &settings[(size_t)round % SETTING_COUNT];
		size_t length =
		    round % 2 == 0 ? random_text(setting, text, &seed) : tidy_text(setting, text, &seed);
		struct scanner scanner;
		cr_assert(scanner_init(&scanner, setting->delimiter, setting->quote));
		struct scanner_found found = scanner_scan(&scanner, text, length, ends);
		size_t begin = 0;
		size_t field = 0;
		struct parsed got = {0};
		for (size_t i = 0; i < found.count; i++) {
			size_t end = ends[i];
			bool is_last = text[end] == '\n';
			size_t content = end - (is_last && end > field && text[end - 1] == '\r');
			unquote(&got, setting, text + field, content - field);
			field = end + 1;
			if (!is_last)
				continue;
			struct parsed wanted = by_libcsv(setting, text + begin, end + 1 - begin);
			cr_assert_eq(wanted.rows, 1);
			cr_assert_eq(wanted.length, got.length, "'%.*s'", (int)(end - begin), text + begin);
			cr_assert_arr_eq(wanted.text, got.text, got.length);
			got = (struct parsed){0};
			begin = end + 1;
			compared++;
		}
	}
	cr_assert_gt(compared, 50000);
}

Test(scanner, stops_where_the_ends_have_no_room)
{
	enum { LENGTH = 3 * SCANNER_ENDS_MAX };
	char *text = malloc(LENGTH);
	uint32_t *ends = malloc(SCANNER_ENDS_MAX * sizeof(*ends));
	for (size_t i = 0; i < LENGTH; i++)
		text[i] = i % 4 == 3 ? '\n' : ',';
	struct scanner scanner;
	cr_assert(scanner_init(&scanner, ',', '"'));
	struct scanner_found found = scanner_scan(&scanner, text, LENGTH, ends);
	cr_assert_gt(found.count, SCANNER_ENDS_MAX / 2);
	cr_assert_leq(found.count, SCANNER_ENDS_MAX);
	cr_assert_eq(text[ends[found.count - 1]], '\n');
	for (size_t i = 0; i < LENGTH; i++)
		text[i] = ',';
	found = scanner_scan(&scanner, text, LENGTH, ends);
	cr_assert_eq(found.count, 0);
	cr_assert_not(found.irregular);
	free(ends);
	free(text);
}

Test(scanner, takes_nothing_for_regular_where_delimiter_quote_and_line_end_are_one)
{
	struct scanner scanner;
	cr_assert_not(scanner_init(&scanner, '\n', '"'));
	cr_assert_not(scanner_init(&scanner, '\r', '"'));
	cr_assert_not(scanner_init(&scanner, '"', '"'));
	cr_assert_not(scanner_init(&scanner, ',', '\n'));
}
