// SPDX-License-Identifier: Apache-2.0
#include "schema/header.h"

#include "schema/provenance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

typedef char name_text[SCHEMA_NAME_MAX + 1];

struct resolver {
	const struct slice *header;
	size_t count;
	const struct schema *known; /* or NULL */
	struct header_name *names;  /* of no text yet while it is "" */
	name_text *bases; /* what a field would be called if it stood alone; "" where that is too long */
};

enum match {
	MATCH_SOURCE,
	MATCH_ALIAS,
	MATCH_SOURCE_NAME,
	MATCH_ALIAS_NAME,
	MATCH_TABLE_NAME,
};

static void make_bases(struct resolver *resolver)
{
	for (size_t i = 0; i < resolver->count; i++) {
		char *base = resolver->bases[i];
		if (schema_name(base, resolver->header[i]))
			continue;
		if (base[0] == '\0')
			snprintf(base, sizeof resolver->bases[i], "column_%zu", i + 1);
		else
			base[0] = '\0';
	}
}

static bool is_claimed(const struct resolver *resolver, const struct schema_declared *declared)
{
	for (size_t i = 0; i < resolver->count; i++)
		if (resolver->names[i].declared == declared)
			return true;
	return false;
}

/* Does the field bear that name, to the letter or as a column's name? */
static bool bears(const struct resolver *resolver, size_t field, const char *wanted, bool to_the_letter)
{
	name_text name;
	struct slice text = slice_from_string(wanted);
	if (to_the_letter)
		return slice_equal(resolver->header[field], text);
	return schema_name(name, text) && schema_same_name(resolver->bases[field], name);
}

static bool matches(const struct resolver *resolver, size_t field, const struct schema_declared *declared,
                    enum match match)
{
	name_text name;
	bool to_the_letter = match == MATCH_SOURCE || match == MATCH_ALIAS;
	if (match == MATCH_TABLE_NAME)
		return schema_declared_name(name, declared) && schema_same_name(resolver->bases[field], name);
	if (match == MATCH_SOURCE || match == MATCH_SOURCE_NAME)
		return bears(resolver, field, declared->source, to_the_letter);
	for (size_t i = 0; i < declared->alias_count; i++)
		if (bears(resolver, field, declared->aliases[i], to_the_letter))
			return true;
	return false;
}

/* The first field that nobody claimed and that matches; resolver->count when there is none. */
static size_t find_field(const struct resolver *resolver, const struct schema_declared *declared,
                         enum match match)
{
	for (size_t i = 0; i < resolver->count; i++)
		if (resolver->names[i].declared == NULL && matches(resolver, i, declared, match))
			return i;
	return resolver->count;
}

static void claim_declared(struct resolver *resolver, const struct schema_spec *spec)
{
	for (enum match match = MATCH_SOURCE; match <= MATCH_TABLE_NAME; match++) {
		for (size_t i = 0; i < spec->count; i++) {
			const struct schema_declared *declared = &spec->columns[i];
			if (is_claimed(resolver, declared))
				continue;
			size_t field = find_field(resolver, declared, match);
			if (field < resolver->count)
				resolver->names[field].declared = declared;
		}
	}
}

static bool is_taken(const struct resolver *resolver, const char *text)
{
	if (schema_same_name(text, SCHEMA_RESCUED) || provenance_is_name(text))
		return true;
	for (size_t i = 0; i < resolver->count; i++)
		if (schema_same_name(resolver->names[i].text, text))
			return true;
	return false;
}

static enum result name_declared(struct resolver *resolver, struct error *error)
{
	for (size_t i = 0; i < resolver->count; i++) {
		const struct schema_declared *declared = resolver->names[i].declared;
		if (declared == NULL)
			continue;
		name_text name;
		if (!schema_declared_name(name, declared))
			return error_set(error, RESULT_CONFIG, "column '%s' needs a name of 1 to %d bytes",
			                 declared->source, SCHEMA_NAME_MAX);
		if (declared->formats.count > TYPE_FORMATS_MAX)
			return error_set(error, RESULT_CONFIG, "column '%s' has more than %d formats",
			                 declared->source, TYPE_FORMATS_MAX);
		if (is_taken(resolver, name))
			return error_set(error, RESULT_CONFIG, "two declared columns are called '%s'", name);
		memcpy(resolver->names[i].text, name, sizeof name);
	}
	return RESULT_OK;
}

static enum result fail_too_long(const struct resolver *resolver, size_t field, struct error *error)
{
	enum { SHOWN = 80 };
	struct slice text = resolver->header[field];
	return error_set(error, RESULT_INVALID,
	                 "the name of column %zu, '%.*s', would be longer than %d characters", field + 1,
	                 (int)(text.length < SHOWN ? text.length : SHOWN), text.data, SCHEMA_NAME_MAX);
}

/* What the table calls a column of this name. */
static const char *known_name(const struct resolver *resolver, const char *base)
{
	const struct schema *known = resolver->known;
	if (known == NULL || schema_find(known, base) != NULL)
		return base;
	for (size_t i = 0; i < known->count; i++) {
		name_text name;
		if (schema_name(name, slice_from_string(known->columns[i].name)) &&
		    schema_same_name(name, base))
			return known->columns[i].name;
	}
	return base;
}

static enum result name_undeclared(struct resolver *resolver, struct error *error)
{
	for (size_t i = 0; i < resolver->count; i++) {
		if (resolver->names[i].declared != NULL)
			continue;
		if (resolver->bases[i][0] == '\0')
			return fail_too_long(resolver, i, error);
		const char *name = known_name(resolver, resolver->bases[i]);
		if (!is_taken(resolver, name))
			strcpy(resolver->names[i].text, name);
	}
	return RESULT_OK;
}

/* Counts on from the number of equal names before, so that a header of one name thousands of times stays
 * cheap. */
static size_t first_suffix(const struct resolver *resolver, size_t field)
{
	size_t suffix = 1;
	for (size_t i = 0; i < field; i++)
		suffix += schema_same_name(resolver->bases[i], resolver->bases[field]);
	return suffix < 2 ? 2 : suffix;
}

static enum result name_repeated(struct resolver *resolver, struct error *error)
{
	for (size_t i = 0; i < resolver->count; i++) {
		char *text = resolver->names[i].text;
		if (text[0] != '\0')
			continue;
		char candidate[SCHEMA_NAME_MAX + 32];
		size_t suffix = first_suffix(resolver, i);
		do {
			int length =
			    snprintf(candidate, sizeof candidate, "%s_%zu", resolver->bases[i], suffix++);
			if (length > SCHEMA_NAME_MAX)
				return fail_too_long(resolver, i, error);
		} while (is_taken(resolver, candidate));
		strcpy(text, candidate);
	}
	return RESULT_OK;
}

enum result header_names(struct header_name **out, const struct schema_spec *spec, const struct schema *known,
                         const struct slice *header, size_t count, struct error *error)
{
	CLEANUP_FREE struct header_name *names = calloc(count + 1, sizeof *names);
	CLEANUP_FREE name_text *bases = calloc(count + 1, sizeof *bases);
	if (names == NULL || bases == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	struct resolver resolver = {header, count, known, names, bases};
	make_bases(&resolver);
	claim_declared(&resolver, spec);
	enum result result = name_declared(&resolver, error);
	if (result == RESULT_OK)
		result = name_undeclared(&resolver, error);
	if (result == RESULT_OK)
		result = name_repeated(&resolver, error);
	if (result == RESULT_OK)
		*out = STEAL(names);
	return result;
}
