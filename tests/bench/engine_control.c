/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: one JSON object a message (SOCK_SEQPACKET), answered when
 * the command has taken effect. README.md lists the commands.
 */
#include "engine.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a client waits for; target is the number that has to be reached. */
enum waiting { NOTHING, APPLIED, GRAB, UP };

struct client {
	int fd;
	enum waiting waiting;
	uint32_t target;
};

struct control {
	struct engine *e;
	int listener;
	struct client client[ENGINE_CLIENTS];
};

static const char *const signals[] = { "ok", "no_cable", "no_signal", "no_sync", "unsupported", "protected" };
static const char *const patterns[] = { "none", "still", "moving", "noise", "full" };

static int number_of(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; name && i < count; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

#define NUMBER_OF(names, name) number_of(names, sizeof(names) / sizeof((names)[0]), name)

struct control *control_new(struct engine *e, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct control *c = calloc(1, sizeof(*c));

	if (!c || strlen(path) >= sizeof(address.sun_path))
		fail("%s: no such socket can be", path);
	strcpy(address.sun_path, path);
	unlink(path);
	c->e = e;
	c->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (c->listener < 0 || bind(c->listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(c->listener, ENGINE_CLIENTS))
		fail("%s: %s", path, strerror(errno));
	for (int i = 0; i < ENGINE_CLIENTS; i++)
		c->client[i].fd = -1;
	return c;
}

static void answer(struct client *client, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	client->waiting = NOTHING;
	if (text && send(client->fd, text, strlen(text), MSG_NOSIGNAL) < 0) {
		close(client->fd);
		client->fd = -1;
	}
	free(text);
	json_decref(object);
}

static void refuse(struct client *client, const char *why)
{
	answer(client, json_pack("{s:b, s:s}", "ok", 0, "error", why));
}

static void accept_command(struct client *client)
{
	answer(client, json_pack("{s:b}", "ok", 1));
}

/* The new settings, whole, and the wait until the model lives by them. */
static void change(struct control *c, struct client *client, const struct settings *settings)
{
	struct shared *s = c->e->shared;

	atomic_fetch_add(&s->version, 1);
	s->settings = *settings;
	client->waiting = APPLIED;
	client->target = atomic_fetch_add(&s->version, 1) + 1;
	event_raise(c->e->wake_model);
}

static void do_source(struct control *c, struct client *client, json_t *command)
{
	struct settings settings = c->e->shared->settings;
	const char *name = json_string_value(json_object_get(command, "name"));
	const char *pattern = json_string_value(json_object_get(command, "pattern"));
	json_int_t width = json_integer_value(json_object_get(command, "width"));
	json_int_t height = json_integer_value(json_object_get(command, "height"));

	settings.pattern = PATTERN_NONE;
	if (!name || (strcmp(name, "target") && strcmp(name, "pattern")))
		return refuse(client, "name must be target or pattern");
	if (!strcmp(name, "pattern")) {
		int number = NUMBER_OF(patterns, pattern);

		if (number < PATTERN_STILL)
			return refuse(client, "pattern must be still, moving, noise or full");
		if (width < ENGINE_MIN_WIDTH || width > ENGINE_MAX_WIDTH || height < ENGINE_MIN_HEIGHT ||
		    height > ENGINE_MAX_HEIGHT)
			return refuse(client, "width must be 64..4096 and height 64..2304");
		settings.pattern = number;
		settings.width = width;
		settings.height = height;
	}
	change(c, client, &settings);
}

static void do_rate(struct control *c, struct client *client, json_t *command)
{
	struct settings settings = c->e->shared->settings;
	json_int_t fps = json_integer_value(json_object_get(command, "fps"));

	if (fps < 1 || fps > 1000)
		return refuse(client, "fps must be 1..1000");
	settings.fps = fps;
	change(c, client, &settings);
}

static void do_signal(struct control *c, struct client *client, json_t *command)
{
	struct settings settings = c->e->shared->settings;
	int number = NUMBER_OF(signals, json_string_value(json_object_get(command, "state")));

	if (number < 0)
		return refuse(client,
			      "state must be ok, no_cable, no_signal, no_sync, unsupported or protected");
	settings.signal = number;
	change(c, client, &settings);
}

static void do_freeze(struct control *c, struct client *client, json_t *command)
{
	struct settings settings = c->e->shared->settings;

	settings.frozen = !strcmp(json_string_value(json_object_get(command, "do")), "freeze");
	change(c, client, &settings);
}

static void do_grab(struct control *c, struct client *client, json_t *command)
{
	(void)command;
	client->waiting = GRAB;
	client->target = atomic_fetch_add(&c->e->shared->grab_wanted, 1) + 1;
	event_raise(c->e->wake_model);
}

static void do_hang(struct control *c, struct client *client, json_t *command)
{
	siginfo_t info;

	if (!c->e->hung) {
		if (json_is_true(json_object_get(command, "busy")))
			atomic_store(&c->e->shared->stop_in_frame, true);
		else
			kill(c->e->model, SIGSTOP);
		/* Also ends when the model died instead; the supervisor sees that next. */
		waitid(P_PID, c->e->model, &info, WSTOPPED | WEXITED | WNOWAIT);
		c->e->hung = true;
	}
	accept_command(client);
}

static void do_resume(struct control *c, struct client *client, json_t *command)
{
	(void)command;
	kill(c->e->model, SIGCONT);
	c->e->hung = false;
	accept_command(client);
}

static void do_die(struct control *c, struct client *client, json_t *command)
{
	(void)command;
	client->waiting = UP;
	client->target = reg_read(c->e, ENG_EPOCH) + 1;
	kill(c->e->model, SIGKILL);
}

static void do_late(struct control *c, struct client *client, json_t *command)
{
	(void)command;
	atomic_store(&c->e->shared->start_late, true);
	accept_command(client);
}

static void do_status(struct control *c, struct client *client, json_t *command)
{
	const struct engine *e = c->e;
	struct shared *s = e->shared;
	json_t *object = json_pack(
		"{s:b, s:s, s:s, s:i, s:i, s:i, s:b, s:b, s:b, s:i}", "ok", 1, "source",
		s->settings.pattern ? "pattern" : "target", "pattern", patterns[s->settings.pattern], "fps",
		(int)s->settings.fps, "width", (int)reg_read(e, ENG_TIM_WIDTH), "height",
		(int)reg_read(e, ENG_TIM_HEIGHT), "frozen", s->settings.frozen, "hung", e->hung, "running",
		reg_read(e, ENG_CTRL) & ENG_CTRL_RUN, "model_pid", (int)e->model);
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "seq", s->seq },
		{ "frames", s->frames },
		{ "number", s->number },
		{ "abandoned", s->abandoned },
		{ "fast", s->fast },
		{ "dumped", s->dumped },
		{ "epoch", reg_read(e, ENG_EPOCH) },
		{ "generation", reg_read(e, ENG_TIM_GENERATION) },
		{ "overruns", reg_read(e, ENG_EV_OVERRUN) },
		{ "dma_faults", reg_read(e, ENG_EV_DMA_FAULT) },
		{ "bad_descriptors", reg_read(e, ENG_EV_BAD_DESC) },
		{ "edid_bytes", reg_read(e, ENG_EDID_BYTES) },
		{ "edid_pulses", reg_read(e, ENG_EDID_PULSE) },
	};
	uint32_t signal = reg_read(e, ENG_TIM_SIGNAL);

	(void)command;
	json_object_set_new(object, "signal",
			    json_string(signal <= ENG_SIGNAL_PROTECTED ? signals[signal] : "?"));
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		json_object_set_new(object, counters[i].name, json_integer(counters[i].value));
	answer(client, object);
}

