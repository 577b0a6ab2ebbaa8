// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as the directory's settings: refused with a sentence, or within bounds, with one filter that stays one. */
/* LINK: userland/manager/directory_settings.c userland/lib/body.c | ldap jansson -lcrypto */
#include <stdlib.h>
#include <string.h>

#include "manager/directory_settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool sound)
{
	if (!sound)
		abort();
}

static void check_filter(const char *filter)
{
	int depth = 0;

	for (size_t i = 0; filter[i]; i++) {
		depth += (filter[i] == '(') - (filter[i] == ')');
		check(depth > 0 || !filter[i + 1]);
	}
	check(!depth && *filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct directory_settings *settings;
	const char *wrong;

	settings = directory_settings_new(json, &wrong);
	check(!settings == !!wrong);
	if (settings) {
		check(*settings->host && *settings->ca && *settings->bind_dn && *settings->bind_password &&
		      *settings->base && *settings->name_attribute);
		check(settings->group_count <= DIRECTORY_GROUPS_MAX);
		check(directory_settings_may_keep(json, json));
		check_filter(settings->filter);
	}
	directory_settings_free(settings);
	json_decref(json);
	return 0;
}
