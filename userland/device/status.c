// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page thread's requests, and the status it is told. Tests rely on one
 * answer: that every Client has a certain Frame in whole.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "device/beacon.h"
#include "device/rights.h"
#include "device/session.h"
#include "lib/log.h"

struct waiter {
	bool used;
	uint64_t cookie, min_hw_seq;
};

struct status {
	struct loop_source source;
	struct server *server;
	struct waiter waiters[BUS_DEPTH];
	struct bus_answer answer; /* too large for a stack */
};

static void describe(struct server *server, struct bus_status *to)
{
	struct capture_mode mode = server->mode;

	memset(to, 0, sizeof(*to));
	capture_state(server->capture, &mode);
	to->signal = server->mode.signal;
	to->width = server->mode.width;
	to->height = server->mode.height;
	to->refresh_mhz = server->mode.refresh_mhz;
	to->generation = server->mode.generation;
	to->seq = server->screen.seq;
	to->hw_seq = server->screen.hw_seq;
	to->frames = mode.frames;
	to->overruns = mode.overruns;
	to->usb_configured = hid_configured(server->hid);
	to->leds = hid_leds(server->hid);
	for (struct session *session = server->sessions; session && to->session_count < BUS_SESSIONS;
	     session = session->next)
		session_describe(session, &to->sessions[to->session_count++]);
}

static bool all_current(const struct server *server)
{
	for (const struct session *session = server->sessions; session; session = session->next)
		if (!session_current(session))
			return false;
	return true;
}

static void answer(struct server *server, uint64_t cookie)
{
	struct status *status = server->status;

	status->answer.cookie = cookie;
	describe(server, &status->answer.status);
	bus_answer(server->bus, &status->answer);
}

void status_check(struct server *server)
{
	struct status *status = server->status;

	if (!status)
		return;
	for (unsigned i = 0; i < BUS_DEPTH; i++) {
		struct waiter *waiter = &status->waiters[i];

		if (!waiter->used || server->screen.hw_seq < waiter->min_hw_seq || !all_current(server))
			continue;
		waiter->used = false;
		answer(server, waiter->cookie);
	}
}

void status_changed(struct server *server)
{
	bus_change(server->bus);
}

static void wait_for(struct server *server, const struct bus_request *request)
{
	struct status *status = server->status;

	for (unsigned i = 0; i < BUS_DEPTH && request->min_hw_seq; i++) {
		if (status->waiters[i].used)
			continue;
		status->waiters[i] = (struct waiter){ true, request->cookie, request->min_hw_seq };
		status_check(server);
		return;
	}
	answer(server, request->cookie);
}

static void cancel(struct server *server, uint64_t cookie)
{
	struct status *status = server->status;

	for (unsigned i = 0; i < BUS_DEPTH; i++) {
		if (!status->waiters[i].used || status->waiters[i].cookie != cookie)
			continue;
		status->waiters[i].used = false;
		answer(server, cookie);
	}
}

static void disconnect(struct server *server, const struct bus_request *request)
{
	struct session *session = session_find(server, request->session_id);
	char why[32 + USER_NAME_MAX];

	if (!session)
		return;
	strcpy(why, "disconnected by ");
	log_clean(why + strlen(why), sizeof(why) - strlen(why), request->user);
	session_end(session, why);
}

/* Browsers' sessions end with their logins, on port 443. */
static void end_sessions_of(struct server *server, const char *user)
{
	struct session *session, *next;

	for (session = server->sessions; session; session = next) {
		next = session->next;
		if (!session->guest.relay && !strcmp(session->guest.user, user))
			session_end(session, "the password was changed");
	}
	channel_drop_user(server, user);
}

/* Browsers' end with their logins, as above. */
static void end_guests(struct server *server, const char *user)
{
	struct session *session, *next;

	for (session = server->sessions; session; session = next) {
		next = session->next;
		if (!session->guest.relay && !(session->guest.rights & RIGHT_OWNER) &&
		    (!*user || !strcmp(session->guest.user, user)))
			session_end(session, "the Manager took the permission back");
	}
	channel_drop_user(server, user);
}

static void relay(struct server *server, const struct bus_request *request)
{
	struct guest guest = {
		.address = request->address,
		.rights = request->rights,
		.relay = true,
		.cookie = request->cookie,
	};

	log_clean(guest.user, sizeof(guest.user), request->user);
	log_clean(guest.peer, sizeof(guest.peer), request->peer);
	if (request->channel == BUS_VIDEO)
		channel_relay(server, request->fd, &guest);
	else
		input_channel_relay(server, request->fd,
				    request->channel == BUS_MOUSE ? INPUT_MOUSE : INPUT_KEYBOARD, &guest);
}

/* Takes settings. */
static void apply(struct server *server, struct settings *settings)
{
	bool renamed = strcmp(settings->name, server->settings.name);

	server->settings = *settings;
	free(settings);
	session_retime(server);
	if (!renamed)
		return;
	screen_rename(server);
	beacon_changed(server->beacon);
}

static void take(struct server *server, const struct bus_request *request)
{
	switch (request->type) {
	case BUS_OPEN:
		relay(server, request);
		break;
	case BUS_STATUS:
		wait_for(server, request);
		break;
	case BUS_CANCEL:
		cancel(server, request->cookie);
		break;
	case BUS_DISCONNECT:
		disconnect(server, request);
		break;
	case BUS_PASSWORD:
		end_sessions_of(server, request->user);
		break;
	case BUS_GUESTS:
		end_guests(server, request->user);
		break;
	case BUS_OWNER:
		beacon_changed(server->beacon);
		break;
	case BUS_SETTINGS:
		apply(server, request->settings);
		break;
	}
}

static void requests_ready(struct loop_source *source, uint32_t events)
{
	struct status *status = (struct status *)((char *)source - offsetof(struct status, source));
	struct bus_request request;

	(void)events;
	while (bus_take_request(status->server->bus, &request))
		take(status->server, &request);
	update_pump(status->server);
}

int status_open(struct server *server)
{
	struct status *status = calloc(1, sizeof(*status));

	if (!status)
		return -1;
	status->server = server;
	status->source = (struct loop_source){
		.fd = bus_request_fd(server->bus),
		.events = EPOLLIN,
		.ready = requests_ready,
	};
	if (loop_watch(server->loop, &status->source)) {
		free(status);
		return -1;
	}
	server->status = status;
	return 0;
}

void status_close(struct server *server)
{
	if (!server->status)
		return;
	loop_unwatch(server->loop, &server->status->source);
	free(server->status);
	server->status = NULL;
}
