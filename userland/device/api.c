// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Routes of the API and who may use them. HTTP itself is web_http.c's, passwords
 * and their limits are account.c's, Tickets gate.c's, JSON of the status is api_status.c's, the network api_network.c's,
 * what a Device says of itself api_own.c's.
 */
#include "device/api_parts.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "device/rights.h"
#include "lib/body.h"
#include "lib/log.h"
#include "lib/version.h"

#define COOKIE "__Host-kvmnet"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum access {
	ACCESS_FIRST,	/* everybody, before the claim too */
	ACCESS_ALL,	/* people, logged in or not */
	ACCESS_PERSON,	/* people who are logged in, with a Ticket too */
	ACCESS_OWNER,	/* people who are logged in with their password */
	ACCESS_VIEW,	/* as PERSON; and the Manager */
	ACCESS_SETTING, /* as OWNER; and the Manager */
	ACCESS_MANAGER,
};

struct api_route {
	struct web_route web;
	enum access access;
	void (*run)(struct api *api, struct web_request *request);
	enum job_type job;
	const char *fields[BODY_FIELDS_MAX]; /* its body's members, in job.c's order */
};

static void run_state(struct api *api, struct web_request *request);
static void run_job(struct api *api, struct web_request *request);
static void run_logout(struct api *api, struct web_request *request);
static void run_status(struct api *api, struct web_request *request);
static void run_disconnect(struct api *api, struct web_request *request);

static const struct api_route routes[] = {
	{ { WEB_GET, "/api/v1/state", 0 }, ACCESS_FIRST, run_state, 0, { NULL } },
	{ { WEB_POST, "/api/v1/claim", WEB_BODY },
	  ACCESS_FIRST,
	  run_job,
	  JOB_CLAIM,
	  { "code", "user", "password" } },
	{ { WEB_POST, "/api/v1/login", WEB_BODY }, ACCESS_ALL, run_job, JOB_LOGIN, { "user", "password" } },
	{ { WEB_POST, "/api/v1/ticket", WEB_BODY }, ACCESS_ALL, api_run_ticket, 0, { NULL } },
	{ { WEB_POST, "/api/v1/logout", 0 }, ACCESS_PERSON, run_logout, 0, { NULL } },
	{ { WEB_POST, "/api/v1/password", WEB_BODY },
	  ACCESS_OWNER,
	  run_job,
	  JOB_PASSWORD,
	  { "old_password", "new_password" } },
	{ { WEB_POST, "/api/v1/reset", WEB_BODY }, ACCESS_OWNER, run_job, JOB_RESET, { "password" } },
	{ { WEB_GET, "/api/v1/status", 0 }, ACCESS_VIEW, run_status, 0, { NULL } },
	{ { WEB_DELETE, "/api/v1/sessions/*", 0 }, ACCESS_SETTING, run_disconnect, 0, { NULL } },
	/* A renewal needs no login: manager.h. */
	{ { WEB_POST, "/api/v1/adoption", 2 * WEB_BODY }, ACCESS_ALL, api_run_adopt, 0, { NULL } },
	{ { WEB_PUT, "/api/v1/certificate", WEB_BODY }, ACCESS_MANAGER, api_run_certificate, 0, { NULL } },
	{ { WEB_DELETE, "/api/v1/guests/*", 0 }, ACCESS_MANAGER, api_run_revoke, 0, { NULL } },
	{ { WEB_DELETE, "/api/v1/adoption", 0 }, ACCESS_SETTING, api_run_release, 0, { NULL } },
	{ { WEB_GET, "/api/v1/settings", 0 }, ACCESS_SETTING, api_run_get_settings, 0, { NULL } },
	{ { WEB_PUT, "/api/v1/settings", WEB_BODY }, ACCESS_SETTING, api_run_put_settings, 0, { NULL } },
	{ { WEB_PUT, "/api/v1/ticket-keys", WEB_BODY }, ACCESS_MANAGER, api_run_ticket_keys, 0, { NULL } },
	{ { WEB_GET, "/api/v1/network", 0 }, ACCESS_SETTING, api_run_network, 0, { NULL } },
	{ { WEB_PUT, "/api/v1/network", WEB_BODY }, ACCESS_SETTING, api_run_network_try, 0, { NULL } },
	{ { WEB_POST, "/api/v1/network/keep", 0 }, ACCESS_SETTING, api_run_network_keep, 0, { NULL } },
	{ { WEB_POST, "/api/v1/network/return", 0 }, ACCESS_SETTING, api_run_network_return, 0, { NULL } },
	{ { WEB_GET, "/api/v1/network/managers", 0 }, ACCESS_SETTING, api_run_reach, 0, { NULL } },
	{ { WEB_GET, "/api/v1/identity", 0 }, ACCESS_SETTING, api_run_identity, 0, { NULL } },
	{ { WEB_GET, "/api/v1/log", 0 }, ACCESS_SETTING, api_run_log, 0, { NULL } },
};

