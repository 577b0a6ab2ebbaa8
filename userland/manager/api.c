// SPDX-License-Identifier: GPL-2.0-or-later
/* The server, the routes and who may use them, and the way of a request through a worker and back. */
#include "manager/api_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/version.h"
#include "manager/permission.h"
#include "manager/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PASSWORD_THREADS 1 /* each hash takes 19 MiB and 50 ms, and guesses are to be slow */
#define ADOPTION_THREADS 2
#define DIRECTORY_THREADS 4
#define FLEET_DESCRIPTORS 12000
#define REFUSALS_MAX 30 /* links, and log-ins that the directory was not there for, in the audit, in... */
#define REFUSALS_NS 60000000000ull

struct api_route {
	struct web_route web;
	enum permission permission;
	void (*run)(struct api *api, struct web_request *request);
};

static void run_state(struct api *api, struct web_request *request);

static const struct api_route routes[] = {
	{ { WEB_GET, "/api/v1/state", 0 }, PERMISSION_STATE, run_state },
	{ { WEB_POST, "/api/v1/claim", WEB_BODY }, PERMISSION_STATE, api_run_claim },
	{ { WEB_POST, "/api/v1/login", WEB_BODY }, PERMISSION_COME, api_run_login },
	{ { WEB_POST, "/api/v1/logout", 0 }, PERMISSION_LEAVE, api_run_logout },
	{ { WEB_GET, "/api/v1/account", 0 }, PERMISSION_LEAVE, api_run_account },
	{ { WEB_POST, "/api/v1/password", WEB_BODY }, PERMISSION_LEAVE, api_run_password },
	{ { WEB_GET, "/api/v1/targets", 0 }, PERMISSION_OPEN, api_run_targets },
	{ { WEB_POST, "/api/v1/targets/*/ticket", 0 }, PERMISSION_OPEN, api_run_ticket },
	{ { WEB_DELETE, "/api/v1/targets/*/sessions", 0 }, PERMISSION_MANAGE, api_run_end_sessions },
	{ { WEB_GET, "/api/v1/devices", 0 }, PERMISSION_MANAGE, api_run_devices },
	{ { WEB_POST, "/api/v1/devices/*/adoption", WEB_BODY }, PERMISSION_MANAGE, api_run_adopt },
	{ { WEB_DELETE, "/api/v1/devices/*/adoption", 0 }, PERMISSION_MANAGE, api_run_release },
	{ { WEB_GET, "/api/v1/settings", 0 }, PERMISSION_MANAGE, api_run_get_settings },
	{ { WEB_PUT, "/api/v1/settings", WEB_BODY }, PERMISSION_MANAGE, api_run_put_settings },
	{ { WEB_GET, "/api/v1/users", 0 }, PERMISSION_MANAGE, api_run_users },
	{ { WEB_POST, "/api/v1/users", WEB_BODY }, PERMISSION_MANAGE, api_run_add_user },
	{ { WEB_PUT, "/api/v1/users/*/type", WEB_BODY }, PERMISSION_MANAGE, api_run_user_type },
	{ { WEB_PUT, "/api/v1/users/*/password", WEB_BODY }, PERMISSION_MANAGE, api_run_user_password },
	{ { WEB_DELETE, "/api/v1/users/*", 0 }, PERMISSION_MANAGE, api_run_remove_user },
	{ { WEB_GET, "/api/v1/directory", 0 }, PERMISSION_MANAGE, api_run_get_directory },
	{ { WEB_PUT, "/api/v1/directory", WEB_BODY_MAX }, PERMISSION_MANAGE, api_run_put_directory },
	{ { WEB_PUT, "/api/v1/directory/mode", WEB_BODY }, PERMISSION_MANAGE, api_run_mode },
	{ { WEB_POST, "/api/v1/directory/preview", 0 }, PERMISSION_MANAGE, api_run_preview },
	{ { WEB_POST, "/api/v1/directory/import", 0 }, PERMISSION_MANAGE, api_run_import },
	{ { WEB_DELETE, "/api/v1/directory/gone", 0 }, PERMISSION_MANAGE, api_run_remove_gone },
	{ { WEB_GET, "/api/v1/groups", 0 }, PERMISSION_MANAGE, api_run_groups },
	{ { WEB_POST, "/api/v1/groups", WEB_BODY }, PERMISSION_MANAGE, api_run_put_group },
	{ { WEB_PUT, "/api/v1/groups/*", WEB_BODY }, PERMISSION_MANAGE, api_run_put_group },
	{ { WEB_DELETE, "/api/v1/groups/*", 0 }, PERMISSION_MANAGE, api_run_remove_group },
	{ { WEB_GET, "/api/v1/sets", 0 }, PERMISSION_MANAGE, api_run_sets },
	{ { WEB_POST, "/api/v1/sets", WEB_BODY }, PERMISSION_MANAGE, api_run_put_set },
	{ { WEB_PUT, "/api/v1/sets/*", WEB_BODY }, PERMISSION_MANAGE, api_run_put_set },
	{ { WEB_DELETE, "/api/v1/sets/*", 0 }, PERMISSION_MANAGE, api_run_remove_set },
	{ { WEB_GET, "/api/v1/audit", 0 }, PERMISSION_MANAGE, api_run_audit },
	{ { WEB_POST, "/api/v1/promotion", 0 }, PERMISSION_MANAGE, api_run_promote },
};

