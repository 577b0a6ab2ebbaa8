// SPDX-License-Identifier: GPL-2.0-or-later
/* What an administrator types over SSH, what the Manager's socket gets, and files of keys. */
/* LINK: userland/lib/shell_command.c userland/lib/shell_query.c userland/manager-shell/administrator.c
 * userland/lib/log.c | -lcrypto */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/shell_command.h"
#include "lib/shell_query.h"
#include "manager-shell/administrator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_line(const char *text, size_t size)
{
	struct shell_command command;

	if (shell_command_parse(text, size, &command))
		return;
	if (command.lines < 1 || command.lines > SHELL_LOGS_MAX || size > SHELL_LINE_MAX)
		abort();
	if (strpbrk(command.host, " \t;&|$`'\"\\/<>()\n\r") || *command.host == '-')
		abort();
}

static void try_query(const char *text, size_t size)
{
	struct shell_query query, again;
	char data[SHELL_QUERY_MAX];
	size_t len;

	if (!shell_query_read(text, size, &query))
		return;
	len = shell_query_write(&query, data);
	if (len != size || memcmp(data, text, size) || !shell_query_read(data, len, &again))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	struct shell_query query;
	size_t first;

	memcpy(text, data, size);
	try_line((const char *)data, size);
	try_query((const char *)data, size);
	/* Its first line as what sshd wrote, the rest as the list. */
	first = strcspn(text, "\n");
	if (first < size) {
		text[first] = '\0';
		administrator_parse(text, text + first + 1, &query);
		if (strlen(query.who) >= sizeof(query.who) || !*query.who || !*query.key)
			abort();
	}
	free(text);
	return 0;
}
