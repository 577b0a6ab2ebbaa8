/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads kvmnetd's INI file: a table of settings, each with its bounds. libinih
 * splits the lines; what the settings do is known to those who use them.
 */
#include "device/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#define FILE_MAX 65536
#define SECTIONS "[device] [capture] [hid] [session] [https] [discovery]"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct parser {
	struct config *config;
	const char *name; /* in messages */
	FILE *err;
	const char *next, *end; /* what is still to be read */
	unsigned line;
	bool failed;
	bool broken_line;    /* already reported: what libinih makes of it counts for nothing */
	uint64_t seen;	     /* bit i: settings[i] was given */
	bool section_failed; /* and was reported */
};

struct setting {
	const char *section, *key;
	/* NULL, or what is right, to follow "KEY: ". */
	const char *(*parse)(const char *value, void *field, const struct setting *setting);
	size_t field; /* offset in struct config */
	uint32_t min, max;
	const char *right;
};

static bool copy(void *field, size_t size, const char *value)
{
	size_t len = strlen(value);

	if (len >= size)
		return false;
	memcpy(field, value, len + 1);
	return true;
}

static const char *parse_path(const char *value, void *field, const struct setting *setting)
{
	return value[0] == '/' && copy(field, PATH_MAX, value) ? NULL : setting->right;
}

/* A device, or "unix:PATH" for its stand-in in development. */
static const char *parse_source(const char *value, void *field, const struct setting *setting)
{
	const char *path = strncmp(value, "unix:", 5) ? value : value + 5;

	/* A socket's path must fit sockaddr_un.sun_path. */
	if (path != value && (!*path || strlen(path) > 107))
		return setting->right;
	return (path != value || value[0] == '/') && copy(field, PATH_MAX, value) ? NULL : setting->right;
}

static const char *parse_udc(const char *value, void *field, const struct setting *setting)
{
	if (value[0] && strcmp(value, "none"))
		return parse_path(value, field, setting);
	copy(field, PATH_MAX, value);
	return NULL;
}

static const char *parse_level(const char *value, void *field, const struct setting *setting)
{
	return log_parse_level(value, field) ? NULL : setting->right;
}

static const char *parse_address(const char *value, void *field, const struct setting *setting)
{
	struct in6_addr address;

	if (inet_pton(AF_INET, value, &address) != 1 && inet_pton(AF_INET6, value, &address) != 1)
		return setting->right;
	return copy(field, 64, value) ? NULL : setting->right;
}

static const char *parse_flag(const char *value, void *field, const struct setting *setting)
{
	bool yes = !strcmp(value, "yes");

	if (!yes && strcmp(value, "no"))
		return setting->right;
	*(bool *)field = yes;
	return NULL;
}

static bool number(const char *value, const struct setting *setting, uint32_t *result)
{
	unsigned long parsed;
	size_t digits = strspn(value, "0123456789");

	if (!digits || digits > 9 || value[digits])
		return false;
	parsed = strtoul(value, NULL, 10);
	*result = (uint32_t)parsed;
	return parsed >= setting->min && parsed <= setting->max;
}

static const char *parse_port(const char *value, void *field, const struct setting *setting)
{
	uint32_t port;

	if (!number(value, setting, &port))
		return setting->right;
	*(uint16_t *)field = (uint16_t)port;
	return NULL;
}

static const char *parse_seconds(const char *value, void *field, const struct setting *setting)
{
	uint32_t seconds;

	if (!number(value, setting, &seconds))
		return setting->right;
	*(uint32_t *)field = seconds;
	return NULL;
}

static const char *parse_mode(const char *value, void *field, const struct setting *setting)
{
	bool broadcast = !strcmp(value, "auto");

	if (!broadcast && strcmp(value, "manual"))
		return setting->right;
	*(bool *)field = broadcast;
	return NULL;
}

/* Printable ASCII: it stands in pages, logs and terminals. */
static const char *parse_name(const char *value, void *field, const struct setting *setting)
{
	for (const char *c = value; *c; c++)
		if (*c < ' ' || *c > '~')
			return setting->right;
	return copy(field, CONFIG_NAME_SIZE, value) ? NULL : setting->right;
}