static const struct api_route *route_of(const struct web_request *request)
{
	return (const struct api_route *)request->route;
}

static const struct login *login_of(struct api *api, const struct web_caller *caller)
{
	size_t len;
	const char *token = web_cookie(caller, API_COOKIE, &len);

	return token ? login_find(api->logins, token, len) : NULL;
}

/* What changes nothing, who comes and goes, and its promotion. */
static bool works_on_secondary(const struct web_request *request)
{
	const struct api_route *route = route_of(request);

	return route->web.method == WEB_GET || route->run == api_run_login || route->run == api_run_logout ||
	       route->run == api_run_promote;
}

static bool check(void *arg, struct web_request *request)
{
	struct api *api = arg;
	const struct login *login = login_of(api, &request->caller);
	enum permission permission;
	enum account_type type;

	if (!web_find_route(request, routes, COUNT(routes), sizeof(routes[0])) || !web_check_origin(request))
		return false;
	permission = route_of(request)->permission;
	type = login ? (enum account_type)login->rights : 0;
	if (permission != PERMISSION_STATE && !account_claimed(api->stores.accounts))
		web_error(request, 409, account_text(ACCOUNT_UNCLAIMED));
	else if (!permission_given(permission, type) && !login)
		web_error(request, 401, "Log in first.");
	else if (!permission_given(permission, type))
		web_error(request, 403,
			  permission == PERMISSION_OPEN ?
				  "While the directory checks all others, you manage and open no Targets." :
				  "This is for administrators.");
	else if (*api->elsewhere && !works_on_secondary(request))
		web_error(request, 409, api->elsewhere);
	else
		web_check_body(request);
	if (login && !request->status) {
		request->login = login->id;
		request->rights = login->rights;
		snprintf(request->user, sizeof(request->user), "%s", login->user);
	}
	return !request->status;
}

static bool needs_login(const struct web_request *request)
{
	return request->login && !permission_given(route_of(request)->permission, 0);
}

/* A body may come long after its headers were judged. */
static void run(void *arg, struct web_request *request)
{
	struct api *api = arg;

	if (needs_login(request) && !login_alive(api->logins, request->login))
		web_error(request, 401, "Log in first.");
	else
		route_of(request)->run(api, request);
}

static void run_state(struct api *api, struct web_request *request)
{
	static const char *const roles[] = { "alone", "primary", "secondary" };

	web_answer(request, 200,
		   json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:s}", "claimed",
			     account_claimed(api->stores.accounts), "product", "kvmnet-manager", "version",
			     KVMNET_VERSION, "id", ca_id(api->stores.ca), "name", api->stores.name, "role",
			     roles[api->stores.role], "peer", api->stores.replication->peer));
}

json_t *api_body(const struct web_request *request)
{
	return json_loadb(request->body ? request->body : "", request->body_len, JSON_REJECT_DUPLICATES,
			  NULL);
}

/* ---- through a worker and back ---- */

