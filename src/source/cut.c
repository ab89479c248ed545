// SPDX-License-Identifier: Apache-2.0
#include "source/cut.h"

#include <endian.h>
#include <string.h>

enum { LANES = 16, ROUNDS_MAX = 255 };

typedef unsigned char bytes_vector __attribute__((vector_size(LANES)));

/* Compilers make vector instructions of this, whatever the processor has. */
static size_t count_byte(struct slice bytes, char byte)
{
	size_t count = 0;
	size_t at = 0;
	bytes_vector wanted = (bytes_vector){0} + (unsigned char)byte;
	while (bytes.length - at >= LANES) {
		bytes_vector sums = {0};
		for (int round = 0; round < ROUNDS_MAX && bytes.length - at >= LANES; round++) {
			bytes_vector lanes;
			memcpy(&lanes, bytes.data + at, LANES);
			sums -= (bytes_vector)(lanes == wanted); /* true is -1 */
			at += LANES;
		}
		for (int i = 0; i < LANES; i++)
			count += sums[i];
	}
	for (; at < bytes.length; at++)
		count += bytes.data[at] == byte;
	return count;
}

uint64_t cut_count_lines(struct slice bytes)
{
	uint64_t lines = count_byte(bytes, '\n');
	const char *end = bytes.data + bytes.length;
	const char *at = bytes.data;
	while (at < end && (at = memchr(at, '\r', (size_t)(end - at))) != NULL) {
		at++;
		lines += at == end || *at != '\n';
	}
	return lines;
}

static uint64_t load(const char *bytes)
{
	uint64_t word;
	memcpy(&word, bytes, sizeof(word));
	return le64toh(word); /* cuts are the same on every machine */
}

/* Of the eight bytes on either side of the place behind a line feed. A product of 128 bits, folded. */
static uint64_t mix(const struct cut_rule *rule, const char *place)
{
	unsigned __int128 product =
	    (unsigned __int128)(load(place - CUT_AHEAD) ^ rule->key[0]) * (load(place) ^ rule->key[1]);
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Does the byte occur an odd number of times? Without carries four lanes go side by side. */
static bool is_count_odd(struct slice bytes, char byte)
{
	bytes_vector wanted = (bytes_vector){0} + (unsigned char)byte;
	bytes_vector odd[4] = {{0}};
	size_t at = 0;
	for (; bytes.length - at >= sizeof odd; at += sizeof odd) {
		bytes_vector lanes[4];
		memcpy(lanes, bytes.data + at, sizeof lanes);
		for (int i = 0; i < 4; i++)
			odd[i] ^= (bytes_vector)(lanes[i] == wanted);
	}
	bytes_vector all = odd[0] ^ odd[1] ^ odd[2] ^ odd[3];
	bool is_odd = false;
	for (int i = 0; i < LANES; i++)
		is_odd ^= all[i] != 0;
	for (; at < bytes.length; at++)
		is_odd ^= bytes.data[at] == byte;
	return is_odd;
}

/* Quotes counted up to some place, so that each byte is looked at once. */
struct parity {
	const char *counted;
	bool is_odd;
};

static bool is_quoted(struct parity *parity, const char *place, char quote)
{
	if (quote == '\0')
		return false;
	struct slice more = {parity->counted, (size_t)(place - parity->counted)};
	parity->is_odd ^= is_count_odd(more, quote);
	parity->counted = place;
	return parity->is_odd;
}

/* Behind the last line feed outside quotes, or behind the last at all: cutting anywhere else is certain to be wrong. */
static size_t cut_late(const struct cut_rule *rule, struct slice bytes)
{
	struct parity parity = {bytes.data, false};
	bool is_odd = is_quoted(&parity, bytes.data + bytes.length, rule->quote);
	const char *last = NULL;
	const char *end = bytes.data + bytes.length;
	for (const char *at = end; at > bytes.data; at--) {
		is_odd ^= rule->quote != '\0' && at[-1] == rule->quote;
		if (at[-1] == '\n' && !is_odd)
			return (size_t)(at - bytes.data);
		if (at[-1] == '\n' && last == NULL)
			last = at;
	}
	return last != NULL ? (size_t)(last - bytes.data) : bytes.length;
}

/* A line is cut behind with a chance that grows with its length: chunks of short and of long lines are of one size. */
static bool is_chosen(const struct cut_rule *rule, const struct cut_size *size, const char *place,
                      size_t line)
{
	size_t span = size->mean - size->least;
	return line >= span || mix(rule, place) < UINT64_MAX / span * line;
}

size_t cut_find(const struct cut_rule *rule, const struct cut_size *size, struct slice bytes)
{
	if (bytes.length <= size->least)
		return bytes.length;
	const char *end = bytes.data + (bytes.length < size->most ? bytes.length : size->most);
	const char *line = bytes.data + size->least;
	struct parity parity = {bytes.data, false};
	bool is_first = true; /* the beginning of the first line was not seen: it cannot be chosen */
	const char *feed;
	while ((feed = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		const char *place = feed + 1;
		if (bytes.data + bytes.length - place < CUT_AHEAD)
			break;
		if (!is_first && is_chosen(rule, size, place, (size_t)(place - line)) &&
		    !is_quoted(&parity, place, rule->quote))
			return (size_t)(place - bytes.data);
		is_first = false;
		line = place;
	}
	if (bytes.length <= size->most)
		return bytes.length;
	return cut_late(rule, (struct slice){bytes.data, size->most});
}
