// SPDX-License-Identifier: Apache-2.0
#include "base/slice.h"

#include <string.h>

bool slice_equal(struct slice a, struct slice b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

struct slice slice_from_string(const char *text)
{
	return (struct slice){text, strlen(text)};
}
