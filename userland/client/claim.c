// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmnet claim: makes a person the owner of a Device, or the first administrator of a Manager. */
#include "client/command.h"

#include <string.h>

#include <openssl/crypto.h>

#include "client/ask.h"
#include "client/http.h"

static enum cli_status ask_owner(const struct cli *cli, char code[ASK_SIZE], char user[ASK_SIZE],
				 char password[ASK_SIZE])
{
	enum cli_status status = ask_text("Claim code", cli->code, "--code", code);

	if (status == CLI_DONE)
		status = ask_text("New user name", cli->user, "--user", user);
	if (status == CLI_DONE && !user_name_valid(user))
		return cli_fail(CLI_USAGE,
				"kvmnet: a name has up to 64 of A-Z a-z 0-9 . _ - and begins with a letter "
				"or a digit");
	if (status == CLI_DONE)
		status = ask_password("New password", cli->password_file, "--password-file", true, password);
	if (status == CLI_DONE && !user_password_valid(password))
		return cli_fail(CLI_USAGE, "kvmnet: a password has 8 to 256 characters");
	return status;
}

static enum cli_status run(const struct cli *cli, struct http *http)
{
	char code[ASK_SIZE], user[ASK_SIZE], password[ASK_SIZE] = "";
	enum cli_status status;
	json_t *body;

	if (json_is_true(json_object_get(http_state(http), "claimed")))
		return cli_fail(CLI_FAILED,
				"kvmnet: %s has an owner: its console shows a claim code only when it was "
				"reset or released",
				http_place(http));
	status = ask_owner(cli, code, user, password);
	if (status == CLI_DONE) {
		body = json_pack("{s:s, s:s, s:s}", "code", code, "user", user, "password", password);
		status = body ? http_ask(http, "POST", "claim", body, NULL) :
				cli_fail(CLI_USAGE, "kvmnet: the code or the password is not UTF-8");
	}
	OPENSSL_cleanse(code, sizeof(code));
	OPENSSL_cleanse(password, sizeof(password));
	if (status != CLI_DONE)
		return status;
	http_claimed(http);
	return cli_did(cli, "It is yours.");
}

enum cli_status command_claim(const struct cli *cli)
{
	enum cli_status status;
	struct http *http = http_open(cli, cli->arguments[0], HTTP_ANY, &status);

	if (http)
		status = run(cli, http);
	http_close(http);
	return status;
}
