// SPDX-License-Identifier: GPL-2.0-or-later
/* The wire form of a question of the SSH shell. */
#include "lib/shell_query.h"

#include <stdio.h>
#include <string.h>

_Static_assert(SHELL_QUERY_MAX >= SHELL_WHO_SIZE - 1 + SHELL_KEY_SIZE - 1 + SHELL_LINE_MAX + 1 + 2 + 1,
	       "the longest fits with its NUL");

size_t shell_query_write(const struct shell_query *query, char buf[SHELL_QUERY_MAX])
{
	return (size_t)snprintf(buf, SHELL_QUERY_MAX, "%s\n%s\n%s", query->who, query->key, query->line);
}

/* Takes text up to end, all of it printable. */
static bool take(const char **data, const char *end, char *field, size_t size)
{
	size_t len = (size_t)(end - *data);

	if (len >= size)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((*data)[i] < ' ' || (*data)[i] > '~')
			return false;
	memcpy(field, *data, len);
	field[len] = '\0';
	*data = end + 1;
	return true;
}

bool shell_query_read(const char *data, size_t len, struct shell_query *query)
{
	const char *end = data + len, *first = memchr(data, '\n', len), *second;

	second = first ? memchr(first + 1, '\n', (size_t)(end - first - 1)) : NULL;
	return second && take(&data, first, query->who, sizeof(query->who)) &&
	       take(&data, second, query->key, sizeof(query->key)) &&
	       take(&data, end, query->line, sizeof(query->line));
}
