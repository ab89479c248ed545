// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CONFIG_KEYS_H
#define ROWSIEVE_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Every key of the configuration, one row each: what it may be, what it is unless set, where struct config
 * keeps it, and what the manual says about it.
 */
enum key_kind {
	KEY_STRING,  /* empty is unset, except where there is a default */
	KEY_STRINGS, /* a list */
	KEY_TEXT,    /* a string that may be empty */
	KEY_TEXTS,   /* a list of them */
	KEY_MARK,    /* one of `words` or one character; empty where that is the default */
	KEY_WHERE,   /* a list of filters, schema/filter.h */
	KEY_NAME,    /* of a table or a column */
	KEY_TYPE,    /* of a column, schema/type.h */
	KEY_WORD,    /* one of `words`; kept as an enum of the same order */
	KEY_FLAG,
	KEY_COUNT,
	KEY_SIZE,
	KEY_DURATION,
};

struct key {
	const char *section; /* KEYS_ROOT outside of any */
	const char *name;
	enum key_kind kind;
	const char *help;
	const char *initial;      /* NULL: unset */
	const char *least, *most; /* of a number, in its own unit */
	const char *const *words; /* ends with NULL */
	size_t offset, size;      /* in struct config; size 0 in the sections dataset and column */
};

#define KEYS_ROOT "root" /* as libconfuse calls it */

extern const struct key keys_table[];
extern const size_t keys_count;

const struct key *keys_find(const char *section, const char *name); /* NULL: no such key */

bool keys_is_list(const struct key *key);

/* The place of a text that was checked among the words of a KEY_WORD or KEY_MARK; 0 when it is none of them. */
size_t keys_word(const struct key *key, const char *text);

/* The value of a text that was checked for a KEY_FLAG. */
bool keys_flag(const char *text);

/* One value, or one element of a list. RESULT_CONFIG says what it must be. */
enum result keys_check(const struct key *key, const char *text, struct error *error) WARN_UNUSED;

/* Keeps the value in the struct config at `base`; strings are borrowed. Only keys with a size. */
enum result keys_store(const struct key *key, const char *text, void *base, struct error *error) WARN_UNUSED;

#endif
