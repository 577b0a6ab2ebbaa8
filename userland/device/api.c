// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Routes of the API and who may use them. HTTP itself is page_http.c's, passwords
 * and their limits are account.c's, JSON of the status is api_status.c's.
 */
#include "device/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "lib/body.h"
#include "lib/log.h"
#include "lib/version.h"

#define COOKIE "__Host-kvmnet"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct api_route {
	enum api_method method;
	const char *path; /* one that ends in / takes the rest as a parameter */
	bool unclaimed;	  /* works before the claim */
	bool login;	  /* needs one */
	void (*run)(struct api *api, struct api_request *request);
	enum job_type job;
	const char *fields[BODY_FIELDS_MAX]; /* its body's members, in job.c's order */
};

static void run_state(struct api *api, struct api_request *request);
static void run_job(struct api *api, struct api_request *request);
static void run_logout(struct api *api, struct api_request *request);
static void run_status(struct api *api, struct api_request *request);
static void run_disconnect(struct api *api, struct api_request *request);

static const struct api_route routes[] = {
	{ API_GET, "/api/v1/state", true, false, run_state, 0, { NULL } },
	{ API_POST, "/api/v1/claim", true, false, run_job, JOB_CLAIM, { "code", "user", "password" } },
	{ API_POST, "/api/v1/login", false, false, run_job, JOB_LOGIN, { "user", "password" } },
	{ API_POST, "/api/v1/logout", false, true, run_logout, 0, { NULL } },
	{ API_POST,
	  "/api/v1/password",
	  false,
	  true,
	  run_job,
	  JOB_PASSWORD,
	  { "old_password", "new_password" } },
	{ API_GET, "/api/v1/status", false, true, run_status, 0, { NULL } },
	{ API_DELETE, "/api/v1/sessions/", false, true, run_disconnect, 0, { NULL } },
};

static void answer(struct api_request *request, int status, json_t *json)
{
	request->status = status;
	request->json = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
}

void api_error(struct api_request *request, int status, const char *text)
{
	answer(request, status, json_pack("{s:s}", "error", text));
}

static void account_error(struct api_request *request, int status, enum account_result result)
{
	api_error(request, status, account_text(result));
}

static bool route_takes(const struct api_route *route, const char *path)
{
	size_t len = strlen(route->path);

	if (route->path[len - 1] == '/')
		return !strncmp(route->path, path, len) && path[len];
	return !strcmp(route->path, path);
}

/* RFC 6454: a page of another origin must not act for a person who is logged in here. Browsers send Origin with
 * every request that is not a GET, and with every WebSocket. */
static bool same_origin(const struct api_caller *caller)
{
	static const char scheme[] = "https://";
	size_t len = sizeof(scheme) - 1;

	return caller->host[0] && !strncmp(caller->origin, scheme, len) &&
	       !strcasecmp(caller->origin + len, caller->host);
}

static const struct login *login_of(struct api *api, const struct api_caller *caller)
{
	size_t len;
	const char *token = body_cookie(caller->cookie, strlen(caller->cookie), COOKIE, &len);

	return token ? login_find(api->logins, token, len) : NULL;
}

static bool check_body(struct api_request *request)
{
	static const char json[] = "application/json";
	size_t len = sizeof(json) - 1;
	char next = request->content_type[0] ? request->content_type[strnlen(request->content_type, len)] : 0;

	if (request->content_length > API_BODY_MAX)
		api_error(request, 413, "The body is larger than 16 KiB.");
	else if (strncasecmp(request->content_type, json, len) || (next && next != ';' && next != ' '))
		api_error(request, 415, "The body must be application/json.");
	return !request->status;
}

/* Every route of the path; the one with the method is taken. */
static bool find_route(struct api_request *request)
{
	bool known = false;

	for (unsigned i = 0; i < COUNT(routes); i++) {
		if (!route_takes(&routes[i], request->path))
			continue;
		known = true;
		if (routes[i].method == request->method)
			request->route = &routes[i];
	}
	if (!known)
		api_error(request, 404, "There is no such resource.");
	else if (!request->route)
		api_error(request, 405, "This resource has no such method.");
	return request->route;
}

bool api_has_body(const struct api_request *request)
{
	return request->route->fields[0];
}

bool api_check(struct api *api, struct api_request *request)
{
	const struct login *login = login_of(api, &request->caller);

	if (!find_route(request))
		return false;
	if (request->method != API_GET && !same_origin(&request->caller)) {
		api_error(request, 403, "The request comes from a page of another origin.");
	} else if (request->method == API_POST && request->content_length < 0) {
		api_error(request, 411, "The request must tell its Content-Length.");
	} else if (!request->route->unclaimed && !account_claimed(api->accounts)) {
		account_error(request, 409, ACCOUNT_UNCLAIMED);
	} else if (request->route->login && !login) {
		api_error(request, 401, "Log in first.");
	} else if (api_has_body(request)) {
		check_body(request);
	} else if (request->content_length > 0) {
		api_error(request, 400, "This resource takes no body.");
	}
	if (login && !request->status) {
		request->login = login->id;
		snprintf(request->user, sizeof(request->user), "%s", login->user);
	}
	return !request->status;
}

