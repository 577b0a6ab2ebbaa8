// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmnet-manager-shell: where lines come from. sshd runs it for the user kvmnet-admin and for nothing else; which
 * lines there are is lib/shell_command.h's. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "manager-shell/administrator.h"
#include "manager-shell/ping.h"
#include "manager-shell/question.h"
#include "manager-shell/sandbox.h"

#define IDLE_S 600 /* then the session ends */

/* Takes a line; it is asked of the Manager first, which writes it down. */
static enum shell_status run(struct shell_query *query, const char *line, size_t len, bool *leave)
{
	struct shell_command command;
	const char *wrong;
	enum shell_status status;
	size_t n = len < sizeof(query->line) - 1 ? len : sizeof(query->line) - 1;

	/* Bytes that are not printable make a word that is none. */
	for (size_t i = 0; i < n; i++)
		query->line[i] = line[i] >= ' ' && line[i] <= '~' ? line[i] : line[i] == '\t' ? ' ' : '?';
	query->line[n] = '\0';
	wrong = shell_command_parse(line, len, &command);
	*leave = !wrong && command.verb == SHELL_EXIT;
	if (!wrong && (*leave || command.verb == SHELL_NOTHING))
		return SHELL_DONE;
	if (!wrong && command.verb == SHELL_HELP) {
		fputs(shell_help, stdout);
		return SHELL_DONE;
	}
	status = question_ask(query);
	return status == SHELL_DONE && !wrong && command.verb == SHELL_PING ? ping(command.host) : status;
}

/* false: there is no more. A line that is too long is read to its end, and stays too long. */
static bool read_line(char *line, size_t size, size_t *len)
{
	int c;

	*len = 0;
	while ((c = getchar()) != EOF && c != '\n') {
		line[*len] = (char)c;
		*len += *len < size - 1;
	}
	if (*len && c == '\n' && line[*len - 1] == '\r')
		--*len;
	return *len || c != EOF;
}

static enum shell_status run_all(struct shell_query *query)
{
	enum shell_status status = SHELL_DONE;
	char line[SHELL_LINE_MAX + 2];
	bool leave = false;
	size_t len;

	while (!leave) {
		fputs("kvmnet> ", stdout);
		fflush(stdout);
		alarm(IDLE_S); /* its signal ends us */
		if (!read_line(line, sizeof(line), &len))
			break;
		alarm(0);
		status = run(query, line, len, &leave);
	}
	fputc('\n', stdout);
	return status;
}

int main(void)
{
	const char *command = getenv("SSH_ORIGINAL_COMMAND");
	struct shell_query query = { 0 };
	enum shell_status status;
	bool leave;

	if (sandbox_enter()) {
		fputs("kvmnet-manager-shell: this system has no seccomp\n", stderr);
		return EXIT_FAILURE;
	}
	administrator_find(&query);
	/* Arguments are not read: sshd calls us as a user's shell, "-c" and what ForceCommand names. */
	status = command ? run(&query, command, strlen(command), &leave) : run_all(&query);
	return fflush(stdout) ? EXIT_FAILURE : (int)status;
}
