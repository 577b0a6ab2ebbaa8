// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a job to the helper's call and back. The helper's side is helper_network.c, the form of requests
 * network_form.c, what the kernel says network_state.c.
 */
#include "device/network.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"

#define PATIENCE_S 15 /* the helper waits for systemd, but at most 10 s */

/* ---- the helper ---- */

/* Of len bytes, its answer of just size bytes. 0 or -errno. */
static int exchange(int fd, const void *message, size_t len, uint8_t *answer, size_t size)
{
	static const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = HELPER_SOCKET };
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	ssize_t n;

	/* A connection waits too, when others wait that the helper has not taken. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    send(fd, message, len, MSG_NOSIGNAL) < 0)
		return -errno;
	n = recv(fd, answer, size, MSG_TRUNC);
	if (n < 0)
		return -errno;
	/* Of an answer that is an error there is but the status. */
	return n == (ssize_t)size || (n == 1 && answer[0]) ? 0 : -EPROTO;
}

/* The page asks every two seconds. */
static void log_failure(int error)
{
	static _Atomic int last;

	if (atomic_exchange(&last, error) != error && error)
		log_warn("network: asking %s: %s", HELPER_SOCKET, strerror(-error));
}

/* 0, an errno that the helper answers, or -errno: it did not. */
static int ask(const void *message, size_t len, uint8_t *answer, size_t size)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int error = fd < 0 ? -errno : 0;

	if (!error)
		error = exchange(fd, message, len, answer, size);
	if (fd >= 0)
		close(fd);
	log_failure(error);
	return error ? error : answer[0];
}

static int call(enum helper_call what)
{
	const uint8_t message = (uint8_t)what;
	uint8_t answer;

	return ask(&message, 1, &answer, 1);
}

static int call_try(const struct network_settings *settings)
{
	uint8_t message[1 + sizeof(*settings)] = { HELPER_TRY }, answer;

	memcpy(message + 1, settings, sizeof(*settings));
	return ask(message, sizeof(message), &answer, 1);
}

static int call_look(struct helper_network *look)
{
	const uint8_t message = HELPER_LOOK;
	uint8_t answer[1 + sizeof(*look)];
	int error = ask(&message, 1, answer, sizeof(answer));

	if (!error)
		memcpy(look, answer + 1, sizeof(*look));
	return error;
}

/* ---- does the trial hold? ---- */

static bool is_of(const struct network_address *address, const struct network_family *family)
{
	return family->way == NETWORK_STATIC && address->prefix == family->prefix &&
	       !memcmp(address->address, family->address, sizeof(family->address));
}

static bool has_gateway(const struct network_interface *interface, const struct network_family *family,
			bool v6)
{
	char text[INET6_ADDRSTRLEN];
	bool there = network_is_zero(family->gateway, sizeof(family->gateway));

	inet_ntop(v6 ? AF_INET6 : AF_INET, family->gateway, text, sizeof(text));
	for (unsigned i = 0; i < interface->gateway_count; i++)
		there |= !strcmp(interface->gateways[i], text);
	return there;
}

static bool has_static(const struct network_interface *interface, const struct network_family *family,
		       bool v6)
{
	for (unsigned i = 0; i < interface->address_count; i++) {
		const struct network_address *address = &interface->addresses[i];

		if (address->v6 == v6 && address->usable && is_of(address, family))
			return has_gateway(interface, family, v6);
	}
	return false;
}

/* networkd takes a moment to read what it was told, and then takes away what it had set before. */
static bool has_old(const struct network_interface *interface, const struct network_family *family,
		    const struct network_family *kept, bool v6)
{
	for (unsigned i = 0; i < interface->address_count; i++) {
		const struct network_address *address = &interface->addresses[i];

		if (address->v6 != v6 || address->link_local)
			continue;
		/* Of those that come by themselves nobody can tell. */
		if (family->way == NETWORK_AUTO ? kept && address->lasting && is_of(address, kept) :
						  !is_of(address, family))
			return true;
	}
	return false;
}

