// SPDX-License-Identifier: Apache-2.0
#include "ingest/evolve.h"

#include "ingest/commit.h"
#include "ingest/survey.h"
#include "schema/identity.h"

static struct survey survey_of(const struct member_input *input)
{
	const struct dataset *dataset = input->member->dataset;
	return (struct survey){input->ingest, input->delivery,
	                       input->fd,     input->member->mark.member.index,
	                       dataset,       dataset->options.spec};
}

/* Makes `schema`, which it takes, the frozen one. */
static enum result freeze(const struct member_input *input, struct schema *schema, struct error *error)
{
	struct ingest *ingest = input->ingest;
	struct dataset *dataset = input->member->dataset;
	if (ingest->options.dry_run) {
		schema_free(dataset->schema);
		dataset->schema = schema;
		return RESULT_OK;
	}
	enum result result = commit_batch(ingest, error);
	if (result == RESULT_OK)
		result = commit_settle(ingest, error);
	if (result != RESULT_OK) {
		schema_free(schema);
		return result;
	}
	return dataset_freeze(dataset, schema, ingest->options.state, ingest->options.sink, error);
}

/* Does the heading ask for anything? */
static enum result count_added(const struct dataset *dataset, const struct heading *heading, size_t *added,
                               struct error *error)
{
	struct schema *trial = schema_copy(dataset->schema);
	if (trial == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result =
	    schema_extend(trial, &dataset->options.spec, heading->fields, heading->count, added, error);
	schema_free(trial);
	return result;
}

/* A table that somebody else made is used as it is. *present stays NULL where there is none. */
static enum result describe_table(const struct member_input *input, struct schema **present,
                                  struct error *error)
{
	struct sink *sink = input->ingest->options.sink;
	const struct dataset *dataset = input->member->dataset;
	const char *table = dataset->options.table;
	struct sink_presence presence;
	*present = NULL;
	if (dataset->schema->count > 0)
		return RESULT_OK;
	enum result result = sink->interface->inspect(sink, table, &presence, error);
	/* A dry run makes no connection; what it can see through one that is there, it uses. */
	if (result != RESULT_OK && input->ingest->options.dry_run)
		return RESULT_OK;
	if (result != RESULT_OK || !presence.has_table)
		return result;
	return sink->interface->describe(sink, table, present, error);
}

static enum result learn_columns(const struct member_input *input, bool *has_rows, struct error *error)
{
	struct schema *present;
	enum result result = describe_table(input, &present, error);
	if (result != RESULT_OK)
		return result;
	struct schema *schema = schema_copy(input->member->dataset->schema);
	if (schema == NULL) {
		schema_free(present);
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	}
	struct survey survey = survey_of(input);
	survey.spec.present = present;
	result = survey_infer(&survey, schema, has_rows, error);
	schema_free(present);
	if (result == RESULT_OK && *has_rows)
		return freeze(input, schema, error);
	schema_free(schema);
	return result;
}

/* Rows of a file without a column of the key could be told from none that came before. */
static enum result demand_key(const struct dataset *dataset, const struct heading *heading,
                              struct error *error)
{
	const struct schema_spec *spec = &dataset->options.spec;
	if (spec->key_count == 0)
		return RESULT_OK;
	struct schema *named = schema_new();
	if (named == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	size_t added;
	enum result result = schema_extend(named, spec, heading->fields, heading->count, &added, error);
	const char *missing = result == RESULT_OK ? identity_missing(named, spec) : NULL;
	schema_free(named);
	if (missing != NULL)
		return error_set(error, RESULT_INVALID, "the header has no column '%s', which is of the key",
		                 missing);
	return result;
}

enum result evolve_columns(const struct member_input *input, const struct heading *heading, bool *has_rows,
                           struct error *error)
{
	size_t added;
	*has_rows = true;
	enum result result = demand_key(input->member->dataset, heading, error);
	if (result == RESULT_OK)
		result = count_added(input->member->dataset, heading, &added, error);
	return result == RESULT_OK && added > 0 ? learn_columns(input, has_rows, error) : result;
}

enum result evolve_types(const struct member_input *input, bool *has_changed, struct error *error)
{
	struct schema *schema = schema_copy(input->member->dataset->schema);
	if (schema == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	struct survey survey = survey_of(input);
	enum result result = survey_widen(&survey, schema, has_changed, error);
	if (result == RESULT_OK && *has_changed)
		return freeze(input, schema, error);
	schema_free(schema);
	return result;
}
