// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Log lines to standard error, each in one write(2) so that threads never mix.
 * What is worth logging is decided by the callers, not here.
 */
#include "lib/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static const struct {
	const char *name;
	const char *priority; /* sd-daemon(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", "<3>" },
	[LOG_LEVEL_WARN] = { "warn", "<4>" },
	[LOG_LEVEL_INFO] = { "info", "<6>" },
	[LOG_LEVEL_DEBUG] = { "debug", "<7>" },
};

static _Atomic int threshold = LOG_LEVEL_INFO;
static log_copy_fn *_Atomic copy_line;

void log_set_level(enum log_level level)
{
	atomic_store(&threshold, (int)level);
}

void log_set_copy(log_copy_fn *copy)
{
	atomic_store(&copy_line, copy);
}

bool log_parse_level(const char *name, enum log_level *level)
{
	for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (!strcmp(name, levels[i].name)) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *log_clean(char *buf, unsigned long size, const char *text)
{
	unsigned long n = 0;

	if (!size)
		return buf;
	for (; n < size - 1 && text[n]; n++)
		buf[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
	buf[n] = '\0';
	return buf;
}

/* A journal line's priority when the service manager reads us, else a name that a person reads. */
static size_t put_level(char *line, size_t size, enum log_level level)
{
	int n = getenv("JOURNAL_STREAM") ? snprintf(line, size, "%s", levels[level].priority) :
					   snprintf(line, size, "%s: ", levels[level].name);

	return (size_t)n;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	log_copy_fn *copy = atomic_load(&copy_line);
	size_t start, len;
	va_list ap;
	int n;

	if ((int)level > atomic_load(&threshold))
		return;
	start = put_level(line, sizeof(line), level);
	va_start(ap, fmt);
	n = vsnprintf(line + start, sizeof(line) - start - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	len = start + (size_t)n;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	for (size_t i = start; i < len; i++)
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	if (copy)
		copy(levels[level].name, line + start, len - start);
	line[len++] = '\n';
	/* There is nowhere to complain to when standard error is gone. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}