static const struct {
	const char *name;
	void (*call)(struct control *c, struct client *client, json_t *command);
} commands[] = {
	{ "source", do_source },   { "rate", do_rate }, { "signal", do_signal }, { "freeze", do_freeze },
	{ "unfreeze", do_freeze }, { "grab", do_grab }, { "hang", do_hang },	 { "resume", do_resume },
	{ "die", do_die },	   { "late", do_late }, { "status", do_status },
};

static void obey(struct control *c, struct client *client, const char *text, size_t bytes)
{
	json_t *command = json_loadb(text, bytes, 0, NULL);
	const char *name = json_string_value(json_object_get(command, "do"));
	size_t i, count = sizeof(commands) / sizeof(commands[0]);

	for (i = 0; name && i < count; i++)
		if (!strcmp(commands[i].name, name))
			break;
	if (client->waiting != NOTHING)
		refuse(client, "one command at a time");
	else if (name && i < count)
		commands[i].call(c, client, command);
	else
		refuse(client, "no such command: {\"do\": NAME}");
	json_decref(command);
}

int control_poll(struct control *c, struct pollfd *fds)
{
	fds[0] = (struct pollfd){ .fd = c->listener, .events = POLLIN };
	for (int i = 0; i < ENGINE_CLIENTS; i++)
		fds[i + 1] = (struct pollfd){ .fd = c->client[i].fd, .events = POLLIN };
	return ENGINE_CLIENTS + 1;
}

static void new_client(struct control *c)
{
	int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (int i = 0; fd >= 0 && i < ENGINE_CLIENTS; i++) {
		if (c->client[i].fd < 0) {
			c->client[i] = (struct client){ .fd = fd };
			return;
		}
	}
	if (fd >= 0)
		close(fd);
}

void control_serve(struct control *c, const struct pollfd *fds, int count)
{
	char text[4096];

	for (int i = 1; i < count; i++) {
		struct client *client = &c->client[i - 1];

		if (!fds[i].revents)
			continue;
		ssize_t got = recv(client->fd, text, sizeof(text), 0);
		if (got > 0) {
			obey(c, client, text, got);
		} else if (got == 0 || errno != EAGAIN) {
			close(client->fd);
			client->fd = -1;
		}
	}
	if (fds[0].revents)
		new_client(c);
}

static bool reached(uint32_t now, uint32_t target)
{
	return (int32_t)(now - target) >= 0;
}

void control_answer_finished(struct control *c)
{
	struct shared *s = c->e->shared;

	for (int i = 0; i < ENGINE_CLIENTS; i++) {
		struct client *client = &c->client[i];

		if (client->fd < 0)
			continue;
		if (client->waiting == APPLIED && reached(atomic_load(&s->applied), client->target))
			accept_command(client);
		else if (client->waiting == UP && reached(atomic_load(&s->up_epoch), client->target))
			accept_command(client);
		else if (client->waiting == GRAB && reached(atomic_load(&s->grab_done), client->target))
			answer(client, json_pack("{s:b, s:I}", "ok", 1, "seq",
						 (json_int_t)atomic_load(&s->grab_seq)));
	}
}
