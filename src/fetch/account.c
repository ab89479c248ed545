// SPDX-License-Identifier: Apache-2.0
#include "fetch/account.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

enum { SECRET_FILE_MAX = 64 * 1024 };

static void wipe_buffer(struct buffer *buffer)
{
	if (buffer->data != NULL)
		explicit_bzero(buffer->data, buffer->capacity);
	buffer_free(buffer);
}

static void wipe_string(char **text)
{
	if (*text != NULL)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

/* NULL when unset or empty. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Cuts white space off both ends. */
static char *trim(char *text)
{
	text += strspn(text, " \t\r\n");
	size_t length = strlen(text);
	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		length--;
	text[length] = '\0';
	return text;
}

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

static void warn_when_open(const char *path)
{
	struct stat status;
	if (stat(path, &status) == 0 && (status.st_mode & 0044) != 0)
		log_warning("'%s': your Kaggle credentials are readable by other users (chmod 600 '%s')",
		            path, path);
}

/* RESULT_END: no such file. */
static enum result read_secret(const char *path, struct buffer *out, struct error *error)
{
	if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return RESULT_END;
	enum result result = file_read(path, SECRET_FILE_MAX, out, error);
	if (result == RESULT_OK && strlen(out->data) != out->length)
		result = error_set(error, RESULT_CONFIG, "'%s': not text", path);
	if (result == RESULT_NO_MEMORY)
		return result;
	if (result != RESULT_OK)
		return error->result = RESULT_CONFIG;
	warn_when_open(path);
	return RESULT_OK;
}

static enum result keep(struct account *account, const char *kind, const char *secret, const char *origin,
                        struct error *error)
{
	for (const char *at = secret; *at != '\0'; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			return error_set(error, RESULT_CONFIG, "%s: blanks or control characters in it",
			                 origin);
	if (asprintf(&account->authorization, "Authorization: %s %s", kind, secret) < 0) {
		account->authorization = NULL;
		return no_memory(error);
	}
	account->origin = strdup(origin);
	return account->origin != NULL ? RESULT_OK : no_memory(error);
}

/* RESULT_END: no file, or nothing in it. */
static enum result take_token_file(struct account *account, const char *path, struct error *error)
{
	CLEANUP(wipe_buffer) struct buffer text = {0};
	enum result result = read_secret(path, &text, error);
	if (result != RESULT_OK)
		return result;
	const char *token = trim(text.data);
	if (token[0] == '\0')
		return RESULT_END;
	char origin[ERROR_MESSAGE_MAX];
	snprintf(origin, sizeof origin, "'%s'", path);
	return keep(account, "Bearer", token, origin, error);
}

/* The value may be the token itself, so no message shows it. */
static enum result take_token_variable(struct account *account, struct error *error)
{
	const char *value = variable("KAGGLE_API_TOKEN");
	if (value == NULL)
		return RESULT_END;
	bool is_path = strchr("/.~", value[0]) != NULL;
	if (access(value, F_OK) == 0) {
		enum result result = take_token_file(account, value, error);
		if (result != RESULT_END)
			return result;
		return error_set(error, RESULT_CONFIG, "the file that KAGGLE_API_TOKEN names is empty");
	}
	if (is_path)
		return error_set_errno(error, RESULT_CONFIG, "the file that KAGGLE_API_TOKEN names");
	CLEANUP(wipe_string) char *copy = strdup(value);
	if (copy == NULL)
		return no_memory(error);
	const char *token = trim(copy);
	return token[0] != '\0' ? keep(account, "Bearer", token, "KAGGLE_API_TOKEN", error) : RESULT_END;
}

static enum result take_token_home(struct account *account, const char *home, struct error *error)
{
	static const char *const names[] = {".kaggle/access_token", ".kaggle/access_token.txt"};
	enum result result = RESULT_END;
	for (size_t i = 0; result == RESULT_END && i < sizeof names / sizeof *names; i++) {
		CLEANUP_FREE char *path = file_join(home, names[i]);
		result = path != NULL ? take_token_file(account, path, error) : no_memory(error);
	}
	return result;
}

/* Newly allocated; NULL without memory. */
static char *key_directory(const char *home)
{
	const char *named = variable("KAGGLE_CONFIG_DIR");
	const char *xdg = variable("XDG_CONFIG_HOME");
	if (named != NULL)
		return strdup(named);
	char *old = file_join(home, ".kaggle");
	if (old == NULL || access(old, F_OK) == 0)
		return old;
	free(old);
	return xdg != NULL ? file_join(xdg, "kaggle") : file_join(home, ".config/kaggle");
}

static enum result keep_pair(struct account *account, const char *user, const char *key, const char *origin,
                             struct error *error)
{
	CLEANUP(wipe_string) char *pair = NULL;
	if (asprintf(&pair, "%s:%s", user, key) < 0) {
		pair = NULL;
		return no_memory(error);
	}
	size_t length = strlen(pair);
	CLEANUP(wipe_string) char *encoded = malloc(4 * ((length + 2) / 3) + 1);
	if (encoded == NULL)
		return no_memory(error);
	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)pair, (int)length);
	return keep(account, "Basic", encoded, origin, error);
}

