// SPDX-License-Identifier: Apache-2.0
#include "scratch.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

char *scratch_make(void)
{
	const char *parent = getenv("TMPDIR");
	char *path = file_join(parent != NULL ? parent : "/tmp", "rowsieve-test-XXXXXX");
	cr_assert_not_null(mkdtemp(path));
	return path;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
	(void)status;
	(void)type;
	(void)position;
	return remove(path);
}

void scratch_remove(char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

char *scratch_path(const char *directory, const char *name)
{
	char *path = file_join(directory, name);
	cr_assert_not_null(path);
	return path;
}

void scratch_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file, "cannot write %s", path);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}

char *scratch_read(const char *path)
{
	struct buffer text = {0};
	struct error error;
	if (file_read(path, 1 << 20, &text, &error) != RESULT_OK) {
		buffer_free(&text);
		return NULL;
	}
	return text.data;
}