void api_call_free(struct call *call)
{
	OPENSSL_cleanse(call->fields, sizeof(call->fields));
	X509_free(call->adopted.certificate);
	directory_settings_free(call->directory);
	directory_answer_clear(&call->answer);
	free(call->text);
	json_decref(call->json);
	json_decref(call->list);
	free(call);
}

/* Jobs that ran while this one waited may have made another of its asker, or removed him. */
static void call_run(struct job *job)
{
	struct call *call = (struct call *)job; /* its first member */

	call->refused =
		call->guarded ? account_is(call->api->stores.accounts, call->user, call->type) : ACCOUNT_OK;
	if (call->refused == ACCOUNT_OK)
		call->run(job);
}

static void call_done(struct job *job)
{
	struct call *call = (struct call *)job;
	struct api *api = call->api;
	struct web_request *request = call->request && job->ran ? web_find(api->web, call->request) : NULL;

	api->going_on = NULL;
	if (job->ran && call->refused == ACCOUNT_FAILED && request)
		web_error(request, 503, "The Manager cannot read its database: its log says why.");
	else if (job->ran && call->refused != ACCOUNT_OK && request)
		web_error(request, 401, "Log in first.");
	else if (job->ran && call->refused == ACCOUNT_OK && call->done)
		call->done(call, request);
	if (api->going_on == call)
		return;
	if (request)
		web_answered(api->web, request);
	api_call_free(call);
}

void api_go_on(struct job_queue *queue, struct call *call, struct web_request *request,
	       void (*run)(struct job *job), void (*done)(struct call *call, struct web_request *request))
{
	call->run = run;
	call->done = done;
	call->job.ran = false;
	if (queue && job_submit(queue, &call->job))
		call->api->going_on = call;
	else if (request)
		web_error(request, 503, API_BUSY);
}

struct call *api_call(struct api *api, struct web_request *request, void (*run)(struct job *job),
		      void (*done)(struct call *call, struct web_request *request))
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call) {
		if (request)
			web_error(request, 503, "The Manager is out of memory.");
		return NULL;
	}
	call->job = (struct job){ .run = call_run, .done = call_done };
	call->api = api;
	call->run = run;
	call->done = done;
	if (request) {
		call->request = request->id;
		call->peer = request->caller.peer;
		memcpy(call->user, request->user, sizeof(call->user));
		call->type = (enum account_type)request->rights;
		call->login = request->login;
		call->guarded = needs_login(request);
	}
	return call;
}

void api_submit(struct job_queue *queue, struct call *call, struct web_request *request)
{
	if (job_submit(queue, &call->job))
		return;
	api_call_free(call);
	if (request)
		web_error(request, 503, API_BUSY);
	else
		log_error("api: something could not be stored: too much to do");
}

bool api_fields(struct call *call, struct web_request *request, const char *const names[], unsigned count)
{
	const char *wrong = body_strings(request->body ? request->body : "", request->body_len, names, count,
					 call->fields);

	if (!wrong)
		return true;
	web_error(request, 400, wrong);
	api_call_free(call);
	return false;
}

static void store_event(struct job *job)
{
	struct call *call = (struct call *)job;

	store_add_event(call->api->stores.store, call->user, call->fields[0],
			*call->fields[1] ? call->fields[1] : NULL, call->fields[2]);
}

void api_event(struct api *api, const char *who, const char *what, const char *device, const char *text)
{
	struct call *call = *api->elsewhere ? NULL : api_call(api, NULL, store_event, NULL);

	if (!call) /* a Secondary's is in its log alone */
		return;
	/* Names that did not log in are anything at all, and may have been cut within a letter. */
	text_clean(who, call->user, sizeof(call->user));
	snprintf(call->fields[0], BODY_FIELD_SIZE, "%s", what);
	snprintf(call->fields[1], BODY_FIELD_SIZE, "%s", device ? device : "");
	text_clean(text, call->fields[2], BODY_FIELD_SIZE);
	api_submit(api->quick, call, NULL);
}

bool api_may_note_refusal(struct api *api)
{
	uint64_t now = loop_now_ns();

	if (now - api->refusals_since > REFUSALS_NS) {
		api->refusals_since = now;
		api->refusals = 0;
	}
	return api->refusals++ < REFUSALS_MAX;
}

static void link_event(struct link_site *site, const char *what, const char *device, const char *text)
{
	struct api *api = (struct api *)site;

	if (api_may_note_refusal(api))
		api_event(api, "", what, device, text);
}