static const struct api_route *route_of(const struct web_request *request)
{
	return (const struct api_route *)request->route;
}

static void account_error(struct web_request *request, int status, enum account_result result)
{
	web_error(request, status, account_text(result));
}

unsigned api_session_rights(struct api *api, unsigned rights)
{
	if (rights & RIGHT_OWNER && manager_decides(api->manager))
		return rights & ~RIGHTS_SESSION;
	return rights;
}

static const struct login *login_of(struct api *api, const struct web_caller *caller)
{
	size_t len;
	const char *token = web_cookie(caller, COOKIE, &len);

	return token ? login_find(api->logins, token, len) : NULL;
}

/* NULL, or why not, with *status. */
static const char *refusal(const struct api_route *route, const struct login *login, int *status)
{
	if (route->access == ACCESS_MANAGER) {
		*status = 403;
		return "This is for this Device's Manager.";
	}
	if (route->access >= ACCESS_PERSON && !login) {
		*status = 401;
		return "Log in first.";
	}
	if ((route->access == ACCESS_OWNER || route->access == ACCESS_SETTING) &&
	    !(login->rights & RIGHT_OWNER)) {
		*status = 403;
		return "This is for this Device's owner: a Ticket does not permit it.";
	}
	return NULL;
}

bool api_check(struct api *api, struct web_request *request)
{
	const struct login *login = login_of(api, &request->caller);
	const char *why;
	int status;

	if (!web_find_route(request, routes, COUNT(routes), sizeof(routes[0])) || !web_check_origin(request))
		return false;
	why = refusal(route_of(request), login, &status);
	if (route_of(request)->access != ACCESS_FIRST && !account_claimed(api->accounts))
		account_error(request, 409, ACCOUNT_UNCLAIMED);
	else if (why)
		web_error(request, status, why);
	else
		web_check_body(request);
	if (login && !request->status) {
		request->login = login->id;
		request->rights = login->rights;
		snprintf(request->user, sizeof(request->user), "%s", login->user);
	}
	return !request->status;
}

bool api_check_manager(struct api *api, struct web_request *request, const char *manager)
{
	struct adoption *adoption;

	if (!web_find_route(request, routes, COUNT(routes), sizeof(routes[0])))
		return false;
	adoption = manager_adoption(api->manager);
	if (!adoption || strcmp(adoption->id, manager)) {
		web_error(request, 403, "You are not this Device's Manager any more.");
		adoption_free(adoption);
		return false;
	}
	/* What belongs to a login or opens one is a person's. */
	if (route_of(request)->access < ACCESS_VIEW)
		web_error(request, 403, "This is for people who log in here.");
	else
		web_check_body(request);
	request->rights = RIGHT_OWNER;
	/* By whom there, or it itself. */
	if (!*request->user)
		snprintf(request->user, sizeof(request->user), "%s", adoption->name);
	adoption_free(adoption);
	return !request->status;
}

