// SPDX-License-Identifier: Apache-2.0
#include "source/dialect.h"

#include <string.h>

struct record_options dialect_record_options(const struct dialect *dialect, struct record_options limits)
{
	static const char quotes[] = {
	    [DIALECT_QUOTE_DOUBLE] = '"', [DIALECT_QUOTE_SINGLE] = '\'', [DIALECT_QUOTE_NONE] = '\0'};
	limits.delimiter = dialect->delimiter;
	limits.quote = quotes[dialect->quote];
	limits.escape = dialect->escape;
	limits.comment = dialect->comment;
	limits.skip_lines = dialect->skip_lines;
	return limits;
}

struct head {
	struct slice bytes;
	size_t taken;
};

static enum result read_head(void *context, void *bytes, size_t size, size_t *count, struct error *error)
{
	struct head *head = context;
	size_t left = head->bytes.length - head->taken;
	(void)error;
	*count = left < size ? left : size;
	if (*count > 0)
		memcpy(bytes, head->bytes.data + head->taken, *count);
	head->taken += *count;
	return RESULT_OK;
}

/* What speaks for a delimiter. */
struct votes {
	size_t fields;  /* of the first record */
	size_t records; /* with as many, the first among them */
};

/* A record that the head cuts off says nothing. */
static enum result count_votes(struct votes *votes, const struct record_options *options, struct head head,
                               bool is_whole, struct error *error)
{
	struct record_reader *reader;
	struct record record;
	enum result result = record_open(&reader, options, read_head, &head, error);
	if (result != RESULT_OK)
		return result;
	*votes = (struct votes){0};
	bool is_cut = false;
	while (!is_cut && (result = record_next(reader, &record, error)) == RESULT_OK) {
		is_cut = !is_whole && record.end == head.bytes.length;
		if (votes->fields == 0) {
			votes->fields = record.field_count;
			record_expect_fields(reader, votes->fields);
		}
		votes->records +=
		    !is_cut && record.fault == RECORD_WHOLE && record.field_count == votes->fields;
	}
	record_close(reader);
	return result == RESULT_END ? RESULT_OK : result;
}

enum result dialect_find_delimiter(char *delimiter, const struct record_options *options, struct slice head,
                                   bool is_whole, struct error *error)
{
	static const char candidates[] = {',', ';', '\t', '|'};
	struct votes best = {0};
	*delimiter = candidates[0];
	for (size_t i = 0; i < sizeof candidates; i++) {
		struct record_options trial = *options;
		struct votes votes;
		trial.delimiter = candidates[i];
		if (trial.delimiter == trial.quote || trial.delimiter == trial.escape ||
		    trial.delimiter == trial.comment)
			continue;
		enum result result = count_votes(&votes, &trial, (struct head){head, 0}, is_whole, error);
		if (result != RESULT_OK)
			return result;
		bool is_better = votes.records > best.records ||
		                 (votes.records == best.records && votes.fields > best.fields);
		if (votes.fields < 2 || !is_better)
			continue;
		best = votes;
		*delimiter = candidates[i];
	}
	return RESULT_OK;
}
