// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of keys that were confirmed. Who is asked to confirm one is trust.c's. */
#include "client/known.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/log.h"
#include "lib/state.h"

#define FILE_NAME "known"
#define FILE_MAX (1 << 20)
#define ID_DIGITS (2 * CERTIFICATE_ID_SIZE)

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 :
				      -1;
}

bool known_parse_id(const char *text, size_t len, uint8_t id[CERTIFICATE_ID_SIZE])
{
	if (len != ID_DIGITS)
		return false;
	for (unsigned i = 0; i < CERTIFICATE_ID_SIZE; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		id[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool known_dir(char dir[KNOWN_PATH_SIZE])
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int len;

	/* One that is not absolute is to be ignored: XDG Base Directory Specification. */
	if (config && *config == '/')
		len = snprintf(dir, KNOWN_PATH_SIZE, "%s/kvmnet", config);
	else if (home && *home == '/')
		len = snprintf(dir, KNOWN_PATH_SIZE, "%s/.config/kvmnet", home);
	else
		return false;
	return len < KNOWN_PATH_SIZE;
}

/* NULL: no file, or it cannot be read, which was said. */
static char *read_all(const char *dir, bool *failed)
{
	size_t len;
	char *text = state_read(dir, FILE_NAME, FILE_MAX, &len);

	*failed = !text && errno != ENOENT;
	return text;
}

enum known_result known_find(const char *place, uint8_t id[CERTIFICATE_ID_SIZE])
{
	enum known_result result = KNOWN_NOT;
	char dir[KNOWN_PATH_SIZE], *text;
	size_t len = strlen(place);
	bool failed;

	if (!known_dir(dir))
		return KNOWN_NOT;
	text = read_all(dir, &failed);
	for (const char *line = text; line && *line && result == KNOWN_NOT;) {
		size_t length = strcspn(line, "\n");

		if (length > len + 1 && !memcmp(line, place, len) && line[len] == ' ' &&
		    known_parse_id(line + len + 1, length - len - 1, id))
			result = KNOWN_THERE;
		line += length + (line[length] == '\n');
	}
	free(text);
	return failed ? KNOWN_UNREADABLE : result;
}

/* $XDG_CONFIG_HOME itself may never have been needed before. */
static bool prepare(char *dir)
{
	char *end = strrchr(dir, '/');

	*end = '\0';
	if (mkdir(dir, 0700) && errno != EEXIST)
		log_error("%s: %s", dir, strerror(errno));
	*end = '/';
	return !state_prepare(dir);
}

bool known_add(const char *place, const uint8_t id[CERTIFICATE_ID_SIZE])
{
	char dir[KNOWN_PATH_SIZE], digits[ID_DIGITS + 1], *text, *longer;
	bool failed, stored;
	int len;

	for (unsigned i = 0; i < CERTIFICATE_ID_SIZE; i++)
		snprintf(digits + 2 * i, 3, "%02x", id[i]);
	if (!known_dir(dir)) {
		log_error("neither XDG_CONFIG_HOME nor HOME says where to remember a key");
		return false;
	}
	if (!prepare(dir))
		return false;
	text = read_all(dir, &failed);
	len = failed ? -1 : asprintf(&longer, "%s%s %s\n", text ? text : "", place, digits);
	free(text);
	if (len < 0)
		return false;
	stored = !state_write(dir, FILE_NAME, longer, (size_t)len);
	free(longer);
	return stored;
}