static bool has_given(const struct network_interface *interface, bool v6)
{
	for (unsigned i = 0; i < interface->address_count; i++) {
		const struct network_address *address = &interface->addresses[i];

		if (address->v6 == v6 && address->usable && !address->lasting && !address->link_local)
			return true;
	}
	return false;
}

bool network_has(const struct network_interface *interface, const struct network_settings *settings,
		 const struct network_settings *kept)
{
	bool static4 = settings->v4.way == NETWORK_STATIC, static6 = settings->v6.way == NETWORK_STATIC;

	if (has_old(interface, &settings->v4, kept ? &kept->v4 : NULL, false) ||
	    has_old(interface, &settings->v6, kept ? &kept->v6 : NULL, true))
		return false;
	if ((static4 && !has_static(interface, &settings->v4, false)) ||
	    (static6 && !has_static(interface, &settings->v6, true)))
		return false;
	return static4 || static6 || (settings->v4.way == NETWORK_AUTO && has_given(interface, false)) ||
	       (settings->v6.way == NETWORK_AUTO && has_given(interface, true));
}

static const struct network_settings *kept_of(const struct helper_network *helper, const uint8_t *mac)
{
	for (unsigned i = 0; i < helper->count && i < HELPER_INTERFACES; i++)
		if (!memcmp(helper->kept[i].mac, mac, NETWORK_MAC_SIZE))
			return &helper->kept[i];
	return NULL;
}

static bool trial_holds(const struct network_interface *interface, const struct helper_network *helper)
{
	return helper->trial_holds && interface &&
	       network_has(interface, &helper->trial, kept_of(helper, helper->trial.mac));
}

static const struct network_interface *of_mac(const struct network_state *state, const uint8_t *mac)
{
	for (unsigned i = 0; i < state->count; i++)
		if (!memcmp(state->interfaces[i].mac, mac, NETWORK_MAC_SIZE))
			return &state->interfaces[i];
	return NULL;
}

/* ---- JSON ---- */

static const char *source_of(const struct network_address *address)
{
	if (address->link_local)
		return "link_local";
	if (address->lasting)
		return "static";
	return address->v6 ? "auto" : "dhcp";
}

static json_t *interface_json(const struct network_interface *interface, const struct helper_network *helper)
{
	const struct network_settings *kept;
	json_t *addresses = json_array(), *gateways = json_array(), *json;
	char mac[NETWORK_MAC_TEXT_SIZE], text[INET6_ADDRSTRLEN];

	for (unsigned i = 0; i < interface->address_count; i++) {
		const struct network_address *address = &interface->addresses[i];

		inet_ntop(address->v6 ? AF_INET6 : AF_INET, address->address, text, sizeof(text));
		json_array_append_new(addresses, json_pack("{s:s, s:i, s:s, s:b}", "address", text, "prefix",
							   address->prefix, "source", source_of(address),
							   "usable", address->usable));
	}
	for (unsigned i = 0; i < interface->gateway_count; i++)
		json_array_append_new(gateways, json_string(interface->gateways[i]));
	network_mac_text(interface->mac, mac);
	json = json_pack("{s:s, s:s, s:b, s:b, s:o, s:o}", "name", interface->name, "mac", mac, "up",
			 interface->up, "carrier", interface->carrier, "addresses", addresses, "gateways",
			 gateways);
	kept = helper ? kept_of(helper, interface->mac) : NULL;
	if (kept)
		json_object_set_new(json, "settings", network_form_json(kept));
	return json;
}

static json_t *trial_json(const struct network_state *state, const struct helper_network *helper)
{
	const struct network_interface *interface = of_mac(state, helper->trial.mac);

	return json_pack("{s:s, s:i, s:b, s:o}", "interface", interface ? interface->name : "?", "left_s",
			 helper->trial_left_s, "holds", trial_holds(interface, helper), "settings",
			 network_form_json(&helper->trial));
}

