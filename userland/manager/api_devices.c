// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices: the list, adoption and release, and the settings that they are to have. */
#include "manager/api_parts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"

#define TIMEOUT_MAX_S 604800
#define MANAGERS_MAX 8
#define MANAGER_SIZE 198

/* ---- the list ---- */

static void load_device(const struct store_device *stored, void *arg)
{
	struct api *api = arg;
	struct fleet_device *device = fleet_get(&api->fleet, stored->id);

	if (!device)
		return;
	fleet_set_adopted(&api->fleet, device, true);
	snprintf(device->name, sizeof(device->name), "%s", stored->name);
	snprintf(device->model, sizeof(device->model), "%s", stored->model);
	snprintf(device->firmware, sizeof(device->firmware), "%s", stored->firmware);
	snprintf(device->address, sizeof(device->address), "%s", stored->address);
	device->port = (uint16_t)stored->port;
	device->starts = stored->starts;
	device->settings_revision = stored->settings_revision;
	fleet_say(device, "It has not connected since the Manager was started.");
}

int api_load_devices(struct api *api)
{
	return store_devices(api->stores.store, load_device, api);
}

void api_run_devices(struct api *api, struct web_request *request)
{
	web_answer(request, 200, fleet_json(&api->fleet));
}

struct fleet_device *api_device_of(struct api *api, struct web_request *request)
{
	struct fleet_device *device = fleet_find(&api->fleet, request->parameter);

	if (!device)
		web_error(request, 404, "This Manager knows no such Device.");
	return device;
}

/* ---- adoption ---- */

#define OWN_MAX 8 /* addresses of ours that a Device is told */

struct own {
	unsigned count;
	char text[OWN_MAX][ADOPT_TEXT_SIZE];
};

/* Good on one link only, and only with the name that the other side has for it. */
static bool is_link_local(const struct sockaddr *address)
{
	const struct sockaddr_in6 *in6 = (const void *)address;

	return address->sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr);
}

static void add_own(struct own *own, const struct sockaddr *address, uint16_t port)
{
	socklen_t len =
		address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	char host[INET6_ADDRSTRLEN + 20];

	if (own->count == OWN_MAX || is_link_local(address) ||
	    getnameinfo(address, len, host, sizeof(host), NULL, 0, NI_NUMERICHOST))
		return;
	snprintf(own->text[own->count++], ADOPT_TEXT_SIZE, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
		 port);
}

/* Those of the interface that a link-local address is on. */
static void add_interface(struct own *own, unsigned index, uint16_t port)
{
	struct ifaddrs *all, *at;
	char name[IF_NAMESIZE];

	if (!if_indextoname(index, name) || getifaddrs(&all))
		return;
	for (at = all; at; at = at->ifa_next)
		if (at->ifa_addr && !strcmp(at->ifa_name, name) &&
		    (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6))
			add_own(own, at->ifa_addr, port);
	freeifaddrs(all);
}

/* The address of ours that packets to that host come from: there it finds us. */
static void own_addresses(const char *host, uint16_t port, uint16_t own_port, struct own *own)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM,
					.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct sockaddr_storage source = { 0 };
	const struct sockaddr_in6 *in6 = (const void *)&source;
	socklen_t len = sizeof(source);
	struct addrinfo *peer;
	char service[8];
	int fd;

	own->count = 0;
	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &peer))
		return;
	fd = socket(peer->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, peer->ai_addr, peer->ai_addrlen) &&
	    !getsockname(fd, (struct sockaddr *)&source, &len)) {
		add_own(own, (struct sockaddr *)&source, own_port);
		if (!own->count && source.ss_family == AF_INET6)
			add_interface(own, in6->sin6_scope_id, own_port);
	}
	if (fd >= 0)
		close(fd);
	freeaddrinfo(peer);
}

