// SPDX-License-Identifier: GPL-2.0-or-later
/* Who comes and goes, and what was done: claim, log in, log out, audit. */
#include "manager/api_parts.h"

#include <string.h>

#include <openssl/crypto.h>

#include "lib/log.h"
#include "manager/permission.h"

#define AUDIT_LENGTH 200

int api_account_status(enum account_result result, bool login)
{
	switch (result) {
	case ACCOUNT_OK:
		return 200;
	case ACCOUNT_WRONG:
		return login ? 401 : 403; /* logging in would not mend a wrong claim code */
	case ACCOUNT_LIMITED:
		return 429;
	case ACCOUNT_UNCLAIMED:
	case ACCOUNT_CLAIMED:
	case ACCOUNT_TAKEN:
	case ACCOUNT_LAST:
	case ACCOUNT_KEPT:
	case ACCOUNT_ELSEWHERE:
		return 409;
	case ACCOUNT_MISSING:
		return 404;
	case ACCOUNT_INVALID:
		return 400;
	case ACCOUNT_AWAY:
		return 503;
	case ACCOUNT_ASK:
	case ACCOUNT_FAILED:
		break;
	}
	return 500;
}

static json_t *account_json(const char *user, enum account_type type)
{
	return json_pack("{s:s, s:s, s:b}", "user", user, "type", account_type_name(type), "opens",
			 permission_given(PERMISSION_OPEN, type));
}

static void begin_login(struct call *call, struct web_request *request)
{
	char token[LOGIN_TOKEN_SIZE];

	if (!login_begin(call->api->logins, call->user, call->type, token)) {
		web_error(request, 500, "The Manager has no randomness: try again.");
		return;
	}
	if (request->login)
		login_end(call->api->logins, request->login);
	request->logins_changed = true;
	web_set_cookie(request, API_COOKIE, token);
	OPENSSL_cleanse(token, sizeof(token));
	web_answer(request, 200, account_json(call->user, call->type));
}

static void came(struct call *call, struct web_request *request, bool login)
{
	/* Who is not even let try is not worth a line each: his first tries have theirs. And what is no guess has no
	 * limit: strangers would push all else out of the audit. */
	if (call->result != ACCOUNT_LIMITED &&
	    (call->result != ACCOUNT_AWAY || api_may_note_refusal(call->api)))
		api_event(call->api, call->user, login ? "log in" : "claim", NULL,
			  account_text(call->result));
	if (!request)
		return;
	if (call->result == ACCOUNT_OK)
		begin_login(call, request);
	else
		web_error(request, api_account_status(call->result, login), account_text(call->result));
}

static void name_user(struct call *call, const char *name)
{
	size_t len = strnlen(name, USER_NAME_MAX);

	memcpy(call->user, name, len);
	call->user[len] = '\0';
}

static void claim(struct job *job)
{
	struct call *call = (struct call *)job;

	name_user(call, call->fields[1]);
	call->type = ACCOUNT_ADMINISTRATOR;
	call->result = account_claim(call->api->stores.accounts, (struct sockaddr *)&call->peer,
				     call->fields[0], call->fields[1], call->fields[2]);
}

static void claimed(struct call *call, struct web_request *request)
{
	came(call, request, false);
}

void api_run_claim(struct api *api, struct web_request *request)
{
	static const char *const names[] = { "code", "user", "password" };
	struct call *call = api_call(api, request, claim, claimed);

	if (call && api_fields(call, request, names, 3))
		api_submit(api->quick, call, request);
}

static void verify(struct job *job)
{
	struct call *call = (struct call *)job;

	name_user(call, call->fields[0]);
	call->result = account_verify(call->api->stores.accounts, (struct sockaddr *)&call->peer,
				      call->fields[0], call->fields[1], &call->type, &call->try);
}

/* On the directory's workers: it may be away, and nothing else waits for it. */
static void ask_directory(struct job *job)
{
	static const enum account_result results[] = {
		[DIRECTORY_DONE] = ACCOUNT_OK,
		[DIRECTORY_WRONG] = ACCOUNT_WRONG,
		[DIRECTORY_FAILED] = ACCOUNT_AWAY,
	};
	struct call *call = (struct call *)job;
	const struct directory_settings *settings = api_directory_settings(call);

	call->asked = DIRECTORY_FAILED;
	if (settings)
		call->asked =
			directory_verify(settings, call->api->stores.state_dir,
					 call->try.known ? call->fields[0] : "", call->fields[1], call->why);
	if (call->asked == DIRECTORY_FAILED)
		log_warn("directory: no log-in: %s", call->why);
	call->result = results[call->asked];
}

