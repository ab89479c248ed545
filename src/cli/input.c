// SPDX-License-Identifier: Apache-2.0
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

enum result input_open(const char *path, int *fd, struct error *error)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0) {
		bool is_denied = errno == EACCES;
		error_set_errno(error, RESULT_IO, "'%s'", path);
		if (is_denied)
			error_hint(error, "chmod a+r, or run as its owner");
		return RESULT_IO;
	}
	struct stat status;
	if (fstat(*fd, &status) == 0 && S_ISREG(status.st_mode))
		return RESULT_OK;
	close(*fd);
	*fd = -1;
	return error_set(error, RESULT_INVALID, "'%s': %s", path,
	                 S_ISDIR(status.st_mode) ? "is a directory" : "not a regular file");
}
