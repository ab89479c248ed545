// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

/* Runs a fuzz target over the files of a directory, as a test in TAP: replay DIRECTORY. An input that breaks the
 * target ends the program, its name on stderr. */
static void replay(const char *directory, const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	FILE *file = fopen(path, "rbe");
	FUZZ_ASSERT(file != NULL);
	static uint8_t bytes[1 << 20];
	size_t size = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	fprintf(stderr, "%s\n", path);
	/* A copy of exactly its size, so that a sanitizer sees what reads past its end. */
	uint8_t *input = malloc(size > 0 ? size : 1);
	FUZZ_ASSERT(input != NULL);
	memcpy(input, bytes, size);
	LLVMFuzzerTestOneInput(input, size);
	free(input);
}

int main(int count, char **arguments)
{
	if (count != 2)
		return 64;
	printf("TAP version 13\n1..1\n");
	DIR *corpus = opendir(arguments[1]);
	FUZZ_ASSERT(corpus != NULL);
	unsigned inputs = 0;
	for (struct dirent *entry; (entry = readdir(corpus)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		replay(arguments[1], entry->d_name);
		inputs++;
	}
	closedir(corpus);
	FUZZ_ASSERT(inputs > 0);
	printf("ok 1 - %u inputs\n", inputs);
	return 0;
}
