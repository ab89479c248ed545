// SPDX-License-Identifier: Apache-2.0
#include "store/credentials.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "store/metadata.h"
#include "store/profile.h"

/* Before they expire, so that a request on its way is still signed with good ones. */
static const int64_t MARGIN_NS = INT64_C(300) * 1000000000;

struct credentials {
	char *profile; /* of the configuration; NULL for none */
	const atomic_bool *stop;
	struct credentials_keys keys;
	bool has_keys;
};

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

enum result credentials_open(struct credentials **out, const char *profile, const atomic_bool *stop,
                             struct error *error)
{
	struct credentials *credentials = calloc(1, sizeof *credentials);
	if (credentials == NULL || (profile != NULL && (credentials->profile = strdup(profile)) == NULL)) {
		free(credentials);
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	}
	credentials->stop = stop;
	*out = credentials;
	return RESULT_OK;
}

void credentials_close(struct credentials *credentials)
{
	if (credentials == NULL)
		return;
	explicit_bzero(&credentials->keys, sizeof credentials->keys);
	free(credentials->profile);
	free(credentials);
}

void credentials_forget(struct credentials *credentials)
{
	credentials->has_keys = false;
	explicit_bzero(&credentials->keys, sizeof credentials->keys);
}

/* ~/.aws/<name>, unless the environment names another file. */
static char *aws_file(const char *variable, const char *name)
{
	const char *named = environment(variable);
	if (named != NULL)
		return strdup(named);
	const char *home = environment("HOME");
	const struct passwd *user = home == NULL ? getpwuid(getuid()) : NULL;
	char *path;
	if (user != NULL)
		home = user->pw_dir;
	return home == NULL || asprintf(&path, "%s/.aws/%s", home, name) < 0 ? NULL : path;
}

/* The keys of one section of one file. RESULT_END: none. */
static enum result read_section(struct credentials_keys *out, const char *path, const char *section,
                                struct error *error)
{
	*out = (struct credentials_keys){0};
	enum result result =
	    profile_read(path, section, "aws_access_key_id", out->access_key, sizeof out->access_key, error);
	if (result != RESULT_OK)
		return result;
	result = profile_read(path, section, "aws_secret_access_key", out->secret_key, sizeof out->secret_key,
	                      error);
	if (result == RESULT_END)
		return error_set(error, RESULT_CONFIG, "'%s': [%s] has no aws_secret_access_key", path,
		                 section);
	if (result == RESULT_OK)
		result = profile_read(path, section, "aws_session_token", out->token, sizeof out->token, error);
	snprintf(out->place, sizeof out->place, "'%s' [%s]", path, section);
	return result == RESULT_END ? RESULT_OK : result;
}

/* [NAME] of credentials, then [profile NAME] of config. */
static enum result read_profile(struct credentials_keys *out, const char *profile, struct error *error)
{
	CLEANUP_FREE char *secrets = aws_file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
	CLEANUP_FREE char *config = aws_file("AWS_CONFIG_FILE", "config");
	CLEANUP_FREE char *section = NULL;
	bool is_default = strcmp(profile, "default") == 0;
	if (asprintf(&section, "%s%s", is_default ? "" : "profile ", profile) < 0)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result = secrets != NULL ? read_section(out, secrets, profile, error) : RESULT_END;
	if (result == RESULT_END && config != NULL)
		result = read_section(out, config, section, error);
	return result;
}

static enum result read_environment(struct credentials_keys *out, struct error *error)
{
	const char *access_key = environment("AWS_ACCESS_KEY_ID");
	const char *secret_key = environment("AWS_SECRET_ACCESS_KEY");
	const char *token = environment("AWS_SESSION_TOKEN");
	if (access_key == NULL && secret_key == NULL)
		return RESULT_END;
	if (access_key == NULL || secret_key == NULL)
		return error_set(error, RESULT_CONFIG,
		                 "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set");
	*out = (struct credentials_keys){.place = "the environment"};
	if (strlen(access_key) > CREDENTIALS_KEY_MAX || strlen(secret_key) > CREDENTIALS_KEY_MAX ||
	    (token != NULL && strlen(token) > CREDENTIALS_TOKEN_MAX))
		return error_set(error, RESULT_CONFIG, "the keys of the environment are too long");
	strcpy(out->access_key, access_key);
	strcpy(out->secret_key, secret_key);
	strcpy(out->token, token != NULL ? token : "");
	return RESULT_OK;
}

static enum result read_systemd(struct credentials_keys *out, struct error *error)
{
	const char *directory = environment("CREDENTIALS_DIRECTORY");
	CLEANUP_FREE char *path = directory != NULL ? file_join(directory, "s3") : NULL;
	return path != NULL ? read_section(out, path, "default", error) : RESULT_END;
}

static enum result find(struct credentials *credentials, struct error *error)
{
	struct credentials_keys *keys = &credentials->keys;
	if (credentials->profile != NULL) {
		enum result result = read_profile(keys, credentials->profile, error);
		if (result == RESULT_END)
			return error_set(error, RESULT_CONFIG,
			                 "no keys of the profile '%s' in ~/.aws/credentials or config",
			                 credentials->profile);
		return result;
	}
	const char *profile = environment("AWS_PROFILE");
	enum result result = read_environment(keys, error);
	if (result == RESULT_END)
		result = read_profile(keys, profile != NULL ? profile : "default", error);
	if (result == RESULT_END)
		result = read_systemd(keys, error);
	if (result == RESULT_END)
		result = metadata_of_container(keys, credentials->stop, error);
	if (result == RESULT_END)
		result = metadata_of_machine(keys, credentials->stop, error);
	if (result != RESULT_END)
		return result;
	error_set(error, RESULT_CONFIG, "there are no keys for S3");
	error_hint(error, "put them in ~/.aws/credentials of the user rowsieve runs as, or name s3.profile");
	return RESULT_CONFIG;
}

enum result credentials_get(struct credentials *credentials, const struct credentials_keys **out,
                            struct error *error)
{
	const struct credentials_keys *keys = &credentials->keys;
	bool is_old = keys->expires_ns != 0 && keys->expires_ns - MARGIN_NS < clock_wall_ns();
	if (!credentials->has_keys || is_old) {
		enum result result = find(credentials, error);
		if (result != RESULT_OK)
			return result;
		credentials->has_keys = true;
	}
	*out = keys;
	return RESULT_OK;
}

void credentials_region(const struct credentials *credentials, char *out, size_t size)
{
	const char *region = environment("AWS_REGION");
	const char *profile = credentials->profile != NULL ? credentials->profile : environment("AWS_PROFILE");
	out[0] = '\0';
	if (region == NULL)
		region = environment("AWS_DEFAULT_REGION");
	if (region != NULL && credentials->profile == NULL) {
		snprintf(out, size, "%s", region);
		return;
	}
	CLEANUP_FREE char *config = aws_file("AWS_CONFIG_FILE", "config");
	CLEANUP_FREE char *section = NULL;
	struct error ignored;
	if (profile == NULL || strcmp(profile, "default") == 0)
		section = strdup("default");
	else if (asprintf(&section, "profile %s", profile) < 0)
		section = NULL;
	if (config == NULL || section == NULL ||
	    profile_read(config, section, "region", out, size, &ignored) != RESULT_OK)
		snprintf(out, size, "%s", region != NULL ? region : "");
}