static void store_adopted(struct call *call)
{
	const X509 *certificate = call->adopted.certificate;
	char serial[CA_SERIAL_SIZE] = "", now[24];
	time_t seconds = time(NULL);
	struct tm tm;
	const struct store_device device = {
		.id = call->id,
		.name = call->name,
		.address = call->host,
		.model = "",
		.firmware = "",
		.state = "adopted",
		.serial = serial,
		.adopted_at = now,
		.adopted_by = call->user,
		.port = call->port,
		.starts = ca_starts(certificate),
		.ends = ca_ends(certificate),
	};

	ca_serial(certificate, serial);
	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
	call->starts = device.starts;
	call->error = store_put_device(call->api->stores.store, &device);
}

static void adopt_now(struct job *job)
{
	struct call *call = (struct call *)job;
	const struct api_stores *stores = &call->api->stores;
	const char *addresses[OWN_MAX + 1] = { NULL };
	struct own own;
	const struct adopt_request request = {
		.ca = stores->ca,
		.host = call->host,
		.port = call->port,
		.seconds = ADOPT_SECONDS,
		.id = call->id,
		.code = call->by_code ? call->fields[0] : NULL,
		.user = call->by_code ? NULL : call->fields[0],
		.password = call->by_code ? NULL : call->fields[1],
		.device_name = call->name,
		.manager_name = stores->name,
		.addresses = addresses,
		.after = (time_t)call->starts,
	};

	own_addresses(call->host, call->port, stores->port, &own);
	if (own.count && own.count < OWN_MAX && stores->replication->paired)
		snprintf(own.text[own.count++], ADOPT_TEXT_SIZE,
			 strchr(stores->replication->peer, ':') ? "[%s]:%u" : "%s:%u",
			 stores->replication->peer, stores->port);
	if (!own.count) {
		call->adopted.result = ADOPT_UNREACHABLE;
		snprintf(call->adopted.text, sizeof(call->adopted.text),
			 "There is no way to %s from here that it could come back on.", call->host);
		return;
	}
	for (unsigned i = 0; i < own.count; i++)
		addresses[i] = own.text[i];
	adopt(&request, &call->adopted);
	if (call->adopted.result == ADOPT_DONE)
		store_adopted(call);
}

static int status_of(const struct adopt_answer *answer)
{
	static const int statuses[] = {
		[ADOPT_DONE] = 200,    [ADOPT_INVALID] = 400, [ADOPT_UNREACHABLE] = 504, [ADOPT_OTHER] = 409,
		[ADOPT_REFUSED] = 502, [ADOPT_ODD] = 502,     [ADOPT_FAILED] = 500,
	};

	/* What the administrator can mend by typing it again, and what by waiting. */
	if (answer->result == ADOPT_REFUSED && (answer->status == 401 || answer->status == 403))
		return 403;
	if (answer->result == ADOPT_REFUSED && (answer->status == 409 || answer->status == 429))
		return (int)answer->status;
	return statuses[answer->result];
}

static void adopted(struct call *call, struct web_request *request)
{
	const struct adopt_answer *answer = &call->adopted;
	bool done = answer->result == ADOPT_DONE;
	/* Others may have pushed it out of the list meanwhile. */
	struct fleet_device *device =
		done ? fleet_get(&call->api->fleet, call->id) : fleet_find(&call->api->fleet, call->id);

	api_event(call->api, call->user, "adopt", call->id, done ? "Done." : answer->text);
	if (done && device) {
		fleet_set_adopted(&call->api->fleet, device, true);
		if (!*device->name)
			memcpy(device->name, call->name, sizeof(device->name));
		memcpy(device->address, call->host, sizeof(device->address));
		device->port = call->port;
		device->starts = call->starts;
		device->settings_revision = 0;
		fleet_say(device, "It has not connected yet.");
	}
	if (!request)
		return;
	if (!done)
		web_error(request, status_of(answer), answer->text);
	else if (call->error)
		web_error(
			request, 500,
			"The Device is adopted, but this could not be stored: the Manager's log says why. Adopt it again.");
	else
		web_answer(request, 200, json_pack("{s:s}", "id", call->id));
}