/* A body may come long after its headers were judged. */
void api_run(struct api *api, struct web_request *request)
{
	if (request->login && !login_alive(api->logins, request->login)) {
		request->login = 0;
		request->rights = 0;
		if (route_of(request)->access >= ACCESS_PERSON) {
			web_error(request, 401, "Log in first.");
			return;
		}
	}
	route_of(request)->run(api, request);
}

json_t *api_body(const struct web_request *request)
{
	return json_loadb(request->body ? request->body : "", request->body_len, JSON_REJECT_DUPLICATES,
			  NULL);
}

static void run_state(struct api *api, struct web_request *request)
{
	json_t *manager = api_manager_json(api, false);

	web_answer(request, 200,
		   json_pack("{s:b, s:b, s:o*, s:s, s:s}", "claimed", account_claimed(api->accounts),
			     "managed", manager != NULL, "manager", manager, "product", "kvmnet", "version",
			     KVMNET_VERSION));
}

bool api_submit(struct api *api, struct web_request *request, struct job *job)
{
	if (job_submit(api->jobs, job))
		return true;
	web_error(request, 503, "Too many people are logging in at this moment: try again.");
	return false;
}

static void run_job(struct api *api, struct web_request *request)
{
	const struct api_route *route = route_of(request);
	struct job job = { .id = request->id, .type = route->job, .peer = request->caller.peer };
	unsigned count = 0;
	const char *wrong;

	while (count < BODY_FIELDS_MAX && route->fields[count])
		count++;
	wrong = body_strings(request->body, request->body_len, route->fields, count, job.fields);
	snprintf(job.user, sizeof(job.user), "%s", request->user);
	if (wrong)
		web_error(request, 400, wrong);
	else
		api_submit(api, request, &job);
	OPENSSL_cleanse(&job, sizeof(job));
}

/* A failure's HTTP status; a wrong claim code or old password is no 401: logging in would not help. */
static int status_of(enum account_result result, enum job_type type)
{
	switch (result) {
	case ACCOUNT_OK:
		return 200;
	case ACCOUNT_WRONG:
		return type == JOB_LOGIN ? 401 : 403;
	case ACCOUNT_LIMITED:
		return 429;
	case ACCOUNT_UNCLAIMED:
	case ACCOUNT_CLAIMED:
		return 409;
	case ACCOUNT_INVALID:
		return 400;
	case ACCOUNT_FAILED:
		break;
	}
	return 500;
}

/* Whoever stole the old password is to be out, wherever he came in. */
void api_end_sessions(struct api *api, const char *user)
{
	struct bus_request ask = { .type = BUS_PASSWORD, .fd = -1 };

	memcpy(ask.user, user, sizeof(ask.user));
	if (!bus_ask(api->bus, &ask))
		log_error("api: the sessions of %s go on, the Device is busy: disconnect them", user);
}

void api_tell_owner(struct api *api)
{
	struct bus_request ask = { .type = BUS_OWNER, .fd = -1 };

	bus_ask(api->bus, &ask);
}

void api_job_effects(struct api *api, const struct job *job, uint32_t login)
{
	api_manage_effects(api, job);
	api_ticket_effects(api, job);
	if (job->result != ACCOUNT_OK)
		return;
	if (job->type == JOB_CLAIM)
		api_tell_owner(api);
	if (job->type == JOB_RESET)
		api_end_sessions(api, job->user);
	if (job->type != JOB_PASSWORD)
		return;
	login_end_others(api->logins, job->user, login);
	api_end_sessions(api, job->user);
}

static void password_changed(struct web_request *request, const struct job *job)
{
	request->logins_changed = true;
	web_answer(request, 200, json_pack("{s:s}", "user", job->user));
}

