// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmnet devices and adopt: the Devices that a Manager knows, and taking one over. */
#include "client/command.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "client/ask.h"
#include "client/http.h"
#include "client/pick.h"

#define SHORT_ID 16 /* digits that tell Devices apart for a person */

static enum cli_status print_devices(const struct http *http, const json_t *answer)
{
	const json_t *list = http_list(http, answer, "devices"), *device;
	size_t i;

	if (!list)
		return CLI_FAILED;
	printf("%-20s %-26s %5s  %-12s %-9s %-18s %-5s %s\n", "NAME", "ADDRESS", "PORT", "MODEL", "VERSION",
	       "STATE", "LINK", "ID");
	json_array_foreach(list, i, device)
	{
		printf("%-20s %-26s %5d  %-12s %-9s %-18s %-5s %.*s\n", cli_text(device, "name"),
		       cli_text(device, "address"),
		       (int)json_integer_value(json_object_get(device, "https_port")),
		       cli_text(device, "model"), cli_text(device, "firmware"), cli_text(device, "state"),
		       cli_text(device, "link"), SHORT_ID, cli_text(device, "id"));
		if (*cli_text(device, "why"))
			printf("  %s\n", cli_text(device, "why"));
	}
	return CLI_DONE;
}

enum cli_status command_devices(const struct cli *cli)
{
	json_t *answer = NULL;
	enum cli_status status;
	struct http *http = http_enter(cli, cli->arguments[0], HTTP_MANAGER, &status);

	if (http)
		status = http_ask(http, "GET", "devices", NULL, &answer);
	if (http && status == CLI_DONE)
		status = cli->json ? cli_print(json_incref(answer)) : print_devices(http, answer);
	json_decref(answer);
	http_close(http);
	return status;
}

/* ---- adoption ---- */

/* By its console's code, or by its owner's name and password. In *body. */
static enum cli_status ask_authority(const struct cli *cli, const json_t *device, json_t **body)
{
	bool unclaimed = !strcmp(cli_text(device, "state"), "unclaimed");
	char user[ASK_SIZE], secret[ASK_SIZE] = "";
	enum cli_status status;

	if (unclaimed)
		status = ask_text("Claim code on the Device's console", cli->code, "--code", secret);
	else
		status = ask_text("Name of the Device's owner", cli->owner, "--owner", user);
	if (status == CLI_DONE && !unclaimed)
		status = ask_password("Password of the Device's owner", cli->owner_password_file,
				      "--owner-password-file", false, secret);
	*body = status != CLI_DONE ? NULL :
		unclaimed	   ? json_pack("{s:s}", "code", secret) :
				     json_pack("{s:s, s:s}", "user", user, "password", secret);
	if (status == CLI_DONE && !*body)
		status = cli_fail(CLI_USAGE, "kvmnet: the name, code or password is not UTF-8");
	OPENSSL_cleanse(secret, sizeof(secret));
	return status;
}

/* Whoever named it by the whole id of its key has compared that. */
static enum cli_status confirm(const struct cli *cli, const json_t *device)
{
	const char *id = pick_id(device);

	if (!strcmp(id, cli->arguments[1]))
		return CLI_DONE;
	if (!ask_possible())
		return cli_fail(
			CLI_USAGE,
			"kvmnet: there is no terminal to confirm the Device's key at: compare its id, %s, and "
			"give that as a whole in the name's place",
			id);
	fprintf(stderr, "\"%s\" at %s has the key with the id\n  %s\n", cli_text(device, "name"),
		cli_text(device, "address"), id);
	return ask_yes("Is that the Device?") ? CLI_DONE : cli_fail(CLI_FAILED, "kvmnet: it was not adopted");
}

static enum cli_status adopt(const struct cli *cli, struct http *http, const json_t *list)
{
	char path[PICK_ID_DIGITS + 32];
	enum cli_status status;
	const json_t *device;
	json_t *answer, *body;
	bool several;

	device = pick(list, cli->arguments[1], &several);
	if (!device)
		return cli_fail(CLI_FAILED,
				several ? "kvmnet: several Devices have that name: give the id of one" :
					  "kvmnet: this Manager knows no such Device; kvmnet devices "
					  "lists them");
	status = confirm(cli, device);
	if (status == CLI_DONE)
		status = ask_authority(cli, device, &body);
	if (status != CLI_DONE)
		return status;
	snprintf(path, sizeof(path), "devices/%s/adoption", pick_id(device));
	status = http_ask(http, "POST", path, body, &answer);
	if (status == CLI_DONE && cli->json)
		return cli_print(answer);
	json_decref(answer);
	return status == CLI_DONE ? cli_did(cli, "It is adopted.") : status;
}

enum cli_status command_adopt(const struct cli *cli)
{
	const json_t *list = NULL;
	json_t *answer = NULL;
	enum cli_status status;
	struct http *http = http_enter(cli, cli->arguments[0], HTTP_MANAGER, &status);

	if (http)
		status = http_ask(http, "GET", "devices", NULL, &answer);
	if (http && status == CLI_DONE && !(list = http_list(http, answer, "devices")))
		status = CLI_FAILED;
	if (list)
		status = adopt(cli, http, list);
	json_decref(answer);
	http_close(http);
	return status;
}
