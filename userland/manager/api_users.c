// SPDX-License-Identifier: GPL-2.0-or-later
/* Users, for administrators. Whoever is changed logs in anew. */
#include "manager/api_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* ---- the list ---- */

struct listing {
	json_t *list;
	char *keeper;
};

static void add_user(const struct store_user *user, void *arg)
{
	const struct listing *listing = arg;

	json_array_append_new(listing->list,
			      json_pack("{s:s, s:s, s:b, s:b, s:b}", "name", user->name, "type", user->type,
					"imported", *user->entry != '\0', "gone", user->gone, "active",
					account_standing(user, listing->keeper)));
}

static void list(struct job *job)
{
	struct call *call = (struct call *)job;
	struct listing listing = { .list = json_array() };
	char *settings;

	call->json = listing.list;
	call->error = store_directory(call->api->stores.store, &settings, &listing.keeper);
	if (call->error)
		return;
	call->error = store_users(call->api->stores.store, add_user, &listing);
	OPENSSL_cleanse(settings, strlen(settings));
	free(settings);
	free(listing.keeper);
}

static void listed(struct call *call, struct web_request *request)
{
	if (request && call->error)
		web_error(request, 500, "The users cannot be read: the Manager's log says why.");
	else if (request)
		web_answer(request, 200, json_pack("{s:O}", "users", call->json));
}

void api_run_users(struct api *api, struct web_request *request)
{
	struct call *call = api_call(api, request, list, listed);

	if (call)
		api_submit(api->quick, call, request);
}

/* ---- changes ---- */

static void answer(struct call *call, struct web_request *request, const char *what)
{
	const char *type = call->becomes ? account_type_name(call->becomes) : NULL;
	char text[BODY_FIELD_SIZE];

	snprintf(text, sizeof(text), "%s%s%s: %s", call->whom, type ? ", " : "", type ? type : "",
		 account_text(call->result));
	api_event(call->api, call->user, what, NULL, text);
	if (request && call->result == ACCOUNT_OK)
		web_answer(request, 204, NULL);
	else if (request)
		web_error(request, api_account_status(call->result, false), account_text(call->result));
}

/* What he was logged in as holds no more. */
static void answer_and_end(struct call *call, struct web_request *request, const char *what)
{
	if (call->result == ACCOUNT_OK) {
		login_end_others(call->api->logins, call->whom, 0);
		api_revoke(call->api, call->whom, call->user);
	}
	answer(call, request, what);
}

static void add(struct job *job)
{
	struct call *call = (struct call *)job;

	call->result = account_add(call->api->stores.accounts, call->whom, call->becomes, call->fields[2]);
}

static void added(struct call *call, struct web_request *request)
{
	answer(call, request, "add user");
}

static void set_type(struct job *job)
{
	struct call *call = (struct call *)job;

	call->result = account_set_type(call->api->stores.accounts, call->whom, call->becomes);
}

static void type_set(struct call *call, struct web_request *request)
{
	answer_and_end(call, request, "change user");
}

static void set_password(struct job *job)
{
	struct call *call = (struct call *)job;

	call->result = account_set_password(call->api->stores.accounts, call->whom, call->fields[0]);
}

static void password_set(struct call *call, struct web_request *request)
{
	answer_and_end(call, request, "set password");
}

static void drop(struct job *job)
{
	struct call *call = (struct call *)job;

	call->result = account_remove(call->api->stores.accounts, call->whom);
}

static void dropped(struct call *call, struct web_request *request)
{
	answer_and_end(call, request, "remove user");
}

/* ---- requests ---- */

static bool take_type(struct call *call, struct web_request *request, const char *name)
{
	call->becomes = account_type_of(name);
	if (call->becomes)
		return true;
	web_error(request, 400, "The type of a user is administrator, user or viewonly.");
	return false;
}

/* A name that none can have is nobody's. */
static void take_whom(struct call *call, const char *name)
{
	size_t len = strlen(name);

	if (len <= USER_NAME_MAX)
		memcpy(call->whom, name, len + 1);
}

void api_run_add_user(struct api *api, struct web_request *request)
{
	static const char *const names[] = { "name", "type", "password" };
	struct call *call = api_call(api, request, add, added);

	if (!call || !api_fields(call, request, names, 3))
		return;
	take_whom(call, call->fields[0]);
	if (take_type(call, request, call->fields[1]))
		api_submit(api->quick, call, request);
	else
		api_call_free(call);
}

void api_run_user_type(struct api *api, struct web_request *request)
{
	static const char *const names[] = { "type" };
	struct call *call = api_call(api, request, set_type, type_set);

	if (!call || !api_fields(call, request, names, 1))
		return;
	take_whom(call, request->parameter);
	if (take_type(call, request, call->fields[0]))
		api_submit(api->quick, call, request);
	else
		api_call_free(call);
}

void api_run_user_password(struct api *api, struct web_request *request)
{
	static const char *const names[] = { "password" };
	struct call *call = api_call(api, request, set_password, password_set);

	if (!call || !api_fields(call, request, names, 1))
		return;
	take_whom(call, request->parameter);
	api_submit(api->quick, call, request);
}

void api_run_remove_user(struct api *api, struct web_request *request)
{
	struct call *call = api_call(api, request, drop, dropped);

	if (!call)
		return;
	take_whom(call, request->parameter);
	api_submit(api->quick, call, request);
}