static void reset_done(struct web_request *request)
{
	request->logins_changed = true;
	web_set_cookie(request, COOKIE, "");
	web_answer(request, 204, NULL);
}

void api_begin_login(struct api *api, struct web_request *request, const struct job *job, unsigned rights)
{
	char token[LOGIN_TOKEN_SIZE];

	if (!login_begin(api->logins, job->user, rights, token)) {
		web_error(request, 500, "The Device has no randomness: try again.");
		return;
	}
	if (request->login)
		login_end(api->logins, request->login);
	request->logins_changed = true;
	web_set_cookie(request, COOKIE, token);
	OPENSSL_cleanse(token, sizeof(token));
	rights = api_session_rights(api, rights);
	web_answer(request, 200,
		   json_pack("{s:s, s:o}", "user", job->user, "rights", ticket_rights_json(rights)));
}

void api_job_done(struct api *api, struct web_request *request, const struct job *job)
{
	if (job->type >= JOB_NETWORK)
		api_network_done(api, request, job);
	else if (job->type >= JOB_ADOPT)
		api_manage_done(api, request, job);
	else if (job->type >= JOB_TICKET)
		api_ticket_done(api, request, job);
	else if (job->result != ACCOUNT_OK)
		account_error(request, status_of(job->result, job->type), job->result);
	else if (job->type == JOB_RESET)
		reset_done(request);
	else if (job->type != JOB_PASSWORD)
		api_begin_login(api, request, job, RIGHTS_ALL);
	else
		password_changed(request, job);
}

static void run_logout(struct api *api, struct web_request *request)
{
	login_end(api->logins, request->login);
	request->logins_changed = true;
	web_set_cookie(request, COOKIE, "");
	web_answer(request, 204, NULL);
}

static void run_status(struct api *api, struct web_request *request)
{
	struct bus_request ask = { .type = BUS_STATUS, .cookie = request->id, .fd = -1 };

	if (!body_query(request->query, strlen(request->query), "hw_seq", &ask.min_hw_seq))
		web_error(request, 400, "The only parameter is hw_seq, a number.");
	else if (bus_ask(api->bus, &ask))
		request->wait_s = API_WAIT_S;
	else
		web_error(request, 503, "The Device is busy: try again.");
}

void api_status(struct api *api, struct web_request *request, const struct bus_status *status)
{
	request->status = 200;
	request->json = api_status_json(api, status, request);
}

void api_expire(struct api *api, struct web_request *request)
{
	struct bus_request cancel = { .type = BUS_CANCEL, .cookie = request->id, .fd = -1 };

	/* A full queue: the answer comes later, for an asker that is no longer there, and is dropped. */
	bus_ask(api->bus, &cancel);
	if (!request->status)
		web_error(request, 504, "That Frame did not reach every session within 10 seconds.");
}

static void run_disconnect(struct api *api, struct web_request *request)
{
	struct bus_request ask = { .type = BUS_DISCONNECT, .cookie = request->id, .fd = -1 };
	uint64_t id;

	snprintf(ask.user, sizeof(ask.user), "%s", request->user);
	if (!body_number(request->parameter, strlen(request->parameter), UINT32_MAX, &id)) {
		web_error(request, 404, "A session's name is its number.");
		return;
	}
	ask.session_id = (uint32_t)id;
	if (bus_ask(api->bus, &ask))
		web_answer(request, 204, NULL);
	else
		web_error(request, 503, "The Device is busy: try again.");
}

int api_may_upgrade(struct api *api, const struct web_caller *caller, unsigned right, struct login *login)
{
	const struct login *found = login_of(api, caller);
	unsigned rights = found ? api_session_rights(api, found->rights) : 0;

	if (!web_same_origin(caller))
		return 403;
	if (!account_claimed(api->accounts))
		return 409;
	if (!found)
		return 401;
	if ((rights & right) != right)
		return 403;
	*login = *found;
	login->rights = rights;
	return 0;
}
