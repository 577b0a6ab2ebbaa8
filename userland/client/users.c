// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmnet users: who may log in at a Manager, and as what. For its administrators. */
#include "client/command.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "client/ask.h"
#include "client/http.h"

#define PATH_SIZE (USER_NAME_MAX + 32)

static enum cli_status list(const struct cli *cli, struct http *http)
{
	json_t *answer;
	enum cli_status status = http_ask(http, "GET", "users", NULL, &answer);
	const json_t *users, *user;
	size_t i;

	if (status == CLI_DONE && cli->json)
		return cli_print(answer);
	if (status == CLI_DONE) {
		users = http_list(http, answer, "users");
		status = users ? CLI_DONE : CLI_FAILED;
		json_array_foreach(users, i, user)
			printf("%-32s %s\n", cli_text(user, "name"), cli_text(user, "type"));
	}
	json_decref(answer);
	return status;
}

/* The new password of another, into a body with what else it has; takes body. */
static enum cli_status with_password(const struct cli *cli, json_t *body, struct http *http,
				     const char *method, const char *path)
{
	char password[ASK_SIZE] = "";
	enum cli_status status =
		ask_password("New password", cli->new_password_file, "--new-password-file", true, password);

	if (status == CLI_DONE && json_object_set_new(body, "password", json_string(password)))
		status = cli_fail(CLI_USAGE, "kvmnet: the type or the password is not UTF-8");
	OPENSSL_cleanse(password, sizeof(password));
	if (status == CLI_DONE)
		return http_ask(http, method, path, body, NULL);
	json_decref(body);
	return status;
}

static enum cli_status add(const struct cli *cli, struct http *http)
{
	return with_password(
		cli,
		json_pack("{s:s, s:s}", "name", cli->arguments[2], "type", cli->type ? cli->type : "user"),
		http, "POST", "users");
}

static enum cli_status drop(const struct cli *cli, struct http *http)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "users/%s", cli->arguments[2]);
	return http_ask(http, "DELETE", path, NULL, NULL);
}

static enum cli_status set_type(const struct cli *cli, struct http *http)
{
	char path[PATH_SIZE];
	json_t *body = json_pack("{s:s}", "type", cli->arguments[3]);

	snprintf(path, sizeof(path), "users/%s/type", cli->arguments[2]);
	return body ? http_ask(http, "PUT", path, body, NULL) :
		      cli_fail(CLI_USAGE, "kvmnet: the type is not UTF-8");
}

static enum cli_status set_password(const struct cli *cli, struct http *http)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "users/%s/password", cli->arguments[2]);
	return with_password(cli, json_object(), http, "PUT", path);
}

static const struct verb {
	const char *name;
	int arguments; /* with the Manager and the verb */
	enum cli_status (*run)(const struct cli *cli, struct http *http);
	const char *did;
} verbs[] = {
	{ "list", 2, list, NULL },
	{ "add", 3, add, "The user was added." },
	{ "remove", 3, drop, "The user was removed." },
	{ "set-type", 4, set_type, "The user has that type." },
	{ "password", 3, set_password, "The user has that password." },
};

static const struct verb *verb_of(const struct cli *cli)
{
	if (cli->argument_count == 1)
		return &verbs[0];
	for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(cli->arguments[1], verbs[i].name) && cli->argument_count == verbs[i].arguments)
			return &verbs[i];
	return NULL;
}

enum cli_status command_users(const struct cli *cli)
{
	const struct verb *verb = verb_of(cli);
	enum cli_status status;
	struct http *http;

	if (!verb)
		return cli_fail(CLI_USAGE,
				"kvmnet users: what follows MANAGER is: list, add NAME, remove NAME, "
				"set-type NAME TYPE or password NAME; see --help");
	if (verb->arguments > 2 && !user_name_valid(cli->arguments[2]))
		return cli_fail(CLI_USAGE,
				"kvmnet: a name has up to 64 of A-Z a-z 0-9 . _ - and begins with a letter "
				"or a digit");
	http = http_enter(cli, cli->arguments[0], HTTP_MANAGER, &status);
	if (http)
		status = verb->run(cli, http);
	if (http && status == CLI_DONE && verb->did)
		status = cli_did(cli, verb->did);
	http_close(http);
	return status;
}
