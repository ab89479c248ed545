// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_ACCOUNT_H
#define ROWSIEVE_FETCH_ACCOUNT_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Who we are to Kaggle, found where its official client looks, the first that is there: $KAGGLE_API_TOKEN (a
 * token, or a file that holds it), ~/.kaggle/access_token, ~/.kaggle/access_token.txt, then kaggle.json
 * (in $KAGGLE_CONFIG_DIR, else ~/.kaggle, else $XDG_CONFIG_HOME/kaggle, else ~/.config/kaggle) under
 * $KAGGLE_USERNAME and $KAGGLE_KEY, else nobody. Unlike there, a file that is broken is an error, and never
 * passed over. A file that others may read is warned about in the log. No message holds a secret.
 */
struct account {
	char *authorization; /* "Authorization: …", wiped when freed; NULL: anonymous */
	char *origin;        /* where it came from, for messages */
};

/* RESULT_CONFIG, RESULT_NO_MEMORY. */
enum result account_find(struct account *account, struct error *error) WARN_UNUSED;
void account_free(struct account *account);

/* Would this text give the secret away? */
bool account_show_in(const struct account *account, const char *text);

#endif
