/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines that an administrator may type at the Manager over SSH, and no others. Pure. Who asks, and how the shell
 * and the Manager talk of it, is shell_query.h's. */
#ifndef KVMNET_LIB_SHELL_COMMAND_H
#define KVMNET_LIB_SHELL_COMMAND_H

#include <stddef.h>

#define SHELL_LINE_MAX 320  /* bytes: the longest host name and much room */
#define SHELL_HOST_SIZE 254 /* RFC 1035 section 2.3.4, and NUL */
#define SHELL_LOGS_DEFAULT 50
#define SHELL_LOGS_MAX 1000

enum shell_verb {
	SHELL_NOTHING, /* an empty line */
	SHELL_HELP,
	SHELL_STATUS,
	SHELL_LOGS,
	SHELL_DEVICES,
	SHELL_REPLICATION,
	SHELL_PING,
	SHELL_EXIT,
};

struct shell_command {
	enum shell_verb verb;
	unsigned lines;		    /* SHELL_LOGS */
	char host[SHELL_HOST_SIZE]; /* SHELL_PING: letters, digits and .:-_% only */
};

extern const char shell_help[];

/* Words between blanks; there are no quotes, no variables, and nothing that joins two commands.
 * NULL and *command, or a sentence that says what is wrong. */
const char *shell_command_parse(const char *text, size_t len, struct shell_command *command);

#endif
