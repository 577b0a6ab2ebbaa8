// SPDX-License-Identifier: GPL-2.0-or-later
/* Questions and their answers. Passwords are never on a command line, where other users of the machine see them. */
#include "client/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bsd/readpassphrase.h>
#include <openssl/crypto.h>

bool ask_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static enum cli_status nobody(const char *what, const char *option)
{
	return cli_fail(CLI_USAGE, "kvmnet: %s is needed, and there is no terminal to ask at: give %s", what,
			option);
}

/* A line without its end; false: there is none. */
static bool read_line(char *text, size_t size)
{
	bool read = fgets(text, (int)size, stdin) != NULL;

	text[read ? strcspn(text, "\r\n") : 0] = '\0';
	return read && *text;
}

enum cli_status ask_text(const char *what, const char *given, const char *option, char text[ASK_SIZE])
{
	if (given) {
		if (!*given || strlen(given) >= ASK_SIZE)
			return cli_fail(CLI_USAGE, "kvmnet: %s is empty or too long", option);
		strcpy(text, given);
		return CLI_DONE;
	}
	if (!ask_possible())
		return nobody(what, option);
	fprintf(stderr, "%s: ", what);
	return read_line(text, ASK_SIZE) ? CLI_DONE : cli_fail(CLI_FAILED, "kvmnet: nothing was entered");
}

/* Without stdio, whose buffer nobody wipes. */
static enum cli_status read_file(const char *file, char password[ASK_SIZE])
{
	bool input = !strcmp(file, "-");
	int fd = input ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	char text[ASK_SIZE + 2] = ""; /* an end of line, and one more to see that it is too long */
	ssize_t part = 1;
	size_t len = 0;
	int error;

	while (fd >= 0 && part && len < sizeof(text) - 1 && !memchr(text, '\n', len)) {
		part = read(fd, text + len, sizeof(text) - 1 - len);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			break;
		len += (size_t)part;
	}
	error = fd < 0 || part < 0 ? errno : 0;
	if (fd >= 0 && !input)
		close(fd);
	text[len] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	len = strlen(text);
	if (!error && len && len < ASK_SIZE)
		memcpy(password, text, len + 1);
	OPENSSL_cleanse(text, sizeof(text));
	if (error)
		return cli_fail(CLI_FAILED, "kvmnet: %s: %s", file, strerror(error));
	if (!len || len >= ASK_SIZE)
		return cli_fail(CLI_FAILED,
				"kvmnet: %s: its first line is no password: it has 1 to %d characters", file,
				USER_PASSWORD_MAX);
	return CLI_DONE;
}

/* The echo is off before the prompt is there: what is typed at once is not shown either. */
static enum cli_status read_hidden(const char *what, const char *more, char password[ASK_SIZE])
{
	char prompt[96], text[ASK_SIZE + 1]; /* one more to see that it is too long */
	enum cli_status status = CLI_DONE;

	snprintf(prompt, sizeof(prompt), "%s%s: ", what, more);
	if (!readpassphrase(prompt, text, sizeof(text), RPP_REQUIRE_TTY) || !*text)
		status = cli_fail(CLI_FAILED, "kvmnet: nothing was entered");
	else if (strlen(text) >= ASK_SIZE)
		status = cli_fail(CLI_FAILED, "kvmnet: a password has at most %d characters",
				  USER_PASSWORD_MAX);
	else
		strcpy(password, text);
	OPENSSL_cleanse(text, sizeof(text));
	return status;
}

enum cli_status ask_password(const char *what, const char *file, const char *option, bool twice,
			     char password[ASK_SIZE])
{
	char again[ASK_SIZE] = "";
	enum cli_status status;

	if (file)
		return read_file(file, password);
	if (!ask_possible())
		return nobody(what, option);
	status = read_hidden(what, "", password);
	if (!status && twice)
		status = read_hidden(what, ", again", again);
	if (!status && twice && strcmp(password, again))
		status = cli_fail(CLI_FAILED, "kvmnet: these are two different passwords");
	if (status)
		OPENSSL_cleanse(password, ASK_SIZE);
	OPENSSL_cleanse(again, sizeof(again));
	return status;
}

bool ask_yes(const char *question)
{
	char text[8];

	fprintf(stderr, "%s (yes/no) ", question);
	return read_line(text, sizeof(text)) && !strcmp(text, "yes");
}
