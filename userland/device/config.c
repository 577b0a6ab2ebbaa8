// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmnetd's settings and their bounds; how the file is read is ini.c's. */
#include "device/config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ini.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A device, or "unix:PATH" for its stand-in in development. */
static const char *parse_source(const char *value, void *field, const struct ini_setting *setting)
{
	const char *path = strncmp(value, "unix:", 5) ? value : value + 5;

	/* A socket's path must fit sockaddr_un.sun_path. */
	if (path != value && (!*path || strlen(path) > 107))
		return setting->right;
	return (path != value || value[0] == '/') && ini_copy(field, PATH_MAX, value) ? NULL : setting->right;
}

static const char *parse_udc(const char *value, void *field, const struct ini_setting *setting)
{
	if (value[0] && strcmp(value, "none"))
		return ini_path(value, field, setting);
	ini_copy(field, PATH_MAX, value);
	return NULL;
}

static const char *parse_mode(const char *value, void *field, const struct ini_setting *setting)
{
	bool broadcast = !strcmp(value, "auto");

	if (!broadcast && strcmp(value, "manual"))
		return setting->right;
	*(bool *)field = broadcast;
	return NULL;
}

/* Commas between, blanks around. */
static const char *parse_managers(const char *value, void *field, const struct ini_setting *setting)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%";
	struct config_managers *managers = field;

	managers->count = 0;
	value += strspn(value, " \t");
	while (*value) {
		size_t len = strspn(value, letters), blanks = strspn(value + len, " \t");
		const char *after = value + len + blanks;
		bool comma = *after == ',';

		if (!len || len >= CONFIG_MANAGER_SIZE || managers->count == CONFIG_MANAGERS ||
		    (*after && !comma))
			return setting->right;
		memset(managers->name[managers->count], 0, CONFIG_MANAGER_SIZE);
		memcpy(managers->name[managers->count++], value, len);
		value = after + comma;
		value += strspn(value, " \t");
		if (comma && !*value)
			return setting->right;
	}
	return NULL;
}

#define FIELD(name) offsetof(struct config, name)

static const struct ini_setting settings[] = {
	{ "device", "state_dir", ini_path, FIELD(state_dir), 0, 0, "an absolute path" },
	{ "device", "web_dir", ini_path, FIELD(web_dir), 0, 0, "an absolute path" },
	{ "device", "log_level", ini_level, FIELD(log_level), 0, 0, "error, warn, info or debug" },
	{ "capture", "source", parse_source, FIELD(capture), 0, 0, "an absolute path, or unix:PATH" },
	{ "hid", "keyboard", parse_source, FIELD(keyboard), 0, 0, "an absolute path, or unix:PATH" },
	{ "hid", "pointer", parse_source, FIELD(pointer), 0, 0, "an absolute path, or unix:PATH" },
	{ "hid", "udc", parse_udc, FIELD(udc), 0, 0, "an absolute path, none, or nothing" },
	{ "session", "address", ini_address, FIELD(address), 0, 0, "an IPv4 or IPv6 address in numbers" },
	{ "session", "first_port", ini_port, FIELD(first_port), 1, 65533, "a number from 1 to 65533" },
	{ "session", "stock_viewers", ini_flag, FIELD(stock_viewers), 0, 0, "yes or no" },
	{ "session", "idle_timeout", ini_number, FIELD(idle_timeout_s), 0, 604800, "0 to 604800 seconds" },
	{ "https", "address", ini_address, FIELD(https_address), 0, 0, "an IPv4 or IPv6 address in numbers" },
	{ "https", "port", ini_port, FIELD(https_port), 1, 65535, "a number from 1 to 65535" },
	{ "discovery", "enabled", ini_flag, FIELD(discovery), 0, 0, "yes or no" },
	{ "discovery", "mode", parse_mode, FIELD(discovery_broadcast), 0, 0, "auto or manual" },
	{ "discovery", "managers", parse_managers, FIELD(managers), 0, 0,
	  "up to 8 host names or addresses with commas between" },
	{ "discovery", "port", ini_port, FIELD(discovery_port), 1, 65535, "a number from 1 to 65535" },
	{ "discovery", "second_port", ini_port, FIELD(discovery_second_port), 1, 65535,
	  "a number from 1 to 65535" },
	{ "discovery", "name", ini_name, FIELD(discovery_name), 0, 0, "up to 64 printable ASCII characters" },
};

static const struct ini_format format = {
	.settings = settings,
	.count = COUNT(settings),
	.sections = "[device] [capture] [hid] [session] [https] [discovery]",
};

void config_defaults(struct config *config)
{
	memset(config, 0, sizeof(*config));
	ini_copy(config->state_dir, PATH_MAX, "/var/lib/kvmnet");
	ini_copy(config->web_dir, PATH_MAX, "/usr/share/kvmnet/web");
	config->log_level = LOG_LEVEL_INFO;
	ini_copy(config->capture, PATH_MAX, "/dev/kvmcap0");
	ini_copy(config->keyboard, PATH_MAX, "/dev/hidg0");
	ini_copy(config->pointer, PATH_MAX, "/dev/hidg1");
	ini_copy(config->address, sizeof(config->address), "::");
	config->first_port = 900;
	config->stock_viewers = true;
	ini_copy(config->https_address, sizeof(config->https_address), "::");
	config->https_port = 443;
	config->discovery = true;
	config->discovery_broadcast = true;
	config->discovery_port = 3080;
	config->discovery_second_port = 3081;
}

/* One address, and the page's port among the three: the second listener would fail for no visible reason. */
static bool ports_clash(const struct config *config)
{
	return config->https_port >= config->first_port && config->https_port <= config->first_port + 2 &&
	       !strcmp(config->address, config->https_address);
}

static void check_together(struct ini_parser *parser, const void *target)
{
	const struct config *config = target;

	if (ports_clash(config))
		ini_complain(parser, "[https] port: %u is one of the three session ports from %u",
			     config->https_port, config->first_port);
	if (config->discovery_port == config->discovery_second_port)
		ini_complain(parser, "[discovery] second_port: is %u as port is, must be another one",
			     config->discovery_port);
	if (!config->discovery_broadcast && !config->managers.count)
		ini_complain(parser, "[discovery] mode: is manual, but managers names none");
}

int config_parse(struct config *config, const char *text, size_t len, const char *name, FILE *err)
{
	return ini_parse_text(&format, config, check_together, text, len, name, err);
}

int config_read(struct config *config, const char *path, FILE *err)
{
	size_t len = 0;
	char *text = ini_read_file(path, &len, err);
	int result = text ? config_parse(config, text, len, path, err) : -1;

	free(text);
	return result;
}
