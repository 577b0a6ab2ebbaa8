// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmnet type: text and keys to a Target, as if somebody typed there. */
#include "client/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "client/keys.h"
#include "client/viewer.h"

#define TEXT_MAX 4096
/* A boot keyboard is asked each 10 ms (HID 1.11 appendix F.5), and a character with Shift takes four reports. */
#define PAUSE_MS 40

static enum cli_status read_input(char text[TEXT_MAX + 2])
{
	ssize_t part = 1;
	size_t len = 0;

	while (part && len < TEXT_MAX + 1) {
		part = read(STDIN_FILENO, text + len, TEXT_MAX + 1 - len);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return cli_fail(CLI_FAILED, "kvmnet: standard input: %s", strerror(errno));
		len += (size_t)part;
	}
	if (len > TEXT_MAX)
		return cli_fail(CLI_USAGE, "kvmnet: the text is longer than %d characters", TEXT_MAX);
	if (memchr(text, 0, len))
		return cli_fail(CLI_USAGE, "kvmnet: the text holds a NUL");
	text[len] = '\0';
	return CLI_DONE;
}

static enum cli_status read_text(const struct cli *cli, char text[TEXT_MAX + 2])
{
	const char *given = cli->argument_count == 3 ? cli->arguments[2] : "";
	enum cli_status status = CLI_DONE;

	if (!strcmp(given, "-") && cli->password_file && !strcmp(cli->password_file, "-"))
		return cli_fail(CLI_USAGE, "kvmnet type: standard input has either the text or the password");
	if (!strcmp(given, "-"))
		status = read_input(text);
	else if (strlen(given) > TEXT_MAX)
		status = cli_fail(CLI_USAGE, "kvmnet: the text is longer than %d characters", TEXT_MAX);
	else
		strcpy(text, given);
	for (const char *at = text; status == CLI_DONE && *at; at++)
		if (!keys_of(*at))
			status = cli_fail(CLI_USAGE,
					  "kvmnet: there is no key for character %zu of the text: only ASCII "
					  "can be typed",
					  (size_t)(at - text) + 1);
	return status;
}

static enum cli_status check_keys(const struct cli *cli)
{
	uint32_t keysyms[KEYS_MAX];

	for (unsigned i = 0; i < cli->key_count; i++)
		if (!keys_parse(cli->keys[i], keysyms))
			return cli_fail(CLI_USAGE,
					"kvmnet: %s: no such key; one is like Ctrl-Alt-Del, F11 or Enter",
					cli->keys[i]);
	return CLI_DONE;
}

/* Down in that order, up in the other. */
static enum cli_status press(struct viewer *viewer, const uint32_t *keysyms, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		rfb_key(viewer_rfb(viewer), keysyms[i], true);
	for (unsigned i = count; i-- > 0;)
		rfb_key(viewer_rfb(viewer), keysyms[i], false);
	return viewer_pause(viewer, PAUSE_MS);
}

static enum cli_status type(const struct cli *cli, struct viewer *viewer, const char *text)
{
	enum cli_status status = CLI_DONE;
	uint32_t keysyms[KEYS_MAX];

	for (; status == CLI_DONE && *text; text++) {
		keysyms[0] = keys_of(*text);
		status = press(viewer, keysyms, 1);
	}
	for (unsigned i = 0; status == CLI_DONE && i < cli->key_count; i++)
		status = press(viewer, keysyms, keys_parse(cli->keys[i], keysyms));
	if (status != CLI_DONE)
		return status;
	/* Its answer shows that the Device took everything before. */
	rfb_ask(viewer_rfb(viewer), false);
	return viewer_await_update(viewer);
}

enum cli_status command_type(const struct cli *cli)
{
	char text[TEXT_MAX + 2] = "";
	enum cli_status status;
	struct viewer *viewer;

	if (cli->argument_count < 3 && !cli->key_count)
		return cli_fail(CLI_USAGE, "kvmnet type: give a text, - or --key; see --help");
	status = check_keys(cli);
	if (status == CLI_DONE)
		status = read_text(cli, text);
	if (status == CLI_DONE) {
		viewer = viewer_open(cli, true, &status);
		if (viewer)
			status = type(cli, viewer, text);
		viewer_close(viewer);
	}
	OPENSSL_cleanse(text, sizeof(text));
	return status == CLI_DONE ? cli_did(cli, "It was typed.") : status;
}
