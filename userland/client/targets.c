// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmnet targets and ticket: what a person may open at a Manager, and the permission to do so once. */
#include "client/targets.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "client/command.h"
#include "lib/ticket.h"

#define LIST_SIZE 128

/* "view control" of a list of words. */
static const char *words(const json_t *object, const char *member, char text[LIST_SIZE])
{
	const json_t *list = json_object_get(object, member), *word;
	size_t i, len = 0;

	text[0] = '\0';
	json_array_foreach(list, i, word)
	{
		json_t *one = json_pack("{s:O}", "word", word);
		const char *clean = cli_text(one, "word");

		if (len + strlen(clean) + 2 < LIST_SIZE)
			len += (size_t)snprintf(text + len, LIST_SIZE - len, "%s%s", len ? " " : "", clean);
		json_decref(one);
	}
	return text;
}

static enum cli_status print_targets(const struct http *http, const json_t *answer)
{
	const json_t *list = http_list(http, answer, "targets"), *target;
	char users[LIST_SIZE], rights[LIST_SIZE];
	size_t i;

	if (!list)
		return CLI_FAILED;
	printf("%-20s %-12s %-20s %-30s %s\n", "NAME", "STATE", "USERS", "RIGHTS", "ID");
	json_array_foreach(list, i, target) printf(
		"%-20s %-12s %-20s %-30s %.16s\n", cli_text(target, "name"), cli_text(target, "state"),
		words(target, "users", users), words(target, "rights", rights), cli_text(target, "id"));
	return CLI_DONE;
}

enum cli_status command_targets(const struct cli *cli)
{
	json_t *answer = NULL;
	enum cli_status status;
	struct http *http = http_enter(cli, cli->arguments[0], HTTP_MANAGER, &status);

	if (http)
		status = http_ask(http, "GET", "targets", NULL, &answer);
	if (http && status == CLI_DONE)
		status = cli->json ? cli_print(json_incref(answer)) : print_targets(http, answer);
	json_decref(answer);
	http_close(http);
	return status;
}

/* ---- Tickets ---- */

static enum cli_status find(struct http *http, const char *target, char id[PICK_ID_DIGITS + 1])
{
	json_t *answer;
	enum cli_status status = http_ask(http, "GET", "targets", NULL, &answer);
	const json_t *list = status == CLI_DONE ? http_list(http, answer, "targets") : NULL, *found;
	bool several;

	if (status == CLI_DONE && !list)
		status = CLI_FAILED;
	found = list ? pick(list, target, &several) : NULL;
	if (found)
		strcpy(id, pick_id(found));
	else if (list)
		status = cli_fail(CLI_FAILED,
				  several ? "kvmnet: several Targets have that name: give the id of one" :
					    "kvmnet: you have no such Target; kvmnet targets lists "
					    "them");
	json_decref(answer);
	return status;
}

static bool sound(const struct target_ticket *ticket)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	return ticket->ticket && strlen(ticket->ticket) < TICKET_SIZE &&
	       !ticket->ticket[strspn(ticket->ticket, letters)] && ticket->url &&
	       !strncmp(ticket->url, "https://", 8) &&
	       json_is_integer(json_object_get(ticket->answer, "expires")) &&
	       json_is_array(json_object_get(ticket->answer, "rights"));
}

enum cli_status target_ticket(struct http *http, const char *target, bool view_only,
			      struct target_ticket *ticket)
{
	char path[PICK_ID_DIGITS + 48];
	enum cli_status status;

	memset(ticket, 0, sizeof(*ticket));
	status = find(http, target, ticket->id);
	if (status != CLI_DONE)
		return status;
	snprintf(path, sizeof(path), "targets/%s/ticket%s", ticket->id, view_only ? "?view_only=1" : "");
	status = http_ask(http, "POST", path, NULL, &ticket->answer);
	ticket->ticket = json_string_value(json_object_get(ticket->answer, "ticket"));
	ticket->url = json_string_value(json_object_get(ticket->answer, "url"));
	if (status == CLI_DONE && !sound(ticket))
		return http_odd(http);
	return status;
}

bool target_may(const struct target_ticket *ticket, const char *right)
{
	const json_t *list = json_object_get(ticket->answer, "rights"), *has;
	size_t i;

	json_array_foreach(list, i, has) if (json_is_string(has) &&
					     !strcmp(json_string_value(has), right)) return true;
	return false;
}

void target_forget(struct target_ticket *ticket)
{
	if (ticket->ticket)
		OPENSSL_cleanse((void *)(uintptr_t)ticket->ticket, strlen(ticket->ticket));
	json_decref(ticket->answer);
	memset(ticket, 0, sizeof(*ticket));
}

static enum cli_status print_ticket(const struct http *http, const struct target_ticket *ticket)
{
	time_t until = (time_t)json_integer_value(json_object_get(ticket->answer, "expires"));
	char rights[LIST_SIZE], text[16] = "?";
	struct tm local;

	if (localtime_r(&until, &local))
		strftime(text, sizeof(text), "%H:%M:%S", &local);
	printf("Ticket:   %s\n"
	       "Browser:  %s#ticket=%s\n"
	       "Viewer:   the same host, port 900: user %s, the Ticket as password\n"
	       "Rights:   %s; once, until %s\n",
	       ticket->ticket, cli_text(ticket->answer, "url"), ticket->ticket, http_user(http),
	       words(ticket->answer, "rights", rights), text);
	return CLI_DONE;
}

enum cli_status command_ticket(const struct cli *cli)
{
	struct target_ticket ticket = { 0 };
	enum cli_status status;
	struct http *http = http_enter(cli, cli->arguments[0], HTTP_MANAGER, &status);

	if (http)
		status = target_ticket(http, cli->arguments[1], cli->view_only, &ticket);
	if (http && status == CLI_DONE)
		status = cli->json ? cli_print(json_incref(ticket.answer)) : print_ticket(http, &ticket);
	target_forget(&ticket);
	http_close(http);
	return status;
}