/* What the file says, under the variables. */
static enum result merge_pair(struct account *account, const json_t *file, const char *path,
                              struct error *error)
{
	char quoted[ERROR_MESSAGE_MAX];
	const char *user = variable("KAGGLE_USERNAME");
	const char *key = variable("KAGGLE_KEY");
	bool is_variable = user != NULL || key != NULL;
	snprintf(quoted, sizeof quoted, "'%s'", path);
	if (user == NULL)
		user = json_string_value(json_object_get(file, "username"));
	if (key == NULL)
		key = json_string_value(json_object_get(file, "key"));
	if (user == NULL && key == NULL && file == NULL)
		return RESULT_END;
	const char *origin = is_variable ? "KAGGLE_USERNAME and KAGGLE_KEY" : quoted;
	if (user == NULL || key == NULL || user[0] == '\0' || key[0] == '\0')
		return error_set(error, RESULT_CONFIG, "%s: no %s there", origin,
		                 user == NULL || user[0] == '\0' ? "username" : "key");
	return keep_pair(account, user, key, origin, error);
}

static enum result take_pair(struct account *account, const char *home, struct error *error)
{
	CLEANUP(wipe_buffer) struct buffer text = {0};
	CLEANUP_FREE char *directory = key_directory(home);
	CLEANUP_FREE char *path = directory != NULL ? file_join(directory, "kaggle.json") : NULL;
	if (path == NULL)
		return no_memory(error);
	bool has_both = variable("KAGGLE_USERNAME") != NULL && variable("KAGGLE_KEY") != NULL;
	enum result result = has_both ? RESULT_END : read_secret(path, &text, error);
	if (result != RESULT_OK && result != RESULT_END)
		return result;
	json_t *file = result == RESULT_OK ? json_loadb(text.data, text.length, 0, NULL) : NULL;
	if (result == RESULT_OK && !json_is_object(file)) {
		json_decref(file);
		error_set(error, RESULT_CONFIG, "'%s': not a JSON object with username and key", path);
		error_hint(error, "download it again from your Kaggle account, or remove it");
		return RESULT_CONFIG;
	}
	result = merge_pair(account, file, path, error);
	json_decref(file);
	return result;
}

enum result account_find(struct account *account, struct error *error)
{
	const char *home = variable("HOME");
	*account = (struct account){0};
	if (home == NULL)
		home = "/nonexistent";
	enum result result = take_token_variable(account, error);
	if (result == RESULT_END)
		result = take_token_home(account, home, error);
	if (result == RESULT_END)
		result = take_pair(account, home, error);
	if (result == RESULT_OK || result == RESULT_END)
		return RESULT_OK;
	account_free(account);
	return result;
}

void account_free(struct account *account)
{
	wipe_string(&account->authorization);
	free(account->origin);
	*account = (struct account){0};
}

bool account_show_in(const struct account *account, const char *text)
{
	const char *secret = account->authorization != NULL ? strrchr(account->authorization, ' ') + 1 : NULL;
	return secret != NULL && strstr(text, secret) != NULL;
}
