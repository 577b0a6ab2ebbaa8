// SPDX-License-Identifier: GPL-2.0-or-later
/* Tickets for people, and the keys that Devices check them with. */
#include "manager/api_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "lib/log.h"

/* Where a browser opens the Device itself. */
static void url_of(const struct fleet_device *device, char *url, size_t size)
{
	const char *form = strchr(device->address, ':') ? "https://[%s]:%u/" : "https://%s:%u/";

	snprintf(url, size, form, device->address, device->port);
}

void api_run_ticket(struct api *api, struct web_request *request)
{
	struct fleet_device *device = api_device_of(api, request);
	struct ticket ticket = { .rights = TICKET_VIEW | TICKET_CONTROL | TICKET_MEDIA | TICKET_POWER };
	char url[FLEET_ADDRESS_SIZE + 24], *text;

	if (!device)
		return;
	if (!device->adopted) {
		web_error(request, 409, "This Device is not adopted.");
		return;
	}
	memcpy(ticket.manager, ca_id(api->stores.ca), sizeof(ticket.manager));
	memcpy(ticket.device, device->id, sizeof(ticket.device));
	snprintf(ticket.user, sizeof(ticket.user), "%s", request->user);
	/* Each Device has one Target, which goes by its name. */
	snprintf(ticket.target, sizeof(ticket.target), "%s", *device->name ? device->name : "Target");
	text = signer_sign(api->stores.signer, &ticket);
	if (!text) {
		web_error(request, 500, "The Ticket could not be signed: the Manager's log says why.");
		return;
	}
	url_of(device, url, sizeof(url));
	api_event(api, request->user, "open", device->id, ticket.target);
	web_answer(request, 200,
		   json_pack("{s:s, s:s, s:I, s:o}", "ticket", text, "url", url, "expires",
			     (json_int_t)ticket.expires, "rights", ticket_rights_json(ticket.rights)));
	OPENSSL_cleanse(text, strlen(text));
	free(text);
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

	if (device && status) {
		device->ready = true;
		api_renew_due(push->api);
	}
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

	if (!push)
		return;
	push->api = api;
	memcpy(push->id, device->id, sizeof(push->id));
	if (!link_ask(device->link, "PUT", "/api/v1/ticket-keys", signer_keys(api->stores.signer), pushed,
		      push))
		free(push);
}