void api_run_adopt(struct api *api, struct web_request *request)
{
	static const char *const code[] = { "code" }, *const owner[] = { "user", "password" };
	struct fleet_device *device = api_device_of(api, request);
	struct call *call = device ? api_call(api, request, adopt_now, adopted) : NULL;
	json_t *body;

	if (!call)
		return;
	body = api_body(request);
	call->by_code = json_object_get(body, "code");
	json_decref(body);
	memcpy(call->id, device->id, sizeof(call->id));
	/* One that has moved is adopted where it is now. */
	memcpy(call->host, device->heard_port ? device->heard_address : device->address, sizeof(call->host));
	memcpy(call->name, device->name, sizeof(call->name));
	call->port = device->heard_port ? device->heard_port : device->port;
	call->starts = device->starts;
	if (call->by_code ? api_fields(call, request, code, 1) : api_fields(call, request, owner, 2))
		api_submit(api->slow, call, request);
}

/* ---- release ---- */

static void forget(struct job *job)
{
	struct call *call = (struct call *)job;
	bool removed;

	call->error = store_remove_device(call->api->stores.store, call->id, &removed);
}

static void forgotten(struct call *call, struct web_request *request)
{
	struct fleet_device *device = fleet_find(&call->api->fleet, call->id);

	if (!call->error) {
		api_event(call->api, call->user, "release", call->id, "Done.");
		if (device) {
			fleet_set_adopted(&call->api->fleet, device, false);
			fleet_say(device, "");
		}
		if (device && device->link)
			link_refuse(device->link, 4404, "This Manager has released the Device.");
	}
	if (request && call->error)
		web_error(request, 500, "It could not be stored: the Manager's log says why.");
	else if (request)
		web_answer(request, 204, NULL);
}

/* What the Device said of its release; only then is it forgotten here. */
static void released(void *arg, int status, const json_t *body)
{
	struct call *call = arg;
	struct web_request *request = web_find(call->api->web, call->request);
	const char *why = json_string_value(json_object_get(body, "error"));
	struct api *api = call->api;

	if (status == 204) {
		call->guarded = false; /* the Device has done it: whoever asked, it is released */
		api_submit(api->quick, call, request);
	} else {
		if (request)
			web_error(request, 502,
				  why ? why :
					"The connection to the Device was lost before it was released.");
		free(call);
	}
	if (request && request->status)
		web_answered(api->web, request);
}

void api_run_release(struct api *api, struct web_request *request)
{
	const struct link_question release = { "DELETE", "/api/v1/adoption", request->user, NULL };
	struct fleet_device *device = api_device_of(api, request);
	struct call *call;
	uint64_t without;

	if (!device)
		return;
	if (!body_query(request->query, strlen(request->query), "without", &without) || without > 1) {
		web_error(request, 400,
			  "The only parameter is without, which is 1 to release it here alone.");
	} else if (!device->adopted) {
		web_error(request, 409, "This Device is not adopted.");
	} else if (!device->link && !without) {
		web_error(request, 409, "The Device is not connected, and would not learn of its release.");
	} else {
		call = api_call(api, request, forget, forgotten);
		if (!call)
			return;
		memcpy(call->id, device->id, sizeof(call->id));
		if (without)
			api_submit(api->quick, call, request);
		else if (!link_ask(device->link, &release, released, call)) {
			free(call);
			web_error(request, 503, "The Device has too much to do: try again.");
		}
	}
}

/* ---- settings ---- */

struct push {
	struct api *api;
	char id[CA_ID_SIZE];
	int64_t revision;
};

static void store_revision(struct job *job)
{
	struct call *call = (struct call *)job;
	bool changed;

	store_set_device_revision(call->api->stores.store, call->id, call->revision, &changed);
}

static void confirmed(struct push *push)
{
	struct call *call = api_call(push->api, NULL, store_revision, NULL);

	if (!call)
		return;
	memcpy(call->id, push->id, sizeof(call->id));
	call->revision = push->revision;
	api_submit(push->api->quick, call, NULL);
}

static void pushed(void *arg, int status, const json_t *body)
{
	struct push *push = arg;
	struct fleet_device *device = fleet_find(&push->api->fleet, push->id);
	const char *why = json_string_value(json_object_get(body, "error"));
	char text[FLEET_WHY_SIZE];

	if (device && status == 200) {
		device->settings_revision = push->revision;
		fleet_say(device, "");
		confirmed(push);
	} else if (device && status) {
		snprintf(text, sizeof(text), "The Device does not take its settings: %s",
			 why ? why : "it does not say why.");
		fleet_say(device, text);
		log_warn("link: \"%s\": %s", device->name, text);
	}
	free(push);
}

