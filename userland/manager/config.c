// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmnet-manager's settings and their bounds; how the file is read is ini.c's. */
#include "manager/config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/shell_query.h"

#define FIELD(name) offsetof(struct config, name)

static const char *parse_database(const char *value, void *field, const struct ini_setting *setting)
{
	if (strcmp(value, "sqlite") != 0 && strcmp(value, "mariadb") != 0)
		return setting->right;
	*(enum config_database *)field = !strcmp(value, "mariadb") ? CONFIG_MARIADB : CONFIG_SQLITE;
	return NULL;
}

/* These two stand in statements that take no values. */
static const char *parse_folder(const char *value, void *field, const struct ini_setting *setting)
{
	return strpbrk(value, "'\"\\") ? setting->right : ini_path(value, field, setting);
}

static const char *parse_database_name(const char *value, void *field, const struct ini_setting *setting)
{
	static const char fit[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

	return !*value || strspn(value, fit) != strlen(value) ? setting->right :
								ini_name(value, field, setting);
}

static const struct ini_setting settings[] = {
	{ "manager", "state_dir", ini_path, FIELD(state_dir), 0, 0, "an absolute path" },
	{ "manager", "web_dir", ini_path, FIELD(web_dir), 0, 0, "an absolute path" },
	{ "manager", "log_level", ini_level, FIELD(log_level), 0, 0, "error, warn, info or debug" },
	{ "manager", "name", ini_name, FIELD(name), 0, 0, "up to 64 printable ASCII characters" },
	{ "manager", "log_dir", ini_path, FIELD(log_dir), 0, 0, "an absolute path" },
	{ "https", "address", ini_address, FIELD(https_address), 0, 0, "an IPv4 or IPv6 address in numbers" },
	{ "https", "port", ini_port, FIELD(https_port), 1, 65535, "a number from 1 to 65535" },
	{ "discovery", "enabled", ini_flag, FIELD(discovery), 0, 0, "yes or no" },
	{ "discovery", "port", ini_port, FIELD(discovery_port), 1, 65535, "a number from 1 to 65535" },
	{ "discovery", "second_port", ini_port, FIELD(discovery_second_port), 1, 65535,
	  "a number from 1 to 65535" },
	{ "database", "kind", parse_database, FIELD(database), 0, 0, "sqlite or mariadb" },
	{ "database", "socket", ini_path, FIELD(database_socket), 0, 0, "an absolute path" },
	{ "database", "host", ini_name, FIELD(database_host), 0, 0, "a host's name or address" },
	{ "database", "port", ini_port, FIELD(database_port), 1, 65535, "a number from 1 to 65535" },
	{ "database", "ca", ini_path, FIELD(database_ca), 0, 0, "an absolute path" },
	{ "database", "certificate", ini_path, FIELD(database_certificate), 0, 0, "an absolute path" },
	{ "database", "key", ini_path, FIELD(database_key), 0, 0, "an absolute path" },
	{ "database", "folder", parse_folder, FIELD(database_folder), 0, 0,
	  "an absolute path without quotation marks and backslashes" },
	{ "database", "name", parse_database_name, FIELD(database_name), 0, 0,
	  "up to 64 letters, digits and underscores" },
	{ "database", "user", ini_name, FIELD(database_user), 0, 0, "up to 64 printable ASCII characters" },
	{ "ssh", "socket", ini_path, FIELD(shell_socket), 0, 0, "an absolute path" },
	{ "ssh", "user", ini_name, FIELD(shell_user), 0, 0, "up to 64 printable ASCII characters" },
};

static const struct ini_format format = {
	.settings = settings,
	.count = sizeof(settings) / sizeof(settings[0]),
	.sections = "[manager] [https] [discovery] [database] [ssh]",
};

void config_defaults(struct config *config)
{
	memset(config, 0, sizeof(*config));
	ini_copy(config->state_dir, PATH_MAX, "/var/lib/kvmnet-manager");
	ini_copy(config->web_dir, PATH_MAX, "/usr/share/kvmnet-manager/web");
	config->log_level = LOG_LEVEL_INFO;
	ini_copy(config->https_address, sizeof(config->https_address), "::");
	config->https_port = 443;
	ini_copy(config->log_dir, PATH_MAX, "/var/lib/kvmnet-files/logs");
	ini_copy(config->shell_socket, PATH_MAX, SHELL_SOCKET);
	ini_copy(config->shell_user, sizeof(config->shell_user), "kvmnet-admin");
	ini_copy(config->database_socket, PATH_MAX, "/run/mysqld/mysqld.sock");
	config->database_port = 3306;
	ini_copy(config->database_folder, PATH_MAX, "/etc/mysql/kvmnet");
	ini_copy(config->database_name, sizeof(config->database_name), "kvmnet");
	ini_copy(config->database_user, sizeof(config->database_user), "kvmnet-manager");
	config->discovery = true;
	config->discovery_port = 3080;
	config->discovery_second_port = 3081;
}

static void check_together(struct ini_parser *parser, const void *target)
{
	const struct config *config = target;

	if (config->discovery_port == config->discovery_second_port)
		ini_complain(parser, "[discovery] second_port: is %u as port is, must be another one",
			     config->discovery_port);
	if (*config->database_host &&
	    (!*config->database_ca || !*config->database_certificate || !*config->database_key))
		ini_complain(parser,
			     "[database] host: needs ca, certificate and key, for TLS proves both sides");
}

int config_read(struct config *config, const char *path, FILE *err)
{
	size_t len = 0;
	char *text = ini_read_file(path, &len, err);
	int result = text ? ini_parse_text(&format, config, check_together, text, len, path, err) : -1;

	free(text);
	return result;
}
