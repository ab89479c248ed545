// SPDX-License-Identifier: Apache-2.0
#include "base/id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct id id_random(void)
{
	struct id id;
	ssize_t count;
	do
		count = getrandom(id.bytes, sizeof id.bytes, 0);
	while (count < 0 && errno == EINTR);
	if (count != (ssize_t)sizeof id.bytes) {
		fputs("rowsieve: the kernel gives no random bytes\n", stderr);
		abort();
	}
	return id;
}

bool id_equal(struct id a, struct id b)
{
	return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool id_is_none(struct id id)
{
	return id_equal(id, (struct id){0});
}

void id_text(char text[ID_TEXT_MAX], struct id id)
{
	static const char digits[] = "0123456789abcdef";
	for (int i = 0; i < ID_SIZE; i++) {
		text[2 * i] = digits[id.bytes[i] >> 4];
		text[2 * i + 1] = digits[id.bytes[i] & 15];
	}
	text[2 * ID_SIZE] = '\0';
}

static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

bool id_parse(struct id *id, const char *text)
{
	if (strlen(text) != 2 * ID_SIZE)
		return false;
	for (int i = 0; i < ID_SIZE; i++) {
		int high = digit_value(text[2 * i]);
		int low = digit_value(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		id->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