json_t *network_json(const struct network_state *state, const struct helper_network *helper)
{
	json_t *interfaces = json_array(), *dns = json_array();
	json_t *json = json_pack("{s:s, s:b, s:o, s:o}", "host_name", state->host, "changeable",
				 helper != NULL, "interfaces", interfaces, "dns", dns);

	for (unsigned i = 0; json && i < state->count; i++)
		json_array_append_new(interfaces, interface_json(&state->interfaces[i], helper));
	for (unsigned i = 0; json && i < state->dns_count; i++)
		json_array_append_new(dns, json_string(state->dns[i]));
	if (helper && helper->trial_left_s)
		json_object_set_new(json, "trial", trial_json(state, helper));
	return json;
}

/* ---- jobs ---- */

static void refuse(struct job *job, int status, const char *why)
{
	job->status = status;
	job->why = why;
}

/* Whatever the helper did not do. */
static void failed(struct job *job, int error)
{
	if (error == ENOENT)
		refuse(job, 409,
		       "No new network settings are on trial: they have gone back already, or were kept.");
	else if (error == EAGAIN)
		refuse(job, 409, "The new network settings do not hold yet: try again in a moment.");
	else if (error == ENOSPC)
		refuse(job, 409, "Settings are kept for 8 other interfaces already.");
	else if (error < 0)
		refuse(job, 503,
		       "The Device's root helper does not answer: is kvmnet-helper.service running? Its journal says.");
	else
		refuse(job, 500,
		       "It could not be set or stored. The journal of kvmnet-helper.service says why.");
}

static void look(struct job *job)
{
	struct helper_network helper;
	struct network_state state;
	bool there;

	if (network_state_read(&state)) {
		refuse(job, 500, "The kernel does not say how the network is. The Device's log says why.");
		return;
	}
	there = !call_look(&helper);
	job->status = 200;
	job->answer = network_json(&state, there ? &helper : NULL);
}

static void try(struct job *job)
{
	struct network_settings *settings = &job->network.settings;
	const struct network_interface *interface;
	struct network_state state;
	const char *wrong;
	int error;

	interface = network_state_read(&state) ? NULL : network_state_find(&state, job->network.interface);
	if (!interface) {
		refuse(job, 400, "This Device has no Ethernet interface of that name.");
		return;
	}
	memcpy(settings->mac, interface->mac, sizeof(settings->mac));
	wrong = network_check(settings);
	if (wrong) {
		refuse(job, 400, wrong);
		return;
	}
	error = call_try(settings);
	if (error)
		failed(job, error);
	else
		look(job);
}

/* Whoever could ask this is not cut off, as long as the new settings hold: the old ones are gone by then. */
static void keep(struct job *job)
{
	struct helper_network helper;
	const struct network_interface *interface;
	struct network_state state;
	int error = call_look(&helper);

	if (!error && !helper.trial_left_s)
		error = ENOENT;
	if (!error) {
		interface = network_state_read(&state) ? NULL : of_mac(&state, helper.trial.mac);
		error = trial_holds(interface, &helper) ? call(HELPER_KEEP) : EAGAIN;
	}
	if (error)
		failed(job, error);
	else
		look(job);
}

static void go_back(struct job *job)
{
	int error = call(HELPER_RETURN);

	if (error)
		failed(job, error);
	else
		look(job);
}

int network_reset(void)
{
	int error = call(HELPER_FORGET);

	/* Where no helper ever listened. One that is away for a moment has left its socket, and what it keeps. */
	if (!error || error == -ENOENT)
		return 0;
	log_error("network: the helper does not forget its settings: %s",
		  strerror(error < 0 ? -error : error));
	return -1;
}

void network_run(struct job *job)
{
	switch (job->type) {
	case JOB_NETWORK_TRY:
		try(job);
		break;
	case JOB_NETWORK_KEEP:
		keep(job);
		break;
	case JOB_NETWORK_RETURN:
		go_back(job);
		break;
	default:
		look(job);
		break;
	}
	if (job->status == 200 && !job->answer)
		refuse(job, 503, "The Device is out of memory.");
}
