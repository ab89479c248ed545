// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "source/source.h"

/* A delivered file, packed or not: bounded, and either readable or damaged. */
static const struct source_limits limits = {.max_members = 8, .max_ratio = 20};

static void read_member(struct source *source)
{
	static char bytes[8192];
	size_t count;
	uint64_t total = 0;
	while (source_read(source, bytes, sizeof bytes, &count, NULL) == RESULT_OK && count > 0)
		total += count;
	FUZZ_ASSERT(total < UINT64_C(80) << 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	FUZZ_ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	struct source *source;
	if (source_open(&source, fd, "input.csv", &limits, NULL) == RESULT_OK) {
		struct source_member member;
		uint32_t members = 0;
		while (source_next(source, &member, NULL) == RESULT_OK) {
			FUZZ_ASSERT(members++ < limits.max_members && member.title != NULL);
			read_member(source);
		}
		source_close(source);
	}
	close(fd);
	return 0;
}
