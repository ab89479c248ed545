// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_BASE_ERROR_H
#define ROWSIEVE_BASE_ERROR_H

/*
 * How a function says that it failed: it returns an enum result, and where there is more to say fills a
 * struct error, which callers wrap with context on the way up. The result decides what the program does
 * next (retry, stop this dataset, exit status); the text is for people.
 *
 * Messages are lower case, quote their subject in '', and end without a stop. The hint tells the operator
 * what to do. Both are one line of valid UTF-8: error_set() and error_wrap() show any other byte as \xNN, so
 * that a hostile file name cannot break a log line.
 */

enum result {
	RESULT_OK = 0,
	RESULT_END,      /* nothing more to read; not an error */
	RESULT_USAGE,    /* wrong command line */
	RESULT_CONFIG,   /* the configuration is wrong */
	RESULT_INVALID,  /* the delivery cannot be taken as it is: retrying changes nothing */
	RESULT_CHANGED,  /* the file is not the one that was begun: take it again from the start */
	RESULT_IO,       /* this machine's files failed */
	RESULT_NO_SPACE, /* this machine's disk is full */
	RESULT_NO_MEMORY,
	RESULT_STATE,       /* the state cannot be read or written; the environment must be opened again */
	RESULT_HELD,        /* another process holds the state and does not answer */
	RESULT_UNREACHABLE, /* the sink gives no answer now: nothing was stored, retry later */
	RESULT_UNKNOWN,     /* a COMMIT was sent and its outcome is not known: judge */
	RESULT_REFUSED,     /* the sink refuses these rows for good: nothing was stored */
	RESULT_AGAIN,       /* nothing is wrong: do the same once more */
	RESULT_DISAGREES,   /* state and table do not belong together: stop this dataset */
	RESULT_STOPPED,     /* the program was asked to stop */
};

enum { ERROR_MESSAGE_MAX = 1024, ERROR_HINT_MAX = 512 };

struct error {
	enum result result;
	char message[ERROR_MESSAGE_MAX];
	char hint[ERROR_HINT_MAX];
};

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF_LIKE(text_index, first_index) __attribute__((format(printf, text_index, first_index)))

/* Fills *error (which may be NULL), drops an older hint, and returns result, so that a failure is one
 * statement. */
enum result error_set(struct error *error, enum result result, const char *format, ...) PRINTF_LIKE(3, 4);

/* As error_set(), with ": " and the text of errno behind it; ENOSPC, EDQUOT and ENOMEM choose their own
 * result. */
enum result error_set_errno(struct error *error, enum result result, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Puts "context: " before the message and returns the result that *error already holds. */
enum result error_wrap(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* What the operator can do about it. */
void error_hint(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* Copies text to out[size], always terminated: control bytes and invalid UTF-8 become \xNN, what does not fit
 * is cut. */
void error_quote(char *out, unsigned long size, const char *text);

/* The exit status that the manual promises for this result (0, 1, 64, 69, 73, 75, 78). */
int error_exit_status(enum result result);

#endif
