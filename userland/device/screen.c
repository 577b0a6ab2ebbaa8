// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What capture reports, brought to every session: Damage, a new Mode, or why
 * there is no picture. Frames and encoders are update.c's.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device/session.h"
#include "lib/log.h"

/* Before there ever was a picture. */
#define FIRST_WIDTH 640
#define FIRST_HEIGHT 480

const char *screen_signal_text(uint32_t signal)
{
	static const char *const texts[] = {
		[KVMCAP_SIGNAL_OK] = "",
		[KVMCAP_SIGNAL_NO_CABLE] = "no cable",
		[KVMCAP_SIGNAL_NO_SIGNAL] = "no signal",
		[KVMCAP_SIGNAL_NO_SYNC] = "signal without sync",
		[KVMCAP_SIGNAL_UNSUPPORTED] = "unsupported Mode",
		[KVMCAP_SIGNAL_PROTECTED] = "copy-protected",
		[KVMCAP_SIGNAL_STALLED] = "capture hardware stalled",
		[KVMCAP_SIGNAL_QUARANTINED] = "capture hardware shut off",
		[KVMCAP_SIGNAL_GONE] = "no capture hardware",
	};

	return signal < sizeof(texts) / sizeof(texts[0]) ? texts[signal] : "no picture";
}

static void set_name(struct server *server)
{
	const char *text = screen_signal_text(server->mode.signal);
	const char *name = *server->settings.name ? server->settings.name : server->host;

	snprintf(server->name, sizeof(server->name), "%s%s%s", name, *text ? ": " : "", text);
	for (struct session *session = server->sessions; session; session = session->next)
		session->plan.notes |= PLAN_NAME;
}

void screen_rename(struct server *server)
{
	set_name(server);
	update_pump(server);
}

void screen_look_host(struct server *server)
{
	char host[sizeof(server->host)] = "";

	if (gethostname(host, sizeof(host) - 1) || !*host)
		strcpy(host, "kvmnet");
	if (!strcmp(host, server->host))
		return;
	strcpy(server->host, host);
	if (server->sessions)
		screen_rename(server);
	else
		set_name(server);
}

static void follow_all(struct server *server, bool changed)
{
	for (struct session *session = server->sessions; session; session = session->next)
		plan_follow(&session->plan, &server->screen, changed, session_can_resize(session));
}

static void on_damage(void *arg, const struct capture_frame *frame, const uint64_t *damage)
{
	struct server *server = arg;

	follow_all(server, plan_screen_frame(&server->screen, frame, damage));
	update_pump(server);
}

/* A stalled engine keeps its last picture on the screen, everything else is black as on a monitor. */
static void on_mode(void *arg, const struct capture_mode *mode)
{
	struct server *server = arg;
	bool new_signal = server->mode.signal != mode->signal;

	server->mode = *mode;
	if (new_signal) {
		log_info("capture: %s",
			 *screen_signal_text(mode->signal) ? screen_signal_text(mode->signal) : "picture");
		set_name(server);
	}
	if (mode->signal != KVMCAP_SIGNAL_OK && mode->signal != KVMCAP_SIGNAL_STALLED &&
	    plan_screen_black(&server->screen))
		follow_all(server, true);
	status_changed(server);
	update_pump(server);
}

int screen_open(struct server *server)
{
	const struct capture_events events = { .damage = on_damage, .mode = on_mode, .arg = server };

	server->screen.width = FIRST_WIDTH;
	server->screen.height = FIRST_HEIGHT;
	server->mode.signal =
		strncmp(server->config->capture, "unix:", 5) ? KVMCAP_SIGNAL_GONE : KVMCAP_SIGNAL_NO_CABLE;
	set_name(server);
	server->capture = capture_open(server->loop, server->config->capture, &events);
	return server->capture ? 0 : -1;
}
