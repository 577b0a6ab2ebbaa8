// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmnet sessions: who watches and drives what, at a Device or at all of a Manager's, and ending that. */
#include "client/command.h"

#include <stdio.h>
#include <string.h>

#include "client/http.h"
#include "client/pick.h"
#include "lib/body.h"

static void append(json_t *all, const json_t *status, const json_t *target)
{
	const json_t *list = json_object_get(status, "sessions"), *session;
	size_t i;

	json_array_foreach(list, i, session)
	{
		json_t *copy = json_is_object(session) ? json_copy((json_t *)(uintptr_t)session) : NULL;

		if (copy && target) {
			json_object_set(copy, "target", json_object_get(target, "name"));
			json_object_set(copy, "target_id", json_object_get(target, "id"));
		}
		if (copy)
			json_array_append_new(all, copy);
	}
}

/* Those of a Device, or of all of a Manager's. */
static enum cli_status gather(struct http *http, json_t *all)
{
	bool manager = http_kind(http) == HTTP_MANAGER;
	const json_t *list, *device;
	json_t *answer;
	enum cli_status status = http_ask(http, "GET", manager ? "devices" : "status", NULL, &answer);
	size_t i;

	if (status == CLI_DONE) {
		list = http_list(http, answer, manager ? "devices" : "sessions");
		status = list ? CLI_DONE : CLI_FAILED;
	}
	if (status == CLI_DONE && !manager)
		append(all, answer, NULL);
	else if (status == CLI_DONE)
		json_array_foreach(list, i, device) append(all, json_object_get(device, "status"), device);
	json_decref(answer);
	return status;
}

static long long whole(const json_t *object, const char *member)
{
	return (long long)json_integer_value(json_object_get(object, member));
}

static void print_row(const json_t *session)
{
	printf("%6lld %-20s %-20s %-26s %-9s %9lld  %-8s %s\n", whole(session, "id"),
	       cli_text(session, "target"), cli_text(session, "user"), cli_text(session, "peer"),
	       cli_text(session, "encoding"), whole(session, "since_ms") / 1000,
	       json_is_true(json_object_get(session, "view_only")) ? "watches" : "drives",
	       cli_text(session, "target_id"));
}

static enum cli_status list(const struct cli *cli, struct http *http)
{
	json_t *all = json_array(), *session;
	enum cli_status status = gather(http, all);
	size_t i;

	if (status == CLI_DONE && cli->json) {
		status = cli_print(json_pack("{s:O}", "sessions", all));
	} else if (status == CLI_DONE) {
		printf("%6s %-20s %-20s %-26s %-9s %9s\n", "ID", "TARGET", "USER", "FROM", "ENCODING",
		       "SECONDS");
		json_array_foreach(all, i, session) print_row(session);
	}
	json_decref(all);
	return status;
}

/* All at one Target: sessions have numbers at their Device alone. */
static enum cli_status end_at_target(const struct cli *cli, struct http *http)
{
	char path[PICK_ID_DIGITS + 32];
	json_t *answer;
	enum cli_status status = http_ask(http, "GET", "devices", NULL, &answer);
	const json_t *list = status == CLI_DONE ? http_list(http, answer, "devices") : NULL, *target;
	bool several;

	if (status == CLI_DONE && !list)
		status = CLI_FAILED;
	target = list ? pick(list, cli->arguments[2], &several) : NULL;
	if (list && !target)
		status = cli_fail(CLI_FAILED,
				  several ? "kvmnet: several Targets have that name: give the id of one" :
					    "kvmnet: there is no such Target");
	if (target) {
		snprintf(path, sizeof(path), "targets/%s/sessions", pick_id(target));
		status = http_ask(http, "DELETE", path, NULL, NULL);
	}
	json_decref(answer);
	return status;
}

static enum cli_status end(const struct cli *cli, struct http *http)
{
	const char *id = cli->arguments[2];
	enum cli_status status;
	char path[48];
	uint64_t number;

	if (http_kind(http) == HTTP_MANAGER) {
		status = end_at_target(cli, http);
	} else if (!body_number(id, strlen(id), UINT32_MAX, &number)) {
		return cli_fail(CLI_USAGE, "kvmnet: %s: at a Device, ID is the number of a session", id);
	} else {
		snprintf(path, sizeof(path), "sessions/%llu", (unsigned long long)number);
		status = http_ask(http, "DELETE", path, NULL, NULL);
	}
	return status == CLI_DONE ? cli_did(cli, "The Device was told to end it.") : status;
}

enum cli_status command_sessions(const struct cli *cli)
{
	bool ends = cli->argument_count == 3;
	enum cli_status status;
	struct http *http;

	if (cli->argument_count == 2 || (ends && strcmp(cli->arguments[1], "end") != 0))
		return cli_fail(CLI_USAGE, "kvmnet sessions: what follows HOST is: end ID; see --help");
	http = http_enter(cli, cli->arguments[0], HTTP_ANY, &status);
	if (http)
		status = ends ? end(cli, http) : list(cli, http);
	http_close(http);
	return status;
}
