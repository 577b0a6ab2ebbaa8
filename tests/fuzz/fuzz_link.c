// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a Manager's message on the link, and as the bodies that it may bring. */
/* LINK: userland/device/link_message.c userland/device/adoption.c userland/device/settings.c userland/lib/merge.c
 *	 userland/lib/certificate.c userland/lib/state.c userland/lib/log.c | jansson -lcrypto */
#include <stdlib.h>
#include <string.h>

#include "device/adoption.h"
#include "device/link_message.h"
#include "device/settings.h"
#include "lib/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool sound)
{
	if (!sound)
		abort();
}

static void try_message(const uint8_t *data, size_t size)
{
	struct link_message message;

	if (link_message_parse((const char *)data, size, &message))
		return;
	check(message.type == LINK_WELCOME || (*message.method && *message.path));
	free(message.body);
}

static void try_settings(const json_t *json)
{
	struct settings settings, again;
	json_t *written;

	if (settings_parse(json, &settings))
		return;
	written = settings_json(&settings);
	check(written && !settings_parse(written, &again) && !memcmp(&settings, &again, sizeof(settings)));
	json_decref(written);
}

/* A patch of what may come to what may come leads there. */
static void try_merge(json_t *json)
{
	json_t *empty = json_object(), *patch = merge_diff(empty, json);

	check(patch && !merge_apply(empty, patch) && !merge_apply(json, patch));
	json_decref(patch);
	json_decref(empty);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct adoption *adoption;

	try_message(data, size);
	if (json && !adoption_parse(json, &adoption))
		adoption_free(adoption);
	if (json)
		try_settings(json);
	if (json_is_object(json))
		try_merge(json);
	json_decref(json);
	return 0;
}
