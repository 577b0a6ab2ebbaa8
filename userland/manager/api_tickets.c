// SPDX-License-Identifier: GPL-2.0-or-later
/* The Targets that a person may open, Tickets for them, and the keys that Devices check those with. */
#include "manager/api_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "lib/log.h"
#include "manager/permission.h"

/* Where a browser opens the Device itself. */
static void url_of(const struct fleet_device *device, char *url, size_t size)
{
	const char *form = strchr(device->address, ':') ? "https://[%s]:%u/" : "https://%s:%u/";

	snprintf(url, size, form, device->address, device->port);
}

/* ---- whose Targets ---- */

static void add_permitted(const char *device, void *arg)
{
	json_object_set_new(arg, device, json_true());
}

/* An administrator's are all. */
static void look_up(struct job *job)
{
	struct call *call = (struct call *)job;

	call->list = json_object();
	if (call->type != ACCOUNT_ADMINISTRATOR)
		call->error = store_permitted(call->api->stores.store, call->user, add_permitted, call->list);
}

static unsigned rights_of(const struct call *call, const struct fleet_device *device)
{
	return permission_rights(call->type, json_object_get(call->list, device->id));
}

static void targets_found(struct call *call, struct web_request *request)
{
	json_t *targets = json_array();

	for (struct fleet_device *device = call->api->fleet.devices; device; device = device->next) {
		unsigned rights = device->adopted ? rights_of(call, device) : 0;

		if (rights)
			json_array_append_new(targets, fleet_target_json(device, rights));
	}
	if (request && call->error)
		web_error(request, 500, "The Targets cannot be listed: the Manager's log says why.");
	else if (request)
		web_answer(request, 200, json_pack("{s:O}", "targets", targets));
	json_decref(targets);
}

void api_run_targets(struct api *api, struct web_request *request)
{
	struct call *call = api_call(api, request, look_up, targets_found);

	if (call)
		api_submit(api->quick, call, request);
}

/* ---- Tickets ---- */

static void sign(struct call *call, struct web_request *request, const struct fleet_device *device,
		 unsigned rights)
{
	const struct api_stores *stores = &call->api->stores;
	struct ticket ticket = { .rights = rights };
	char url[FLEET_ADDRESS_SIZE + 24], *text;

	memcpy(ticket.manager, ca_id(stores->ca), sizeof(ticket.manager));
	memcpy(ticket.device, device->id, sizeof(ticket.device));
	snprintf(ticket.user, sizeof(ticket.user), "%s", call->user);
	/* Each Device has one Target, which goes by its name. */
	snprintf(ticket.target, sizeof(ticket.target), "%s", *device->name ? device->name : "Target");
	text = signer_sign(stores->signer, &ticket);
	if (!text) {
		web_error(request, 500, "The Ticket could not be signed: the Manager's log says why.");
		return;
	}
	url_of(device, url, sizeof(url));
	api_event(call->api, call->user, "open", device->id, ticket.target);
	web_answer(request, 200,
		   json_pack("{s:s, s:s, s:I, s:o}", "ticket", text, "url", url, "expires",
			     (json_int_t)ticket.expires, "rights", ticket_rights_json(rights)));
	OPENSSL_cleanse(text, strlen(text));
	free(text);
}

/* Whoever may not open it is not told whether it is there. */
static void open_target(struct call *call, struct web_request *request)
{
	const struct fleet_device *device = fleet_find(&call->api->fleet, call->id);
	unsigned rights = device && device->adopted ? rights_of(call, device) : 0;

	if (call->view_only)
		rights &= TICKET_VIEW;
	if (!request)
		return;
	/* Removed or changed while this was looked up. */
	if (!login_alive(call->api->logins, call->login))
		web_error(request, 401, "Log in first.");
	else if (call->error)
		web_error(request, 500, "It is not known who may open it: the Manager's log says why.");
	else if (!rights)
		web_error(request, 404, "You have no such Target.");
	else
		sign(call, request, device, rights);
}

void api_run_ticket(struct api *api, struct web_request *request)
{
	uint64_t view_only;
	struct call *call;

	if (!body_query(request->query, strlen(request->query), "view_only", &view_only) || view_only > 1) {
		web_error(request, 400,
			  "The only parameter is view_only, which is 1 for a Ticket to watch with.");
		return;
	}
	call = api_call(api, request, look_up, open_target);
	if (!call)
		return;
	call->view_only = view_only;
	/* Another text is no Target's. */
	if (strlen(request->parameter) == sizeof(call->id) - 1)
		strcpy(call->id, request->parameter);
	api_submit(api->quick, call, request);
}

/* ---- taking back ---- */

void api_revoke(struct api *api, const char *user, const char *by)
{
	char path[sizeof("/api/v1/guests/?issued=") + USER_NAME_MAX + 20];
	const struct link_question drop = { "DELETE", path, by, NULL };

	snprintf(path, sizeof(path), "/api/v1/guests/%s?issued=%lld", user, (long long)time(NULL));
	for (struct fleet_device *device = api->fleet.devices; device; device = device->next)
		if (device->link && !link_ask(device->link, &drop, NULL, NULL))
			log_warn("link: \"%s\" has too much to do: sessions of %s may go on there",
				 device->name, user);
}

/* Each is told by whom. */
void api_run_end_sessions(struct api *api, struct web_request *request)
{
	struct fleet_device *device = api_device_of(api, request);
	const json_t *session;
	bool asked = true;
	size_t i;

	if (!device)
		return;
	if (!device->link) {
		web_error(request, 409, "The Device is not connected.");
		return;
	}
	json_array_foreach(json_object_get(device->status, "sessions"), i, session)
	{
		char path[48];
		const struct link_question drop = { "DELETE", path, request->user, NULL };

		snprintf(path, sizeof(path), "/api/v1/sessions/%lld",
			 (long long)json_integer_value(json_object_get(session, "id")));
		asked = link_ask(device->link, &drop, NULL, NULL) && asked;
	}
	api_event(api, request->user, "end sessions", device->id, asked ? "Done." : "Some: too many.");
	if (asked)
		web_answer(request, 204, NULL);
	else
		web_error(request, 503, "The Device has too much to do: try again.");
}

/* ---- keys ---- */

struct push {
	struct api *api;
	char id[CA_ID_SIZE];
};

static void pushed(void *arg, int status, const json_t *body)
{
	struct push *push = arg;
	struct fleet_device *device = fleet_find(&push->api->fleet, push->id);
	const char *why = json_string_value(json_object_get(body, "error"));
	char text[FLEET_WHY_SIZE];

	if (device && status)
		device->ready = true;
	if (device && status && status != 204) {
		snprintf(text, sizeof(text), "The Device does not take the keys of Tickets: %s",
			 why ? why : "it does not say why.");
		fleet_say(device, text);
		log_warn("link: \"%s\": %s", device->name, text);
	}
	free(push);
}

void api_push_keys(struct api *api, struct fleet_device *device)
{
	struct push *push = calloc(1, sizeof(*push));
	struct link_question put = { .method = "PUT", .path = "/api/v1/ticket-keys" };

	if (!push)
		return;
	push->api = api;
	memcpy(push->id, device->id, sizeof(push->id));
	put.body = signer_keys(api->stores.signer);
	if (!link_ask(device->link, &put, pushed, push))
		free(push);
}
