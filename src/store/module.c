// SPDX-License-Identifier: Apache-2.0
#include "store/module.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/credentials.h"

static const char http_scheme[] = "http://";

/* Beside the program, where it was built; else where it was installed. */
static void *load(void)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - sizeof MODULE_FILE - 1);
	if (length > 0) {
		path[length] = '\0';
		strcpy(strrchr(path, '/') + 1, MODULE_FILE);
		void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (handle != NULL)
			return handle;
	}
	return dlopen(ROWSIEVE_MODULE_DIR "/" MODULE_FILE, RTLD_NOW | RTLD_LOCAL);
}

static enum result find_module(const struct module **out, struct error *error)
{
	/* It stays loaded: a library that starts another libcurl does not like to go. */
	void *handle = load();
	*out = handle != NULL ? dlsym(handle, MODULE_SYMBOL) : NULL;
	if (*out != NULL && (*out)->version == MODULE_VERSION)
		return RESULT_OK;
	error_set(error, RESULT_CONFIG,
	          *out == NULL ? "s3.signature = \"v2\" needs the module rowsieve-store-libs3"
	                       : "the module rowsieve-store-libs3 is of another version of rowsieve");
	error_hint(error, "apt-get install rowsieve-store-libs3");
	return RESULT_CONFIG;
}

/* libs3 encrypts without looking whom it talks to: keys and rows would go to anybody. */
static enum result check_endpoint(const char *endpoint, struct error *error)
{
	size_t length = sizeof http_scheme - 1;
	if (endpoint != NULL && strncasecmp(endpoint, http_scheme, length) == 0 && endpoint[length] != '\0')
		return RESULT_OK;
	error_set(error, RESULT_CONFIG,
	          "s3.signature = \"v2\" is for http endpoints only: libs3 does not verify certificates");
	error_hint(error, "set signature = \"v4\", or an s3.endpoint that begins with http://");
	return RESULT_CONFIG;
}

static enum result open_with(const struct module *module, struct store **out,
                             const struct s3_options *options, struct credentials *credentials,
                             struct error *error)
{
	const struct credentials_keys *keys;
	enum result result = credentials_get(credentials, &keys, error);
	if (result == RESULT_OK && keys->token[0] != '\0')
		return error_set(error, RESULT_CONFIG,
		                 "the keys of %s come with a session token, which signature v2 does not know",
		                 keys->place);
	if (result != RESULT_OK)
		return result;
	CLEANUP_FREE char *host = strdup(options->endpoint + sizeof http_scheme - 1);
	CLEANUP_FREE char *prefix = NULL;
	bool has_prefix = options->prefix != NULL && options->prefix[0] != '\0';
	if (host == NULL || asprintf(&prefix, "%s%s", has_prefix ? options->prefix : "", has_prefix ? "/" : "") < 0)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	host[strcspn(host, "/")] = '\0';
	struct module_options plain = {
	    .host = host,
	    .bucket = options->bucket,
	    .prefix = prefix,
	    .is_path_addressed = options->is_path_addressed,
	    .access_key = keys->access_key,
	    .secret_key = keys->secret_key,
	    .stop = options->stop,
	};
	return module->open(out, &plain, error);
}

enum result module_open_v2(struct store **out, const struct s3_options *options, struct error *error)
{
	const struct module *module;
	struct credentials *credentials;
	enum result result = check_endpoint(options->endpoint, error);
	if (result == RESULT_OK)
		result = find_module(&module, error);
	if (result == RESULT_OK)
		result = credentials_open(&credentials, options->profile, options->stop, error);
	if (result != RESULT_OK)
		return result;
	result = open_with(module, out, options, credentials, error);
	credentials_close(credentials);
	return result;
}
