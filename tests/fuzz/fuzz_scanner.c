// SPDX-License-Identifier: Apache-2.0
#include <csv.h>
#include <string.h>

#include "base/buffer.h"
#include "fuzz.h"
#include "source/scanner.h"

/*
 * Every kind of scanner finds the same, and what it takes for regular libcsv reads the same. The first two bytes are
 * delimiter and quote.
 */

enum { LONGEST = 4096 };

struct row {
	struct buffer
	    text; /* its fields, each with a byte behind it that no field ends with by chance alone */
	size_t rows;
};

static void put(struct row *row, const char *field, size_t length)
{
	FUZZ_ASSERT(buffer_append(&row->text, field != NULL ? field : "", length) == RESULT_OK);
	FUZZ_ASSERT(buffer_append(&row->text, &length, sizeof length) == RESULT_OK);
}

static void on_field(void *field, size_t length, void *context)
{
	put(context, field, length);
}

static void on_row(int end, void *context)
{
	(void)end;
	struct row *row = context;
	row->rows++;
}

static int never_space(unsigned char byte)
{
	(void)byte;
	return 0;
}

static void read_by_libcsv(const struct scanner *scanner, const char *bytes, size_t length, struct row *row)
{
	struct csv_parser parser;
	FUZZ_ASSERT(csv_init(&parser, 0) == 0);
	csv_set_quote(&parser, (unsigned char)scanner->quote);
	csv_set_delim(&parser, (unsigned char)scanner->delimiter);
	csv_set_space_func(&parser, never_space);
	FUZZ_ASSERT(csv_parse(&parser, bytes, length, on_field, on_row, row) == length);
	FUZZ_ASSERT(csv_fini(&parser, on_field, on_row, row) == 0);
	csv_free(&parser);
}

static void put_unquoted(const struct scanner *scanner, const char *field, size_t length, struct row *row)
{
	char text[LONGEST];
	size_t count = 0;
	bool is_quoted = length >= 2 && field[0] == scanner->quote;
	for (size_t i = is_quoted; i + is_quoted < length; i++) {
		text[count++] = field[i];
		i += is_quoted && field[i] == scanner->quote;
	}
	put(row, text, count);
}

/* libcsv gets each record by itself, without its line end, which without quotes would be its quote. */
static void compare_records(const struct scanner *scanner, const char *bytes, const uint32_t *ends,
                            size_t count)
{
	size_t begin = 0;
	size_t field = 0;
	struct row got = {0};
	struct row wanted = {0};
	for (size_t i = 0; i < count; i++) {
		size_t end = ends[i];
		bool is_last = bytes[end] == '\n';
		size_t content = end - (is_last && end > field && bytes[end - 1] == '\r');
		put_unquoted(scanner, bytes + field, content - field, &got);
		field = end + 1;
		if (!is_last)
			continue;
		read_by_libcsv(scanner, bytes + begin, content - begin, &wanted);
		FUZZ_ASSERT(wanted.rows == 1 && wanted.text.length == got.text.length);
		FUZZ_ASSERT(memcmp(wanted.text.data, got.text.data, got.text.length) == 0);
		got.text.length = wanted.text.length = wanted.rows = 0;
		begin = end + 1;
	}
	buffer_free(&got.text);
	buffer_free(&wanted.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint32_t ends[SCANNER_AVX512 + 1][SCANNER_ENDS_MAX];
	struct scanner_found first = {0};
	if (size < 3 || size > LONGEST)
		return 0;
	const char *bytes = (const char *)data + 2;
	for (enum scanner_kind kind = SCANNER_SCALAR; kind <= SCANNER_AVX512; kind++) {
		struct scanner scanner;
		if (!scanner_init_kind(&scanner, kind, (char)data[0], (char)data[1]))
			continue; /* no such processor, or such a delimiter is never regular */
		struct scanner_found found = scanner_scan(&scanner, bytes, size - 2, ends[kind]);
		if (kind == SCANNER_SCALAR) {
			first = found;
			compare_records(&scanner, bytes, ends[kind], found.count);
		}
		FUZZ_ASSERT(found.count == first.count && found.irregular == first.irregular);
		FUZZ_ASSERT(memcmp(ends[kind], ends[SCANNER_SCALAR], found.count * sizeof ends[0][0]) == 0);
	}
	return 0;
}
