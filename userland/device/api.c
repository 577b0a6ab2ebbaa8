// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Routes of the API and who may use them. HTTP itself is web_http.c's, passwords
 * and their limits are account.c's, JSON of the status is api_status.c's.
 */
#include "device/api_parts.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "lib/body.h"
#include "lib/log.h"
#include "lib/version.h"

#define COOKIE "__Host-kvmnet"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct api_route {
	struct web_route web;
	bool unclaimed; /* works before the claim */
	bool login;	/* needs one */
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
	{ { WEB_GET, "/api/v1/state", 0 }, true, false, run_state, 0, { NULL } },
	{ { WEB_POST, "/api/v1/claim", WEB_BODY },
	  true,
	  false,
	  run_job,
	  JOB_CLAIM,
	  { "code", "user", "password" } },
	{ { WEB_POST, "/api/v1/login", WEB_BODY }, false, false, run_job, JOB_LOGIN, { "user", "password" } },
	{ { WEB_POST, "/api/v1/logout", 0 }, false, true, run_logout, 0, { NULL } },
	{ { WEB_POST, "/api/v1/password", WEB_BODY },
	  false,
	  true,
	  run_job,
	  JOB_PASSWORD,
	  { "old_password", "new_password" } },
	{ { WEB_GET, "/api/v1/status", 0 }, false, true, run_status, 0, { NULL } },
	{ { WEB_DELETE, "/api/v1/sessions/*", 0 }, false, true, run_disconnect, 0, { NULL } },
	/* A renewal needs no login: manager.h. */
	{ { WEB_POST, "/api/v1/adoption", 2 * WEB_BODY }, false, false, api_run_adopt, 0, { NULL } },
	{ { WEB_DELETE, "/api/v1/adoption", 0 }, false, true, api_run_release, 0, { NULL } },
	{ { WEB_GET, "/api/v1/settings", 0 }, false, true, api_run_get_settings, 0, { NULL } },
	{ { WEB_PUT, "/api/v1/settings", WEB_BODY }, false, true, api_run_put_settings, 0, { NULL } },
};

static const struct api_route *route_of(const struct web_request *request)
{
	return (const struct api_route *)request->route;
}

static void account_error(struct web_request *request, int status, enum account_result result)
{
	web_error(request, status, account_text(result));
}

static const struct login *login_of(struct api *api, const struct web_caller *caller)
{
	size_t len;
	const char *token = web_cookie(caller, COOKIE, &len);

	return token ? login_find(api->logins, token, len) : NULL;
}

bool api_check(struct api *api, struct web_request *request)
{
	const struct login *login = login_of(api, &request->caller);

	if (!web_find_route(request, routes, COUNT(routes), sizeof(routes[0])) || !web_check_origin(request))
		return false;
	if (!route_of(request)->unclaimed && !account_claimed(api->accounts))
		account_error(request, 409, ACCOUNT_UNCLAIMED);
	else if (route_of(request)->login && !login)
		web_error(request, 401, "Log in first.");
	else
		web_check_body(request);
	if (login && !request->status) {
		request->login = login->id;
		snprintf(request->user, sizeof(request->user), "%s", login->user);
	}
	return !request->status;
}

/* What belongs to a login or opens one is a person's. */
bool api_check_manager(struct api *api, struct web_request *request)
{
	static const char login[] = "/api/v1/logout", password[] = "/api/v1/password";
	struct adoption *adoption;

	if (!web_find_route(request, routes, COUNT(routes), sizeof(routes[0])))
		return false;
	if (!route_of(request)->login || !strcmp(request->path, login) || !strcmp(request->path, password))
		web_error(request, 403, "This is for people who log in here.");
	else
		web_check_body(request);
	adoption = manager_adoption(api->manager);
	snprintf(request->user, sizeof(request->user), "%s", adoption ? adoption->name : "");
	adoption_free(adoption);
	return !request->status;
}

void api_run(struct api *api, struct web_request *request)
{
	route_of(request)->run(api, request);
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
	if (job->result != ACCOUNT_OK)
		return;
	if (job->type == JOB_CLAIM)
		api_tell_owner(api);
	if (job->type != JOB_PASSWORD)
		return;
	login_end_others(api->logins, job->user, login);
	api_end_sessions(api, job->user);
}

void api_job_done(struct api *api, struct web_request *request, const struct job *job)
{
	char token[LOGIN_TOKEN_SIZE];

	if (job->type >= JOB_ADOPT) {
		api_manage_done(api, request, job);
		return;
	}
	if (job->result != ACCOUNT_OK) {
		account_error(request, status_of(job->result, job->type), job->result);
		return;
	}
	if (job->type == JOB_PASSWORD) {
		request->logins_changed = true;
	} else if (login_begin(api->logins, job->user, token)) {
		if (request->login)
			login_end(api->logins, request->login);
		request->logins_changed = true;
		web_set_cookie(request, COOKIE, token);
		OPENSSL_cleanse(token, sizeof(token));
	} else {
		web_error(request, 500, "The Device has no randomness: try again.");
		return;
	}
	web_answer(request, 200, json_pack("{s:s}", "user", job->user));
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
	request->json = api_status_json(api, status, request->user);
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

int api_may_upgrade(struct api *api, const struct web_caller *caller, uint32_t *login, char *user)
{
	const struct login *found = login_of(api, caller);

	if (!web_same_origin(caller))
		return 403;
	if (!account_claimed(api->accounts))
		return 409;
	if (!found)
		return 401;
	*login = found->id;
	if (user)
		snprintf(user, USER_NAME_MAX + 1, "%s", found->user);
	return 0;
}
