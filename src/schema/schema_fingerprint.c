// SPDX-License-Identifier: Apache-2.0
#include <endian.h>
#include <sodium.h>
#include <string.h>

#include "schema/schema.h"

static void hash_text(crypto_generichash_state *state, const char *text)
{
	uint64_t length = strlen(text);
	uint64_t encoded = htole64(length);
	crypto_generichash_update(state, (const unsigned char *)&encoded, sizeof encoded);
	crypto_generichash_update(state, (const unsigned char *)text, length);
}

/* Declared in a way that decides how values look, and that the frozen schema does not say? An alias does not. */
static bool decides(const struct schema_spec *spec, const struct schema_declared *declared)
{
	char made[SCHEMA_NAME_MAX + 1];
	bool is_renamed =
	    declared->name != NULL && (!schema_name(made, slice_from_string(declared->source)) ||
	                               !schema_same_name(made, declared->name));
	return spec->only_declared || is_renamed || declared->fallback != NULL || declared->zone_name != NULL;
}

static struct id hash_declared(const struct schema_declared *declared)
{
	char name[SCHEMA_NAME_MAX + 1];
	crypto_generichash_state state;
	crypto_generichash_init(&state, NULL, 0, ID_SIZE);
	hash_text(&state, schema_declared_name(name, declared) ? name : declared->source);
	if (declared->fallback != NULL) {
		hash_text(&state, "default");
		hash_text(&state, declared->fallback);
	}
	if (declared->zone_name != NULL) {
		hash_text(&state, "zone");
		hash_text(&state, declared->zone_name);
	}
	struct id hash;
	crypto_generichash_final(&state, hash.bytes, sizeof hash.bytes);
	return hash;
}

/* What is said of all columns; nothing where nothing is. */
static void hash_rules(crypto_generichash_state *state, const struct schema_spec *spec)
{
	const struct {
		const char *name;
		bool is_said;
	} rules[] = {
	    {"only declared", spec->only_declared},
	    {"trim", spec->trim},
	    {"rescue columns", spec->drift == SCHEMA_DRIFT_RESCUE},
	    {"null values", spec->bad_value == SCHEMA_BAD_VALUE_NULL},
	    {"rescue values", spec->bad_value == SCHEMA_BAD_VALUE_RESCUE},
	};
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
		if (rules[i].is_said)
			hash_text(state, rules[i].name);
	const char separators[] = {spec->thousands != '\0' ? spec->thousands : ' ',
	                           spec->decimal != '\0' ? spec->decimal : '.', '\0'};
	if (strcmp(separators, " .") != 0)
		hash_text(state, separators);
	if (!spec->has_nulls)
		return;
	hash_text(state, "null");
	for (size_t i = 0; i < spec->null_count; i++)
		hash_text(state, spec->nulls[i]);
}

struct id schema_fingerprint(const struct schema_spec *spec)
{
	static const unsigned char label[] = "rowsieve schema";
	/* Names differ, so hashes do, and their sum does not depend on the order. */
	struct id sum = {{0}};
	for (size_t i = 0; i < spec->count; i++) {
		if (!decides(spec, &spec->columns[i]))
			continue;
		struct id hash = hash_declared(&spec->columns[i]);
		sodium_add(sum.bytes, hash.bytes, sizeof sum.bytes);
	}
	crypto_generichash_state state;
	crypto_generichash_init(&state, label, sizeof label, ID_SIZE);
	crypto_generichash_update(&state, sum.bytes, sizeof sum.bytes);
	hash_rules(&state, spec);
	struct id fingerprint;
	crypto_generichash_final(&state, fingerprint.bytes, sizeof fingerprint.bytes);
	return fingerprint;
}
