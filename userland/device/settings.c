// SPDX-License-Identifier: GPL-2.0-or-later
/* Form and file of the settings. Who applies them is bus.h's and link.c's. */
#include "device/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/state.h"

#define FILE_NAME "settings"
#define TIMEOUT_MAX_S 604800
#define MEMBERS 4
#define NAME_RULE "The member name must be a string of up to 64 printable ASCII characters."

void settings_defaults(struct settings *settings, const struct config *config)
{
	memset(settings, 0, sizeof(*settings));
	settings->session_timeout_s = config->idle_timeout_s;
	memcpy(settings->name, config->discovery_name, sizeof(settings->name));
}

static const char *take_name(const json_t *value, struct settings *settings)
{
	size_t len = json_string_length(value);

	if (!json_is_string(value) || len >= sizeof(settings->name))
		return NAME_RULE;
	memcpy(settings->name, json_string_value(value), len + 1);
	for (size_t i = 0; i < len; i++)
		if (settings->name[i] < ' ' || settings->name[i] > '~')
			return NAME_RULE;
	return NULL;
}

static const char *take_managers(const json_t *list, struct settings *settings)
{
	const json_t *entry;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > ADOPTION_ADDRESSES)
		return "The member managers must be a list of up to 8 host names or addresses.";
	json_array_foreach(list, i, entry)
	{
		const char *text = json_string_value(entry);

		if (!text || strlen(text) != json_string_length(entry) ||
		    !adoption_parse_address(text, &settings->managers[i]))
			return "One of the members of managers is neither HOST nor HOST:PORT.";
		settings->manager_count++;
	}
	return NULL;
}

const char *settings_parse(const json_t *json, struct settings *settings)
{
	const json_t *revision = json_object_get(json, "revision");
	const json_t *timeout = json_object_get(json, "session_timeout_s");
	const char *wrong;

	memset(settings, 0, sizeof(*settings));
	if (!json_is_object(json))
		return "The body must be one JSON object.";
	if (json_object_size(json) != MEMBERS)
		return "The object has too many or too few members.";
	if (!json_is_integer(revision) || json_integer_value(revision) < 0)
		return "The member revision must be a number from 0.";
	if (!json_is_integer(timeout) || json_integer_value(timeout) < 0 ||
	    json_integer_value(timeout) > TIMEOUT_MAX_S)
		return "The member session_timeout_s must be 0 to 604800 seconds.";
	settings->revision = (uint64_t)json_integer_value(revision);
	settings->session_timeout_s = (uint32_t)json_integer_value(timeout);
	wrong = take_name(json_object_get(json, "name"), settings);
	return wrong ? wrong : take_managers(json_object_get(json, "managers"), settings);
}

json_t *settings_json(const struct settings *settings)
{
	json_t *managers = adoption_addresses_json(settings->managers, settings->manager_count);

	return json_pack("{s:I, s:I, s:s, s:o}", "revision", (json_int_t)settings->revision,
			 "session_timeout_s", (json_int_t)settings->session_timeout_s, "name", settings->name,
			 "managers", managers);
}

int settings_load(const char *state_dir, struct settings *settings)
{
	const char *wrong = "it is no JSON";
	struct settings stored;
	size_t len;
	char *text = state_read(state_dir, FILE_NAME, SETTINGS_TEXT_MAX, &len);
	json_t *json;

	if (!text)
		return errno == ENOENT ? 0 : -1;
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (json)
		wrong = settings_parse(json, &stored);
	json_decref(json);
	if (wrong) {
		log_error("%s/" FILE_NAME " is damaged (%s): remove it, then what kvmnetd.conf says holds",
			  state_dir, wrong);
		return -1;
	}
	*settings = stored;
	return 0;
}

int settings_forget(const char *state_dir)
{
	return state_remove(state_dir, FILE_NAME);
}

int settings_store(const char *state_dir, const struct settings *settings)
{
	json_t *json = settings_json(settings);
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	int result = text ? state_write(state_dir, FILE_NAME, text, strlen(text)) : -1;

	if (!text)
		log_error("settings: out of memory");
	json_decref(json);
	free(text);
	return result;
}
