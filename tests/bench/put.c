// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/digest.h"
#include "store/s3.h"

/* Puts a file into a bucket as the outbox does, for scripts/bench. usage: put ENDPOINT BUCKET FILE NAME */

static void die(const char *what)
{
	fprintf(stderr, "put: %s\n", what);
	exit(1);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		die("usage: put ENDPOINT BUCKET FILE NAME");
	struct s3_options options = {.endpoint = argv[1], .bucket = argv[2], .is_path_addressed = true};
	struct store *store;
	struct error error = {0};
	struct stat status;
	int fd = open(argv[3], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) != 0)
		die("cannot open the file");
	if (s3_open(&store, &options, &error) != RESULT_OK)
		die(error.message);
	struct digest_range whole = {.fd = fd, .length = (uint64_t)status.st_size};
	uint8_t sha256[STORE_SHA256_SIZE];
	struct store_put put = {argv[4], fd, whole.length, sha256, false};
	if (digest_sha256(sha256, &whole, &error) != RESULT_OK ||
	    store->interface->put(store, &put, &error) != RESULT_OK)
		die(error.message);
	store->interface->close(store);
	close(fd);
	return 0;
}