static void conclude(struct job *job)
{
	struct call *call = (struct call *)job;

	call->result = account_conclude(call->api->stores.accounts, &call->try, call->user, call->result,
					&call->type);
}

static void concluded(struct call *call, struct web_request *request)
{
	came(call, request, true);
}

/* In the order of the store's changes, so that none comes between what he is and his log-in. */
static void directory_asked(struct call *call, struct web_request *request)
{
	api_go_on(call->api->quick, call, request, conclude, concluded);
}

static void verified(struct call *call, struct web_request *request)
{
	if (call->result != ACCOUNT_ASK) {
		came(call, request, true);
		return;
	}
	api_go_on(call->api->directory, call, request, ask_directory, directory_asked);
	if (call->api->going_on !=
	    call) /* too much to do: no guess was made, and only its count is taken back */
		account_conclude(call->api->stores.accounts, &call->try, call->user, ACCOUNT_AWAY,
				 &call->type);
}

void api_run_login(struct api *api, struct web_request *request)
{
	static const char *const names[] = { "user", "password" };
	struct call *call = api_call(api, request, verify, verified);

	if (call && api_fields(call, request, names, 2))
		api_submit(api->quick, call, request);
}

void api_run_account(struct api *api, struct web_request *request)
{
	(void)api;
	web_answer(request, 200, account_json(request->user, (enum account_type)request->rights));
}

static void change_password(struct job *job)
{
	struct call *call = (struct call *)job;
	struct account_table *accounts = call->api->stores.accounts;
	enum account_type type;

	call->result = account_elsewhere(accounts, call->user) ?
			       ACCOUNT_ELSEWHERE :
			       account_verify(accounts, (struct sockaddr *)&call->peer, call->user,
					      call->fields[0], &type, &call->try);
	if (call->result == ACCOUNT_OK)
		call->result = account_set_password(accounts, call->user, call->fields[1]);
}

static void password_changed(struct call *call, struct web_request *request)
{
	api_event(call->api, call->user, "change password", NULL, account_text(call->result));
	if (call->result == ACCOUNT_OK) {
		login_end_others(call->api->logins, call->user, call->login);
		api_revoke(call->api, call->user, call->user);
	}
	if (request && call->result == ACCOUNT_OK)
		web_answer(request, 204, NULL);
	else if (request)
		web_error(request, api_account_status(call->result, false), account_text(call->result));
}

void api_run_password(struct api *api, struct web_request *request)
{
	static const char *const names[] = { "old_password", "new_password" };
	struct call *call = api_call(api, request, change_password, password_changed);

	if (call && api_fields(call, request, names, 2))
		api_submit(api->quick, call, request);
}

void api_run_logout(struct api *api, struct web_request *request)
{
	login_end(api->logins, request->login);
	request->logins_changed = true;
	web_set_cookie(request, API_COOKIE, "");
	web_answer(request, 204, NULL);
}

/* ---- audit ---- */

static void add_event(const struct store_event *event, void *arg)
{
	const char *device = event->device && *event->device ? event->device : NULL;

	json_array_append_new(arg,
			      json_pack("{s:I, s:s, s:s, s:s, s:s*, s:s}", "number",
					(json_int_t)event->number, "time", event->time, "who", event->who,
					"what", event->what, "device", device, "text", event->text));
}

static void read_audit(struct job *job)
{
	struct call *call = (struct call *)job;

	call->json = json_array();
	call->error = store_events(call->api->stores.store, 0, AUDIT_LENGTH, add_event, call->json);
}

static void audit_read(struct call *call, struct web_request *request)
{
	if (request && call->error)
		web_error(request, 500, "The audit cannot be read: the Manager's log says why.");
	else if (request)
		web_answer(request, 200, json_pack("{s:O}", "events", call->json));
}

void api_run_audit(struct api *api, struct web_request *request)
{
	struct call *call = api_call(api, request, read_audit, audit_read);

	if (call)
		api_submit(api->quick, call, request);
}
