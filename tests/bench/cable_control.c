// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket (SOCK_SEQPACKET): a JSON object asks, one answers when what was asked is in effect.
 *   {"do": "unplug"}      the Target's controller has seen the device go
 *   {"do": "plug"}        the Target has been shown the device; at once when the Target is off
 *   {"do": "attached"}    the Target has been shown the device; waits for the Target
 *   {"do": "configured"}  the Target has configured the device
 *   {"do": "pressed"}     the keyboard's last report to the Target says that keys are down
 *   {"do": "released"}    it says that none is; there was one since the device was attached
 *   {"do": "status"}
 * Answers: {"ok": true, "plugged", "target", "appliance", "attached", "configuration", "reports", "keys"}, or
 * {"ok": false, "error": why}. keys is the keyboard's last report in hexadecimal, "" when there is none.
 */
#include "cable.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"

#define CLIENTS 4
#define MESSAGE_MAX 4096

struct client {
	struct control *control;
	struct loop_source source;		/* fd -1: free */
	bool (*in_effect)(struct cable *cable); /* what its command waits for; NULL: none is open */
};

struct control {
	struct loop *loop;
	struct cable *cable;
	struct loop_source listener;
	struct client clients[CLIENTS];
};

static bool now(struct cable *cable)
{
	(void)cable;
	return true;
}

static bool is_unplugged(struct cable *cable)
{
	return !plug_is_attached(cable_plug(cable)) && !plug_is_detaching(cable_plug(cable));
}

static bool is_plugged(struct cable *cable)
{
	return plug_is_attached(cable_plug(cable)) || !plug_has_target(cable_plug(cable));
}

static bool is_attached(struct cable *cable)
{
	return plug_is_attached(cable_plug(cable));
}

static bool is_configured(struct cable *cable)
{
	return plug_configuration(cable_plug(cable)) != 0;
}

static bool keys_are_down(const uint8_t *keys)
{
	static const uint8_t all_up[PLUG_KEYBOARD_REPORT];

	return memcmp(keys, all_up, sizeof(all_up)) != 0;
}

static bool is_pressed(struct cable *cable)
{
	const uint8_t *keys = plug_keys(cable_plug(cable));

	return keys && keys_are_down(keys);
}

static bool is_released(struct cable *cable)
{
	const uint8_t *keys = plug_keys(cable_plug(cable));

	return keys && !keys_are_down(keys);
}

static void client_close(struct client *client)
{
	loop_unwatch(client->control->loop, &client->source);
	close(client->source.fd);
	client->source.fd = -1;
	client->in_effect = NULL;
}

static void answer(struct client *client, json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	client->in_effect = NULL;
	json_decref(object);
	if (!text || send(client->source.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		client_close(client);
	free(text);
}

static void refuse(struct client *client, const char *why)
{
	answer(client, json_pack("{s:b, s:s}", "ok", 0, "error", why));
}

static void answer_status(struct client *client)
{
	struct cable *cable = client->control->cable;
	struct plug *plug = cable_plug(cable);
	const uint8_t *keys = plug_keys(plug);
	char text[2 * PLUG_KEYBOARD_REPORT + 1] = "";

	for (unsigned i = 0; keys && i < PLUG_KEYBOARD_REPORT; i++)
		sprintf(text + 2 * i, "%02x", keys[i]);
	answer(client, json_pack("{s:b, s:b, s:b, s:b, s:b, s:i, s:I, s:s}", "ok", 1, "plugged",
				 cable_is_plugged(cable), "target", plug_has_target(plug), "appliance",
				 port_is_up(cable_port(cable)), "attached", plug_is_attached(plug),
				 "configuration", (int)plug_configuration(plug), "reports",
				 (json_int_t)plug_reports(plug), "keys", text));
}

static void take_command(struct client *client, const char *command)
{
	struct cable *cable = client->control->cable;

	if (!strcmp(command, "status")) {
		client->in_effect = now;
	} else if (!strcmp(command, "attached")) {
		client->in_effect = is_attached;
	} else if (!strcmp(command, "configured")) {
		client->in_effect = is_configured;
	} else if (!strcmp(command, "pressed")) {
		client->in_effect = is_pressed;
	} else if (!strcmp(command, "released")) {
		client->in_effect = is_released;
	} else if (!strcmp(command, "plug")) {
		client->in_effect = is_plugged;
		cable_set_plugged(cable, true);
	} else if (!strcmp(command, "unplug")) {
		client->in_effect = is_unplugged;
		cable_set_plugged(cable, false);
	} else {
		refuse(client, "do must be plug, unplug, attached, configured, pressed, released or status");
	}
}

static void client_ready(struct loop_source *source, uint32_t events)
{
	struct client *client = (struct client *)((char *)source - offsetof(struct client, source));
	struct control *control = client->control;
	char message[MESSAGE_MAX];
	const char *command;
	json_t *object;
	ssize_t n = recv(source->fd, message, sizeof(message), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(client);
		return;
	}
	object = json_loadb(message, (size_t)n, 0, NULL);
	command = json_string_value(json_object_get(object, "do"));
	if (client->in_effect)
		refuse(client, "the command before is not in effect yet");
	else if (command)
		take_command(client, command);
	else
		refuse(client, "this is no {\"do\": ...}");
	json_decref(object);
	control_changed(control);
}

void control_changed(struct control *control)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *client = &control->clients[i];

		if (client->in_effect && client->in_effect(control->cable))
			answer_status(client);
	}
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	struct control *control = (struct control *)((char *)source - offsetof(struct control, listener));
	int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *client = &control->clients[i];

		if (client->source.fd >= 0)
			continue;
		client->source = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = client_ready };
		if (!loop_watch(control->loop, &client->source))
			return;
		client->source.fd = -1;
		break;
	}
	log_warn("control: too many clients");
	close(fd);
}

struct control *control_new(struct loop *loop, struct cable *cable, const char *path)
{
	struct control *control = calloc(1, sizeof(*control));
	int fd, error;

	if (!control)
		return NULL;
	control->loop = loop;
	control->cable = cable;
	for (unsigned i = 0; i < CLIENTS; i++)
		control->clients[i] = (struct client){ .control = control, .source = { .fd = -1 } };
	fd = cable_listen(path, SOCK_SEQPACKET);
	control->listener = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = listener_ready };
	error = fd < 0 ? fd : loop_watch(loop, &control->listener);
	if (error) {
		log_error("control: listening on %s: %s", path, strerror(-error));
		if (fd >= 0)
			close(fd);
		free(control);
		return NULL;
	}
	return control;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (control->clients[i].source.fd >= 0)
			client_close(&control->clients[i]);
	}
	loop_unwatch(control->loop, &control->listener);
	close(control->listener.fd);
	free(control);
}
