// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "state_internal.h"

enum state_result state_error_set(struct state_error *error, enum state_result result, const char *format,
                                  ...)
{
	if (error == NULL)
		return result;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	error->result = result;
	return result;
}

enum state_result state_error_classify(int code)
{
	switch (code) {
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
		return STATE_NO_SPACE;
	case ENOMEM:
		return STATE_NO_MEMORY;
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return STATE_FORMAT;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INCOMPATIBLE:
		return STATE_CORRUPT;
	case MDB_TXN_FULL:
	case MDB_BAD_TXN:
	case MDB_BAD_VALSIZE:
	case EINVAL:
		return STATE_MISUSE;
	default:
		return STATE_IO;
	}
}