void api_run(struct api *api, struct api_request *request)
{
	request->route->run(api, request);
}

static void run_state(struct api *api, struct api_request *request)
{
	answer(request, 200,
	       json_pack("{s:b, s:s, s:s}", "claimed", account_claimed(api->accounts), "product", "kvmnet",
			 "version", KVMNET_VERSION));
}

static void run_job(struct api *api, struct api_request *request)
{
	const struct api_route *route = request->route;
	struct job job = { .id = request->id, .type = route->job, .peer = request->caller.peer };
	unsigned count = 0;
	const char *wrong;

	while (count < BODY_FIELDS_MAX && route->fields[count])
		count++;
	wrong = body_strings(request->body, request->body_len, route->fields, count, job.fields);
	snprintf(job.user, sizeof(job.user), "%s", request->user);
	if (wrong)
		api_error(request, 400, wrong);
	else if (!job_submit(api->jobs, &job))
		api_error(request, 503, "Too many people are logging in at this moment: try again.");
	OPENSSL_cleanse(&job, sizeof(job));
	OPENSSL_cleanse(request->body, request->body_len);
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

static void set_cookie(struct api_request *request, const char *token)
{
	snprintf(request->set_cookie, sizeof(request->set_cookie),
		 COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict%s", token,
		 token[0] ? "" : "; Max-Age=0");
}

/* Whoever stole the old password is to be out, wherever he came in. */
static void end_sessions(struct api *api, const char *user)
{
	struct bus_request ask = { .type = BUS_PASSWORD, .fd = -1 };

	memcpy(ask.user, user, sizeof(ask.user));
	if (!bus_ask(api->bus, &ask))
		log_error("api: the sessions of %s go on, the Device is busy: disconnect them", user);
}

/* A full queue: the next announcement that is due says it. */
static void tell_claimed(struct api *api)
{
	struct bus_request ask = { .type = BUS_CLAIMED, .fd = -1 };

	bus_ask(api->bus, &ask);
}

void api_job_effects(struct api *api, const struct job *job, uint32_t login)
{
	if (job->result != ACCOUNT_OK)
		return;
	if (job->type == JOB_CLAIM)
		tell_claimed(api);
	if (job->type != JOB_PASSWORD)
		return;
	login_end_others(api->logins, job->user, login);
	end_sessions(api, job->user);
}

void api_job_done(struct api *api, struct api_request *request, const struct job *job)
{
	char token[LOGIN_TOKEN_SIZE];

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
		set_cookie(request, token);
		OPENSSL_cleanse(token, sizeof(token));
	} else {
		api_error(request, 500, "The Device has no randomness: try again.");
		return;
	}
	answer(request, 200, json_pack("{s:s}", "user", job->user));
}

static void run_logout(struct api *api, struct api_request *request)
{
	login_end(api->logins, request->login);
	request->logins_changed = true;
	set_cookie(request, "");
	answer(request, 204, NULL);
}

static void run_status(struct api *api, struct api_request *request)
{
	struct bus_request ask = { .type = BUS_STATUS, .cookie = request->id, .fd = -1 };

	if (!body_query(request->query, strlen(request->query), "hw_seq", &ask.min_hw_seq))
		api_error(request, 400, "The only parameter is hw_seq, a number.");
	else if (bus_ask(api->bus, &ask))
		request->waits_for_frame = true;
	else
		api_error(request, 503, "The Device is busy: try again.");
}

void api_status(struct api_request *request, const struct bus_status *status)
{
	request->status = 200;
	request->json = api_status_json(status, request->user);
}

void api_expire(struct api *api, struct api_request *request)
{
	struct bus_request cancel = { .type = BUS_CANCEL, .cookie = request->id, .fd = -1 };

	/* A full queue: the answer comes later, for an asker that is no longer there, and is dropped. */
	bus_ask(api->bus, &cancel);
	if (!request->status)
		api_error(request, 504, "That Frame did not reach every session within 10 seconds.");
}

static void run_disconnect(struct api *api, struct api_request *request)
{
	const char *text = request->path + strlen(request->route->path);
	struct bus_request ask = { .type = BUS_DISCONNECT, .cookie = request->id, .fd = -1 };
	uint64_t id;

	snprintf(ask.user, sizeof(ask.user), "%s", request->user);
	if (!body_number(text, strlen(text), UINT32_MAX, &id)) {
		api_error(request, 404, "A session's name is its number.");
		return;
	}
	ask.session_id = (uint32_t)id;
	if (bus_ask(api->bus, &ask))
		answer(request, 204, NULL);
	else
		api_error(request, 503, "The Device is busy: try again.");
}

void api_forget(struct api_request *request)
{
	OPENSSL_cleanse(request->body, request->body_len);
	OPENSSL_cleanse(request->caller.cookie, sizeof(request->caller.cookie));
	OPENSSL_cleanse(request->set_cookie, sizeof(request->set_cookie));
	free(request->json);
	request->json = NULL;
}

int api_may_upgrade(struct api *api, const struct api_caller *caller, uint32_t *login, char *user)
{
	const struct login *found = login_of(api, caller);

	if (!same_origin(caller))
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