/* Commas between, blanks around. */
static const char *parse_managers(const char *value, void *field, const struct setting *setting)
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

static const struct setting settings[] = {
	{ "device", "state_dir", parse_path, FIELD(state_dir), 0, 0, "an absolute path" },
	{ "device", "web_dir", parse_path, FIELD(web_dir), 0, 0, "an absolute path" },
	{ "device", "log_level", parse_level, FIELD(log_level), 0, 0, "error, warn, info or debug" },
	{ "capture", "source", parse_source, FIELD(capture), 0, 0, "an absolute path, or unix:PATH" },
	{ "hid", "keyboard", parse_source, FIELD(keyboard), 0, 0, "an absolute path, or unix:PATH" },
	{ "hid", "pointer", parse_source, FIELD(pointer), 0, 0, "an absolute path, or unix:PATH" },
	{ "hid", "udc", parse_udc, FIELD(udc), 0, 0, "an absolute path, none, or nothing" },
	{ "session", "address", parse_address, FIELD(address), 0, 0, "an IPv4 or IPv6 address in numbers" },
	{ "session", "first_port", parse_port, FIELD(first_port), 1, 65533, "a number from 1 to 65533" },
	{ "session", "stock_viewers", parse_flag, FIELD(stock_viewers), 0, 0, "yes or no" },
	{ "session", "idle_timeout", parse_seconds, FIELD(idle_timeout_s), 0, 604800, "0 to 604800 seconds" },
	{ "https", "address", parse_address, FIELD(https_address), 0, 0,
	  "an IPv4 or IPv6 address in numbers" },
	{ "https", "port", parse_port, FIELD(https_port), 1, 65535, "a number from 1 to 65535" },
	{ "discovery", "enabled", parse_flag, FIELD(discovery), 0, 0, "yes or no" },
	{ "discovery", "mode", parse_mode, FIELD(discovery_broadcast), 0, 0, "auto or manual" },
	{ "discovery", "managers", parse_managers, FIELD(managers), 0, 0,
	  "up to 8 host names or addresses with commas between" },
	{ "discovery", "port", parse_port, FIELD(discovery_port), 1, 65535, "a number from 1 to 65535" },
	{ "discovery", "second_port", parse_port, FIELD(discovery_second_port), 1, 65535,
	  "a number from 1 to 65535" },
	{ "discovery", "name", parse_name, FIELD(discovery_name), 0, 0,
	  "up to 64 printable ASCII characters" },
};

static void __attribute__((format(printf, 2, 3))) complain(struct parser *parser, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(parser->err, "%s:%u: ", parser->name, parser->line);
	vfprintf(parser->err, fmt, args);
	fputc('\n', parser->err);
	va_end(args);
	parser->failed = true;
}

static const struct setting *find(const char *section, const char *key)
{
	for (unsigned i = 0; i < COUNT(settings); i++)
		if (!strcmp(settings[i].section, section) && (!key || !strcmp(settings[i].key, key)))
			return &settings[i];
	return NULL;
}

/* libinih's call for each "key = value"; it wants 1. The line is the one that its reader took last. */
static int take(void *arg, const char *section, const char *key, const char *value)
{
	struct parser *parser = arg;
	const struct setting *setting = find(section, key);
	char shown[2][48];
	const char *right;
	uint64_t bit;

	if (parser->broken_line || parser->section_failed)
		return 1;
	log_clean(shown[0], sizeof(shown[0]), key);
	log_clean(shown[1], sizeof(shown[1]), value);
	if (!section[0]) {
		complain(parser, "%s: stands before the first section: " SECTIONS, shown[0]);
		return 1;
	}
	if (!setting) {
		complain(parser, "%s: [%s] has no such setting", shown[0], section);
		return 1;
	}
	bit = 1ULL << (setting - settings);
	if (parser->seen & bit)
		complain(parser, "%s: is given twice", shown[0]);
	parser->seen |= bit;
	right = setting->parse(value, (char *)parser->config + setting->field, setting);
	if (right)
		complain(parser, "%s: is \"%s\", must be %s", shown[0], shown[1], right);
	return 1;
}

