// SPDX-License-Identifier: Apache-2.0
#include "source/ahead.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "no_threads.h"
#include "source/content.h"

enum { SIZE = 9 * 1024 * 1024 + 12345 };

static const uint8_t secret[32] = "a secret of thirty-two bytes ...";
static struct cut_size size = {.least = 32 * 1024, .mean = 64 * 1024, .most = 256 * 1024};
static const struct cut_rule rule = {.key = {123, 456}, .quote = '"'};

/* Lines of some bytes, with quotes here and there and a stretch without any line end. */
static char *sample(void)
{
	char *bytes = malloc(SIZE);
	unsigned seed = 7;
	cr_assert_not_null(bytes);
	for (size_t i = 0; i < SIZE; i++) {
		int draw = rand_r(&seed) % 60;
		bool is_plain = i > SIZE / 2 && i < SIZE / 2 + 1000000;
		bytes[i] = (char)('a' + draw % 26);
		if (draw == 0 && !is_plain)
			bytes[i] = '\n';
		else if (draw == 1)
			bytes[i] = '"';
	}
	return bytes;
}

struct input {
	const char *bytes;
	size_t length;
	size_t step;     /* given at once */
	bool is_damaged; /* its end is an error */
	atomic_bool is_read;
	atomic_bool is_read_twice; /* at once */
};

static enum result read_input(void *context, void *bytes, size_t room, size_t *count, struct error *error)
{
	struct input *input = context;
	if (input->length == 0 && input->is_damaged)
		return error_set(error, RESULT_INVALID, "damaged");
	if (atomic_exchange(&input->is_read, true))
		atomic_store(&input->is_read_twice, true);
	*count = input->step < room ? input->step : room;
	if (*count > input->length)
		*count = input->length;
	memcpy(bytes, input->bytes, *count);
	input->bytes += *count;
	input->length -= *count;
	atomic_store(&input->is_read, false);
	return RESULT_OK;
}

static struct ahead *open_input(struct input *input, size_t first)
{
	struct ahead *ahead = NULL;
	struct error error = {0};
	struct ahead_options options = {.read = read_input,
	                                .context = input,
	                                .first = {input->bytes, first},
	                                .rule = rule,
	                                .size = size,
	                                .secret = secret};
	input->bytes += first;
	input->length -= first;
	cr_assert_eq(ahead_open(&ahead, &options, &error), RESULT_OK, "%s", error.message);
	return ahead;
}

static struct id digest_of(struct slice bytes)
{
	struct content *content = NULL;
	struct id digest;
	cr_assert_eq(content_open(&content, secret, NULL), RESULT_OK);
	cr_assert_eq(content_update(content, bytes.data, bytes.length, NULL), RESULT_OK);
	cr_assert_eq(content_finish(content, &digest, NULL), RESULT_OK);
	content_close(content);
	return digest;
}

/* Every chunk is the one that cut_find() finds in all that is left, with the digest of its bytes. */
static size_t check_span(const struct ahead_span *span, struct slice left)
{
	size_t taken = 0;
	for (size_t i = 0; i < span->count; i++) {
		struct slice chunk = span->chunks[i].bytes;
		struct slice rest = {left.data + taken, left.length - taken};
		cr_assert_eq(chunk.length, cut_find(&rule, &size, rest, true));
		cr_assert_arr_eq(chunk.data, rest.data, chunk.length);
		struct id digest = digest_of(chunk);
		cr_assert(id_equal(digest, span->chunks[i].digest));
		taken += chunk.length;
	}
	return taken;
}

static void check_input(const char *bytes, size_t length, size_t first, size_t step)
{
	struct input input = {.bytes = bytes, .length = length, .step = step};
	struct ahead *ahead = open_input(&input, first);
	struct ahead_span span = {0};
	struct error error = {0};
	struct slice left = {bytes, length};
	while (ahead_next(ahead, &span, &error) == RESULT_OK) {
		size_t taken = check_span(&span, left);
		left.data += taken;
		left.length -= taken;
		cr_assert_eq(span.is_last, left.length == 0);
	}
	cr_assert_eq(left.length, 0);
	cr_assert_eq(ahead_next(ahead, &span, &error), RESULT_END);
	ahead_close(ahead);
	cr_assert_not(atomic_load(&input.is_read_twice));
}

Test(ahead, chunks_are_those_of_the_whole_however_it_is_read)
{
	static const size_t lengths[] = {0, 1, 1000, 32 * 1024, 300000, 2 * 1024 * 1024, SIZE};
	static const size_t steps[] = {SIZE, 100000, 4099};
	char *bytes = sample();
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		for (size_t j = 0; j < sizeof steps / sizeof steps[0]; j++) {
			size_t length = lengths[i];
			check_input(bytes, length, 0, steps[j]);
			check_input(bytes, length, length < 777777 ? length : 777777, steps[j]);
		}
	}
	free(bytes);
}

Test(ahead, more_chunks_than_are_given_at_once_are_given_in_turn)
{
	char *bytes = sample();
	size = (struct cut_size){.least = 512, .mean = 1024, .most = 4096};
	check_input(bytes, SIZE, 777777, SIZE);
	free(bytes);
}

Test(ahead, goes_on_where_no_thread_is_to_be_had)
{
	char *bytes = sample();
	atomic_store(&has_no_threads, true);
	check_input(bytes, SIZE, 0, SIZE);
	free(bytes);
}

Test(ahead, what_was_whole_before_a_failure_is_given_first)
{
	char *bytes = sample();
	struct input input = {.bytes = bytes, .length = SIZE, .step = 100000, .is_damaged = true};
	struct ahead *ahead = open_input(&input, 0);
	struct ahead_span span;
	struct error error = {0};
	struct slice left = {bytes, SIZE};
	enum result result;
	while ((result = ahead_next(ahead, &span, &error)) == RESULT_OK) {
		size_t taken = check_span(&span, left);
		left.data += taken;
		left.length -= taken;
		cr_assert_not(span.is_last);
	}
	cr_assert_eq(result, RESULT_INVALID);
	cr_assert_str_eq(error.message, "damaged");
	cr_assert_lt(left.length, SIZE / 2);
	cr_assert_eq(ahead_next(ahead, &span, &error), RESULT_INVALID);
	ahead_close(ahead);
	free(bytes);
}

Test(ahead, may_be_closed_at_any_time)
{
	char *bytes = sample();
	for (int spans = 0; spans < 4; spans++) {
		struct input input = {.bytes = bytes, .length = SIZE, .step = SIZE};
		struct ahead *ahead = open_input(&input, 0);
		struct ahead_span span;
		struct error error = {0};
		for (int i = 0; i < spans; i++)
			cr_assert_eq(ahead_next(ahead, &span, &error), RESULT_OK);
		ahead_close(ahead);
	}
	free(bytes);
}
