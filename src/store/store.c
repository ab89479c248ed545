// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* A key of S3 has at most so many bytes; a file's name fewer. */
enum { NAME_BYTES_MAX = 1024, PART_BYTES_MAX = 200 };

static bool is_allowed(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
	       byte == '.' || byte == '_' || byte == '-';
}

/* One part between slashes. */
static bool is_part(const char *part, size_t length)
{
	if (length == 0 || length > PART_BYTES_MAX + 50)
		return false;
	if (part[0] == '.' && (length == 1 || (length == 2 && part[1] == '.')))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!is_allowed(part[i]))
			return false;
	}
	return true;
}

enum result store_check_name(const char *name, struct error *error)
{
	bool is_valid = strlen(name) <= NAME_BYTES_MAX;
	const char *part = name;
	while (is_valid) {
		size_t length = strcspn(part, "/");
		is_valid = is_part(part, length);
		part += length;
		if (*part == '\0')
			break;
		part++;
	}
	return is_valid ? RESULT_OK : error_set(error, RESULT_INVALID, "'%s' is no object's name", name);
}

char *store_name_part(const char *text)
{
	CLEANUP_FREE char *part = strndup(text, PART_BYTES_MAX);
	if (part == NULL)
		return NULL;
	bool is_changed = strlen(part) != strlen(text) || part[0] == '.' || part[0] == '\0';
	for (char *byte = part; *byte != '\0'; byte++) {
		if (is_allowed(*byte) && !(byte == part && *byte == '.'))
			continue;
		*byte = '_';
		is_changed = true;
	}
	if (!is_changed)
		return STEAL(part);
	unsigned char digest[EVP_MAX_MD_SIZE];
	char *distinct;
	if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1 ||
	    asprintf(&distinct, "%s-%02x%02x%02x%02x%02x%02x", part, digest[0], digest[1], digest[2],
	             digest[3], digest[4], digest[5]) < 0)
		return NULL;
	return distinct;
}