static void enter_section(struct parser *parser, const char *line)
{
	char name[48];
	size_t len = strcspn(line + 1, "]");

	if (len >= sizeof(name))
		len = sizeof(name) - 1;
	memcpy(name, line + 1, len);
	name[len] = '\0';
	parser->section_failed = !find(name, NULL);
	if (parser->section_failed)
		complain(parser, "[%s]: no such section: " SECTIONS, log_clean(name, sizeof(name), name));
}

/* libinih's reader: one line a call, without leading blanks, which it would take for a continuation. */
static char *read_line(char *buf, int size, void *stream)
{
	struct parser *parser = stream;
	const char *start = parser->next, *stop;
	size_t len;

	if (start == parser->end)
		return NULL;
	stop = memchr(start, '\n', (size_t)(parser->end - start));
	stop = stop ? stop : parser->end;
	parser->next = stop < parser->end ? stop + 1 : stop;
	parser->line++;
	parser->broken_line = false;
	while (start < stop && strchr(" \t\r", *start) && *start)
		start++;
	len = (size_t)(stop - start);
	if (memchr(start, '\0', len)) {
		complain(parser, "holds a zero byte");
		parser->broken_line = true;
		len = 0;
	} else if ((int)len >= size) {
		complain(parser, "is longer than %d bytes", size - 1);
		parser->broken_line = true;
		len = 0;
	}
	memcpy(buf, start, len);
	buf[len] = '\0';
	if (buf[0] == '[')
		enter_section(parser, buf);
	return buf;
}

void config_defaults(struct config *config)
{
	memset(config, 0, sizeof(*config));
	copy(config->state_dir, PATH_MAX, "/var/lib/kvmnet");
	copy(config->web_dir, PATH_MAX, "/usr/share/kvmnet/web");
	config->log_level = LOG_LEVEL_INFO;
	copy(config->capture, PATH_MAX, "/dev/kvmcap0");
	copy(config->keyboard, PATH_MAX, "/dev/hidg0");
	copy(config->pointer, PATH_MAX, "/dev/hidg1");
	copy(config->address, sizeof(config->address), "::");
	config->first_port = 900;
	config->stock_viewers = true;
	copy(config->https_address, sizeof(config->https_address), "::");
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

/* What no line is wrong for by itself. */
static void check_together(struct parser *parser)
{
	const struct config *config = parser->config;

	if (ports_clash(config))
		complain(parser, "[https] port: %u is one of the three session ports from %u",
			 config->https_port, config->first_port);
	if (config->discovery_port == config->discovery_second_port)
		complain(parser, "[discovery] second_port: is %u as port is, must be another one",
			 config->discovery_port);
	if (!config->discovery_broadcast && !config->managers.count)
		complain(parser, "[discovery] mode: is manual, but managers names none");
}

int config_parse(struct config *config, const char *text, size_t len, const char *name, FILE *err)
{
	struct parser parser = { .config = config, .name = name, .err = err, .next = text, .end = text + len };
	int wrong = ini_parse_stream(read_line, &parser, take, &parser);

	/* take() reports by itself: what is left is a line that libinih could not split. */
	if (wrong > 0) {
		parser.line = (unsigned)wrong;
		complain(&parser, "is neither [section] nor key = value");
	} else if (wrong < 0) {
		complain(&parser, "out of memory");
	}
	parser.line = 0;
	if (!parser.failed)
		check_together(&parser);
	return parser.failed ? -1 : 0;
}

int config_read(struct config *config, const char *path, FILE *err)
{
	char *text = malloc(FILE_MAX + 1);
	FILE *in = fopen(path, "re");
	int result = -1;
	size_t len;

	if (!text || !in) {
		fprintf(err, "%s:0: cannot be read: %s\n", path, strerror(errno));
		goto out;
	}
	len = fread(text, 1, FILE_MAX + 1, in);
	if (ferror(in))
		fprintf(err, "%s:0: cannot be read: %s\n", path, strerror(errno));
	else if (len > FILE_MAX)
		fprintf(err, "%s:0: is larger than %d bytes\n", path, FILE_MAX);
	else
		result = config_parse(config, text, len, path, err);
out:
	if (in)
		fclose(in);
	free(text);
	return result;
}
