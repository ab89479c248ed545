// SPDX-License-Identifier: Apache-2.0
#include "config/fetches.h"

#include <stdlib.h>
#include <string.h>

#include "config/reader.h"
#include "config/unit.h"

static enum result read_fetch(struct config_fetch *fetch, cfg_t *section, struct error *error)
{
	uint64_t every = 0;
	fetch->name = cfg_title(section);
	fetch->source = reader_string(section, "source");
	fetch->file = reader_string(section, "file");
	if (fetch->name[0] == '\0' || strchr(fetch->name, '/') != NULL)
		return reader_fault(section, error, "fetch '%s' must have a name without '/'", fetch->name);
	if (fetch->source == NULL)
		return reader_fault(section, error, "fetch '%s' has no source", fetch->name);
	if (unit_duration(&every, cfg_getstr(section, "every")))
		fetch->every_ns = (int64_t)every;
	return RESULT_OK;
}

enum result fetches_read(struct config_fetch **out, size_t *count, cfg_t *root, struct error *error)
{
	size_t size = cfg_size(root, "fetch");
	struct config_fetch *fetches = calloc(size > 0 ? size : 1, sizeof *fetches);
	if (fetches == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < size; i++) {
		enum result result = read_fetch(&fetches[i], cfg_getnsec(root, "fetch", (unsigned)i), error);
		if (result != RESULT_OK) {
			free(fetches);
			return result;
		}
	}
	*out = fetches;
	*count = size;
	return RESULT_OK;
}
