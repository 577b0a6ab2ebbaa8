// SPDX-License-Identifier: GPL-2.0-or-later
/* Splits one line and looks its command up. What a command does is not known here. */
#include "lib/shell_command.h"

#include <stdbool.h>
#include <string.h>

#define WORDS_MAX 2

const char shell_help[] = "  status       this Manager: version, Devices, sessions\n"
			  "  devices      each Device and its connection\n"
			  "  logs [N]     the last N lines of the log (1 to 1000; 50)\n"
			  "  replication  how this Manager and others keep in step\n"
			  "  ping HOST    four echo requests to a host name or an address\n"
			  "  help         this text\n"
			  "  exit         ends\n";

static const char unknown[] = "There is no such command: see help.";

struct word {
	const char *text;
	size_t len;
};

static const struct {
	const char *name;
	enum shell_verb verb;
	unsigned most; /* words after it */
} verbs[] = {
	{ "help", SHELL_HELP, 0 },	 { "status", SHELL_STATUS, 0 },		  { "logs", SHELL_LOGS, 1 },
	{ "devices", SHELL_DEVICES, 0 }, { "replication", SHELL_REPLICATION, 0 }, { "ping", SHELL_PING, 1 },
	{ "exit", SHELL_EXIT, 0 },
};

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool of_host(char c)
{
	return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr(".:-_%", c));
}

/* The number of words, at most one more than there may be. */
static unsigned split(const char *text, size_t len, struct word words[WORDS_MAX + 1])
{
	unsigned count = 0;
	size_t i = 0;

	while (count <= WORDS_MAX) {
		while (i < len && blank(text[i]))
			i++;
		if (i == len)
			break;
		words[count].text = text + i;
		while (i < len && !blank(text[i]))
			i++;
		words[count].len = (size_t)(text + i - words[count].text);
		count++;
	}
	return count;
}

static const char *take_lines(const struct word *word, struct shell_command *command)
{
	unsigned lines = 0;

	for (size_t i = 0; i < word->len; i++) {
		if (!digit(word->text[i]) || lines > SHELL_LOGS_MAX)
			return "logs: a number from 1 to 1000.";
		lines = 10 * lines + (unsigned)(word->text[i] - '0');
	}
	if (!lines || lines > SHELL_LOGS_MAX)
		return "logs: a number from 1 to 1000.";
	command->lines = lines;
	return NULL;
}

static const char *take_host(const struct word *word, struct shell_command *command)
{
	if (word->len >= sizeof(command->host) || word->text[0] == '-')
		return "ping: a host name or an address.";
	for (size_t i = 0; i < word->len; i++)
		if (!of_host(word->text[i]))
			return "ping: a host name or an address.";
	memcpy(command->host, word->text, word->len);
	return NULL;
}

const char *shell_command_parse(const char *text, size_t len, struct shell_command *command)
{
	struct word words[WORDS_MAX + 1];
	unsigned count, i = 0;

	memset(command, 0, sizeof(*command));
	command->lines = SHELL_LOGS_DEFAULT;
	if (len > SHELL_LINE_MAX)
		return "This line is too long.";
	count = split(text, len, words);
	if (!count)
		return NULL;
	while (i < sizeof(verbs) / sizeof(verbs[0]) &&
	       (strlen(verbs[i].name) != words[0].len || memcmp(verbs[i].name, words[0].text, words[0].len)))
		i++;
	if (i == sizeof(verbs) / sizeof(verbs[0]))
		return unknown;
	command->verb = verbs[i].verb;
	if (count - 1 > verbs[i].most)
		return "There are too many words for this command: see help.";
	if (command->verb == SHELL_PING)
		return count == 2 ? take_host(&words[1], command) : "ping: which host?";
	return count == 2 ? take_lines(&words[1], command) : NULL;
}
