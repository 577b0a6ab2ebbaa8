// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines to settings. What the settings do is known to those who use them. */
#include "lib/ini.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "lib/log.h"

#define FILE_MAX 65536

struct ini_parser {
	const struct ini_format *format;
	void *target;
	const char *name; /* in messages */
	FILE *err;
	const char *next, *end; /* what is still to be read */
	unsigned line;
	bool failed;
	bool broken_line;    /* already reported: what libinih makes of it counts for nothing */
	uint64_t seen;	     /* bit i: settings[i] was given */
	bool section_failed; /* and was reported */
};

bool ini_copy(void *field, size_t size, const char *value)
{
	size_t len = strlen(value);

	if (len >= size)
		return false;
	memcpy(field, value, len + 1);
	return true;
}

const char *ini_path(const char *value, void *field, const struct ini_setting *setting)
{
	return value[0] == '/' && ini_copy(field, PATH_MAX, value) ? NULL : setting->right;
}

const char *ini_level(const char *value, void *field, const struct ini_setting *setting)
{
	return log_parse_level(value, field) ? NULL : setting->right;
}

const char *ini_address(const char *value, void *field, const struct ini_setting *setting)
{
	struct in6_addr address;

	if (inet_pton(AF_INET, value, &address) != 1 && inet_pton(AF_INET6, value, &address) != 1)
		return setting->right;
	return ini_copy(field, INI_ADDRESS_SIZE, value) ? NULL : setting->right;
}

const char *ini_flag(const char *value, void *field, const struct ini_setting *setting)
{
	bool yes = !strcmp(value, "yes");

	if (!yes && strcmp(value, "no"))
		return setting->right;
	*(bool *)field = yes;
	return NULL;
}

static bool number(const char *value, const struct ini_setting *setting, uint32_t *result)
{
	unsigned long parsed;
	size_t digits = strspn(value, "0123456789");

	if (!digits || digits > 9 || value[digits])
		return false;
	parsed = strtoul(value, NULL, 10);
	*result = (uint32_t)parsed;
	return parsed >= setting->min && parsed <= setting->max;
}

const char *ini_port(const char *value, void *field, const struct ini_setting *setting)
{
	uint32_t port;

	if (!number(value, setting, &port))
		return setting->right;
	*(uint16_t *)field = (uint16_t)port;
	return NULL;
}

const char *ini_number(const char *value, void *field, const struct ini_setting *setting)
{
	uint32_t seconds;

	if (!number(value, setting, &seconds))
		return setting->right;
	*(uint32_t *)field = seconds;
	return NULL;
}

/* Printable ASCII: it stands in pages, logs and terminals. */
const char *ini_name(const char *value, void *field, const struct ini_setting *setting)
{
	for (const char *c = value; *c; c++)
		if (*c < ' ' || *c > '~')
			return setting->right;
	return ini_copy(field, INI_NAME_SIZE, value) ? NULL : setting->right;
}

void ini_complain(struct ini_parser *parser, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(parser->err, "%s:%u: ", parser->name, parser->line);
	vfprintf(parser->err, fmt, args);
	fputc('\n', parser->err);
	va_end(args);
	parser->failed = true;
}

static const struct ini_setting *find(const struct ini_format *format, const char *section, const char *key)
{
	for (unsigned i = 0; i < format->count; i++)
		if (!strcmp(format->settings[i].section, section) &&
		    (!key || !strcmp(format->settings[i].key, key)))
			return &format->settings[i];
	return NULL;
}

/* libinih's call for each "key = value"; it wants 1. The line is the one that its reader took last. */
static int take(void *arg, const char *section, const char *key, const char *value)
{
	struct ini_parser *parser = arg;
	const struct ini_setting *setting = find(parser->format, section, key);
	char shown[2][48];
	const char *right;
	uint64_t bit;

	if (parser->broken_line || parser->section_failed)
		return 1;
	log_clean(shown[0], sizeof(shown[0]), key);
	log_clean(shown[1], sizeof(shown[1]), value);
	if (!section[0]) {
		ini_complain(parser, "%s: stands before the first section: %s", shown[0],
			     parser->format->sections);
		return 1;
	}
	if (!setting) {
		ini_complain(parser, "%s: [%s] has no such setting", shown[0], section);
		return 1;
	}
	bit = 1ULL << (setting - parser->format->settings);
	if (parser->seen & bit)
		ini_complain(parser, "%s: is given twice", shown[0]);
	parser->seen |= bit;
	right = setting->parse(value, (char *)parser->target + setting->field, setting);
	if (right)
		ini_complain(parser, "%s: is \"%s\", must be %s", shown[0], shown[1], right);
	return 1;
}

static void enter_section(struct ini_parser *parser, const char *line)
{
	char name[48];
	size_t len = strcspn(line + 1, "]");

	if (len >= sizeof(name))
		len = sizeof(name) - 1;
	memcpy(name, line + 1, len);
	name[len] = '\0';
	parser->section_failed = !find(parser->format, name, NULL);
	if (parser->section_failed)
		ini_complain(parser, "[%s]: no such section: %s", log_clean(name, sizeof(name), name),
			     parser->format->sections);
}

/* libinih's reader: one line a call, without leading blanks, which it would take for a continuation. */
static char *read_line(char *buf, int size, void *stream)
{
	struct ini_parser *parser = stream;
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
		ini_complain(parser, "holds a zero byte");
		parser->broken_line = true;
		len = 0;
	} else if ((int)len >= size) {
		ini_complain(parser, "is longer than %d bytes", size - 1);
		parser->broken_line = true;
		len = 0;
	}
	memcpy(buf, start, len);
	buf[len] = '\0';
	if (buf[0] == '[')
		enter_section(parser, buf);
	return buf;
}

int ini_parse_text(const struct ini_format *format, void *target,
		   void (*check)(struct ini_parser *parser, const void *target), const char *text, size_t len,
		   const char *name, FILE *err)
{
	struct ini_parser parser = {
		.format = format, .target = target, .name = name, .err = err, .next = text, .end = text + len
	};
	int wrong = ini_parse_stream(read_line, &parser, take, &parser);

	/* take() reports by itself: what is left is a line that libinih could not split. */
	if (wrong > 0) {
		parser.line = (unsigned)wrong;
		ini_complain(&parser, "is neither [section] nor key = value");
	} else if (wrong < 0) {
		ini_complain(&parser, "out of memory");
	}
	parser.line = 0;
	if (!parser.failed && check)
		check(&parser, target);
	return parser.failed ? -1 : 0;
}

char *ini_read_file(const char *path, size_t *len, FILE *err)
{
	char *text = malloc(FILE_MAX + 1);
	FILE *in = fopen(path, "re");
	bool ok = false;

	if (text && in)
		*len = fread(text, 1, FILE_MAX + 1, in);
	if (!text || !in || ferror(in))
		fprintf(err, "%s:0: cannot be read: %s\n", path, strerror(errno));
	else if (*len > FILE_MAX)
		fprintf(err, "%s:0: is larger than %d bytes\n", path, FILE_MAX);
	else
		ok = true;
	if (in)
		fclose(in);
	if (ok)
		return text;
	free(text);
	return NULL;
}