/* ---- the server ---- */

void api_heard(struct api *api, const struct discovery_message *message, const char *address)
{
	bool room;

	pthread_mutex_lock(&api->mutex);
	room = api->heard_count < API_HEARD;
	if (room) {
		struct heard *heard = &api->heard[api->heard_count++];

		heard->message = *message;
		snprintf(heard->address, sizeof(heard->address), "%s", address);
	}
	pthread_mutex_unlock(&api->mutex);
	if (room)
		web_wake(api->web);
}

static void woken(void *arg)
{
	struct api *api = arg;

	job_settle(api->quick);
	job_settle(api->slow);
	job_settle(api->directory);
	pthread_mutex_lock(&api->mutex);
	for (unsigned i = 0; i < api->heard_count; i++)
		fleet_heard(&api->fleet, &api->heard[i].message, api->heard[i].address);
	api->heard_count = 0;
	pthread_mutex_unlock(&api->mutex);
}

static int set_up_tls(void *arg, SSL_CTX *ctx)
{
	struct api *api = arg;

	api->tls = ctx;
	return identity_use(api->stores.identity, ctx) ||
			       link_set_up_tls(ctx, ca_certificate(api->stores.ca)) ?
		       -1 :
		       0;
}

static void expire(void *arg, struct web_request *request)
{
	(void)arg, (void)request; /* nothing here waits for a time */
}

static void sweep(void *arg)
{
	api_renew_own(arg);
	api_renew_due(arg); /* no WebSocket here is a person's */
	api_ask_role(arg);
}

static const struct lws_protocols protocols[] = {
	{ .name = LINK_PROTOCOL, .callback = link_callback, .rx_buffer_size = 16384, .tx_packet_size = 16384 },
	{ .name = API_SHELL_PROTOCOL, .callback = api_shell_callback },
	{ 0 },
};

static bool open_server(struct api *api, const struct web_settings *settings)
{
	struct web_settings mine = *settings;

	mine.descriptors = FLEET_DESCRIPTORS;
	api->web_site = (struct web_site){
		.arg = api,
		.set_up_tls = set_up_tls,
		.check = check,
		.run = run,
		.expire = expire,
		.woken = woken,
		.sweep = sweep,
		.protocols = protocols,
	};
	api->web = web_open(&mine, &api->web_site);
	if (!api->web)
		return false;
	api->logins = login_table_new();
	api->quick = job_queue_new(PASSWORD_THREADS, web_wake, api->web);
	api->slow = job_queue_new(ADOPTION_THREADS, web_wake, api->web);
	api->directory = job_queue_new(DIRECTORY_THREADS, web_wake, api->web);
	if (api->logins && api->quick && api->slow && api->directory)
		return true;
	log_error("https: out of memory or threads");
	return false;
}

struct api *api_open(const struct api_stores *stores, const struct web_settings *settings)
{
	struct api *api = calloc(1, sizeof(*api));

	if (!api) {
		log_error("https: out of memory");
		return NULL;
	}
	pthread_mutex_init(&api->mutex, NULL);
	api->stores = *stores;
	api->fleet.ca = stores->ca;
	api_tell_elsewhere(api);
	api->site = (struct link_site){ &api->fleet, api_link_up, link_event,
					*api->elsewhere ? api->elsewhere : NULL };
	if (!store_settings(stores->store, &api->wanted, &api->revision) && !api_load_devices(api) &&
	    open_server(api, settings) && api_watch_shell(api))
		return api;
	api_close(api);
	return NULL;
}

int api_start(struct api *api)
{
	return web_start(api->web);
}

/* Connections, which may wait for jobs, and jobs, which may answer them, before what both use. */
void api_close(struct api *api)
{
	if (!api)
		return;
	web_stop(api->web);
	job_queue_free(api->directory);
	api->directory = NULL; /* what is left of the others goes on there no more */
	job_queue_free(api->slow);
	job_queue_free(api->quick);
	api->slow = api->quick = NULL;
	web_free(api->web);
	login_table_free(api->logins);
	fleet_clear(&api->fleet);
	free(api->wanted);
	pthread_mutex_destroy(&api->mutex);
	free(api);
}
