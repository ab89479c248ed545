// SPDX-License-Identifier: Apache-2.0
#include "cli/checks_identity.h"

#include "cli/app.h"
#include "ingest/dataset.h"

static void check_dataset(struct checks *checks, const struct app *app, struct state *state,
                          const struct dataset_options *options, bool *is_fine)
{
	struct error error = {0};
	struct dataset *dataset;
	const char *sink_kind = app->config->sink == CONFIG_SINK_SQLITE ? "sqlite" : "mysql";
	enum result result = dataset_open(&dataset, state, options, &error);
	if (result == RESULT_OK) {
		result = dataset_check_configuration(dataset, sink_kind, &error);
		dataset_close(dataset);
	}
	if (result == RESULT_OK)
		return;
	*is_fine = false;
	checks_add(checks, "identity", result, &error, NULL);
}

void checks_identity(struct checks *checks, const struct config *config, struct state *state)
{
	struct app app = {.config = config};
	struct error error = {0};
	bool is_fine = true;
	enum result result = app_make_datasets(&app, &error);
	if (result != RESULT_OK)
		checks_add(checks, "identity", result, &error, NULL);
	for (size_t i = 0; result == RESULT_OK && i < config->dataset_count; i++)
		check_dataset(checks, &app, state, &app.datasets[i], &is_fine);
	if (result == RESULT_OK && is_fine)
		checks_add(checks, "identity", RESULT_OK, NULL, "no stored row looks new");
	app_close(&app);
}
