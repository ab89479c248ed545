// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "fuzz.h"

/* A configuration file: taken, or refused with one line that says where. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* An include would read files of the machine. */
	if (size > 0 && memmem(data, size, "include", 7) != NULL)
		return 0;
	int fd = memfd_create("input", MFD_CLOEXEC);
	FUZZ_ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	struct config_source source = {.path = path};
	struct config *config = NULL;
	struct error error = {0};
	if (config_load(&config, &source, &error) == RESULT_OK)
		config_free(config);
	else
		FUZZ_ASSERT(error.message[0] != '\0' && strchr(error.message, '\n') == NULL);
	close(fd);
	return 0;
}