/* Its name is its own: it stays as the Device has it. */
static void read_before_push(void *arg, int status, const json_t *body)
{
	struct push *push = arg;
	struct fleet_device *device = fleet_find(&push->api->fleet, push->id);
	json_t *settings = json_loads(push->api->wanted, 0, NULL), *name = json_object_get(body, "name");

	if (device && device->link && status == 200 && json_is_string(name) && settings) {
		const struct link_question put = { "PUT", "/api/v1/settings", NULL, settings };

		push->revision = push->api->revision;
		json_object_set_new(settings, "revision", json_integer(push->revision));
		json_object_set(settings, "name", name);
		if (link_ask(device->link, &put, pushed, push))
			return;
	} else {
		json_decref(settings);
	}
	free(push);
}

static void push_settings(struct api *api, struct fleet_device *device)
{
	static const struct link_question get = { "GET", "/api/v1/settings", NULL, NULL };
	struct push *push;

	if (!api->revision || device->settings_revision == api->revision)
		return;
	push = calloc(1, sizeof(*push));
	if (!push)
		return;
	push->api = api;
	memcpy(push->id, device->id, sizeof(push->id));
	if (!link_ask(device->link, &get, read_before_push, push))
		free(push);
}

void api_link_up(struct link_site *site, struct fleet_device *device)
{
	struct api *api = (struct api *)site;

	api_push_keys(api, device);
	push_settings(api, device);
}

static json_t *settings_json(const struct api *api)
{
	json_t *json = json_loads(api->wanted, 0, NULL);

	if (json)
		json_object_set_new(json, "revision", json_integer(api->revision));
	return json;
}

void api_run_get_settings(struct api *api, struct web_request *request)
{
	web_answer(request, 200, settings_json(api));
}

static const char *settings_wrong(const json_t *json)
{
	const json_t *timeout = json_object_get(json, "session_timeout_s"),
		     *managers = json_object_get(json, "managers");
	const json_t *entry;
	size_t i;

	if (json_object_size(json) != 2)
		return "Settings are session_timeout_s and managers, and nothing else.";
	if (!json_is_integer(timeout) || json_integer_value(timeout) < 0 ||
	    json_integer_value(timeout) > TIMEOUT_MAX_S)
		return "The member session_timeout_s must be 0 to 604800 seconds.";
	if (!json_is_array(managers) || json_array_size(managers) > MANAGERS_MAX)
		return "The member managers must be a list of up to 8 host names or addresses of this Manager.";
	json_array_foreach(managers, i, entry) if (
		!json_string_length(entry) ||
		json_string_length(entry) >=
			MANAGER_SIZE) return "One of the members of managers is neither HOST nor HOST:PORT.";
	return NULL;
}

static void put_settings(struct job *job)
{
	struct call *call = (struct call *)job;

	call->error = store_put_settings(call->api->stores.store, call->text, &call->revision);
}

static void settings_put(struct call *call, struct web_request *request)
{
	struct api *api = call->api;

	if (!call->error) {
		free(api->wanted);
		api->wanted = call->text;
		api->revision = call->revision;
		call->text = NULL;
		api_event(api, call->user, "settings", NULL, api->wanted);
		for (struct fleet_device *device = api->fleet.devices; device; device = device->next)
			if (device->link)
				push_settings(api, device);
	}
	if (request && call->error)
		web_error(request, 500, "They could not be stored: the Manager's log says why.");
	else if (request)
		web_answer(request, 200, settings_json(api));
}

void api_run_put_settings(struct api *api, struct web_request *request)
{
	json_t *body = api_body(request);
	const char *wrong = settings_wrong(body);
	struct call *call = wrong ? NULL : api_call(api, request, put_settings, settings_put);

	if (wrong)
		web_error(request, 400, wrong);
	if (call) {
		call->text = json_dumps(body, JSON_COMPACT);
		api_submit(api->quick, call, request);
	}
	json_decref(body);
}
