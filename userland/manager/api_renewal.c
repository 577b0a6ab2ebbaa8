// SPDX-License-Identifier: GPL-2.0-or-later
/* Certificates that are about to expire, the Manager's own and Devices': those are issued anew, brought over the link,
 * and kept once they are taken. */
#include "manager/api_parts.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#define RETRY_S 3600

struct renewal {
	struct api *api;
	char id[CA_ID_SIZE];
	X509 *certificate;
};

static void renewal_free(struct renewal *renewal)
{
	X509_free(renewal->certificate);
	free(renewal);
}

static void store_certificate(struct job *job)
{
	struct call *call = (struct call *)job;
	const X509 *certificate = call->adopted.certificate;
	char serial[CA_SERIAL_SIZE];
	bool changed;

	call->error = !ca_serial(certificate, serial) ||
		      store_set_device_certificate(call->api->stores.store, call->id, serial,
						   ca_starts(certificate), ca_ends(certificate), &changed);
}

/* The Device has it; should it not be kept here, the next renewal goes by what the Device shows. */
static void keep(struct renewal *renewal)
{
	struct call *call = api_call(renewal->api, NULL, store_certificate, NULL);

	if (!call)
		return;
	memcpy(call->id, renewal->id, sizeof(call->id));
	X509_up_ref(renewal->certificate);
	call->adopted.certificate = renewal->certificate;
	api_submit(renewal->api->quick, call, NULL);
}

static void brought(void *arg, int status, const json_t *body)
{
	struct renewal *renewal = arg;
	struct fleet_device *device = fleet_find(&renewal->api->fleet, renewal->id);
	const char *why = json_string_value(json_object_get(body, "error"));

	if (status == 200)
		keep(renewal);
	if (device && status == 200) {
		device->starts = ca_starts(renewal->certificate);
		api_event(renewal->api, "", "renew certificate", renewal->id, "Done.");
	} else if (device && status) {
		log_warn("link: \"%s\" does not take its new certificate: %s", device->name,
			 why ? why : "it does not say why.");
		api_event(renewal->api, "", "renew certificate", renewal->id, why ? why : "Refused.");
		device->renew = certificate_now() + RETRY_S;
	}
	renewal_free(renewal);
}

static json_t *body_of(X509 *certificate)
{
	char *text = certificate ? certificate_text(certificate) : NULL;
	json_t *body = text ? json_pack("{s:s}", "certificate", text) : NULL;

	free(text);
	return body;
}

static void renew(struct api *api, struct fleet_device *device)
{
	X509 *before = link_certificate(device->link);
	struct renewal *renewal = calloc(1, sizeof(*renewal));
	struct link_question put = { .method = "PUT", .path = "/api/v1/certificate" };

	device->renew = certificate_now() + RETRY_S;
	if (!renewal)
		return;
	renewal->api = api;
	memcpy(renewal->id, device->id, sizeof(renewal->id));
	renewal->certificate = ca_issue_device(api->stores.ca, X509_get0_pubkey(before), device->id,
					       device->name, ca_starts(before));
	put.body = body_of(renewal->certificate);
	if (!put.body || !link_ask(device->link, &put, brought, renewal))
		renewal_free(renewal);
}

void api_renew_due(struct api *api)
{
	int64_t now = certificate_now();

	for (struct fleet_device *device = api->fleet.devices; device; device = device->next)
		if (device->link && device->ready && device->renew <= now)
			renew(api, device);
}

/* TLS copies what it shows at the start of each connection, so those that are there go on with the old one. Writing
 * the file holds this thread up for a moment, once in most of a year. */
void api_renew_own(struct api *api)
{
	struct identity *identity = api->stores.identity;
	int64_t now = certificate_now();
	char fingerprint[96];

	if (ca_renewal(identity_certificate(identity)) >= now || api->renewal_due > now)
		return;
	api->renewal_due = now + RETRY_S;
	if (identity_renew(identity) || identity_use(identity, api->tls)) {
		api_event(api, "", "renew certificate", NULL,
			  "This Manager's own could not be renewed: its log says why.");
		return;
	}
	identity_fingerprint(identity, fingerprint);
	log_info("this Manager has a new certificate; its SHA-256 fingerprint: %s", fingerprint);
	api_event(api, "", "renew certificate", NULL, "This Manager has a new one.");
}
