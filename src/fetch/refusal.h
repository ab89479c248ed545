// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_REFUSAL_H
#define ROWSIEVE_FETCH_REFUSAL_H

#include <stdbool.h>

#include "base/slice.h"

/*
 * Why a server gave us something else than we asked for, out of the forms that Kaggle and its storage are
 * known to use: {"code", "message"}, {"error": {"code", "message"}}, {"errorMessage"}, with the code as
 * number or text and at any HTTP status, HTML pages, and the storage's XML.
 */
enum { REFUSAL_TEXT_MAX = 200 };

struct refusal {
	int code;                        /* 0: none; the body's own, else the HTTP status */
	char text[REFUSAL_TEXT_MAX + 1]; /* the server's words, or ours where it had none */
	bool is_storage;                 /* XML: an object was asked for, and the code is the storage's */
};

/* True when the answer is a refusal; a status of 400 and more always is. */
bool refusal_read(struct refusal *refusal, long status, struct slice body);

#endif
