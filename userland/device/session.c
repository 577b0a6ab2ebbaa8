// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a session: start, the Client's messages, end. What it is sent,
 * and when, is update.c's.
 */
#include "device/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <openssl/crypto.h>

#include "device/rights.h"
#include "lib/log.h"

/* Reads in one go; a Client that floods us lets others have their turn. */
#define READS_MAX 16
#define SECOND 1000000000ull

struct session *session_find(struct server *server, uint32_t id)
{
	struct session *session = server->sessions;

	while (session && session->id != id)
		session = session->next;
	return session;
}

void session_tell_leds(struct server *server)
{
	for (struct session *session = server->sessions; session; session = session->next)
		session->plan.notes |= PLAN_LEDS;
	input_channel_tell_leds(server);
	status_changed(server);
	update_pump(server);
}

bool session_can_resize(const struct session *session)
{
	return session->encodings.desktop_size || session->encodings.ext_desktop_size;
}

bool session_current(const struct session *session)
{
	return plan_current(&session->plan) && !session->encoding && session->sent == session->task.out.used;
}

void session_describe(const struct session *session, struct bus_session *to)
{
	memset(to, 0, sizeof(*to));
	to->id = session->id;
	memcpy(to->user, session->guest.user, sizeof(to->user));
	memcpy(to->peer, session->guest.peer, sizeof(to->peer));
	to->rights = session->guest.rights;
	strcpy(to->encoding, session->encodings.preferred == RFB_ZRLE ? "zrle" : "raw");
	to->since_ms = (loop_now_ns() - session->since_ns) / 1000000;
	to->video_bytes = session->video_bytes;
	to->updates = session->updates;
	to->hw_seq = session_current(session) ? session->server->screen.hw_seq : session->plan.hw_seq;
	to->keys = session->keys;
	to->pointers = session->pointers;
}

static void destroy(struct session *session)
{
	encode_free(&session->task);
	OPENSSL_cleanse(session->tokens, sizeof(session->tokens));
	free(session);
}

void session_end(struct session *session, const char *why)
{
	struct server *server = session->server;

	if (session->ended)
		return;
	log_info("session %u: %s from %s ended: %s", session->id, session->guest.user, session->guest.peer,
		 why);
	session->ended = true;
	if (session->guest.relay)
		bus_end(server->bus, session->guest.cookie, why);
	input_channel_end(session);
	input_client_gone(&session->input);
	loop_timer_cancel(server->loop, &session->timer);
	loop_unwatch(server->loop, &session->source);
	stream_finish(&session->stream);
	stream_close(&session->stream);
	*session->prev = session->next;
	if (session->next)
		session->next->prev = session->prev;
	server->session_count--;
	status_changed(server);
	if (!session->encoding)
		destroy(session);
}

/* The encoder of a session that ended meanwhile is done. */
void update_release(struct session *session)
{
	if (session->holds_frame)
		capture_release(session->server->capture, &session->frame);
	session->holds_frame = false;
	session->encoding = false;
	if (session->ended)
		destroy(session);
}

static void set_encodings(struct session *session, const struct rfb_encodings *encodings)
{
	struct plan *plan = &session->plan;
	const struct plan_screen *screen = &session->server->screen;
	bool announce = encodings->ext_desktop_size && !session->encodings.ext_desktop_size;
	bool size = session->encodings.desktop_size, ext_size = session->encodings.ext_desktop_size;

	if (encodings->qemu_keys && !session->encodings.qemu_keys)
		plan->notes |= PLAN_KEYS;
	if (encodings->qemu_leds && !session->encodings.qemu_leds)
		plan->notes |= PLAN_LEDS;
	if (encodings->desktop_name && !session->encodings.desktop_name)
		plan->notes |= PLAN_NAME;
	/* Each time: the tokens of before may be used or too old. */
	if (encodings->channels && session->guest.rights & RIGHT_CONTROL)
		plan->notes |= PLAN_CHANNELS;
	session->encodings = *encodings;
	/* Whoever understood a new size once still does: it may be on its way already. */
	session->encodings.desktop_size |= size;
	session->encodings.ext_desktop_size |= ext_size;
	/* The screen may have changed before the Client said that it can follow. */
	if (session_can_resize(session)) {
		plan->notes &= ~(uint32_t)PLAN_BLANK;
		if (plan->width != screen->width || plan->height != screen->height)
			plan_follow(plan, screen, true, true);
	}
	if (announce)
		plan->notes |= PLAN_SIZE;
}

static bool set_format(struct session *session, const struct pixel_format *format)
{
	const char *error = pixel_map_init(&session->map, format);

	if (!error)
		return true;
	session_end(session, error);
	return false;
}

static void take_key(struct session *session, const struct rfb_message *message)
{
	session->keys++;
	session->last_input_ns = loop_now_ns();
	if (message->key.scancode)
		input_scancode(&session->input, message->key.scancode, message->key.down);
	else
		input_keysym(&session->input, message->key.keysym, message->key.down);
}

static void take_pointer(struct session *session, const struct rfb_message *message)
{
	session->pointers++;
	session->last_input_ns = loop_now_ns();
	/* A Client that cannot resize shows the Target's pixels as they are, in a framebuffer of another size. */
	input_pointer(&session->input, message->pointer.mask, message->pointer.x, message->pointer.y,
		      (uint16_t)session->server->screen.width, (uint16_t)session->server->screen.height);
}

void session_take_input(struct session *session, const struct rfb_message *message)
{
	/* Who may only watch is not refused: viewers send what the mouse does without being asked. */
	if (!(session->guest.rights & RIGHT_CONTROL))
		return;
	if (message->type == RFB_POINTER)
		take_pointer(session, message);
	else
		take_key(session, message);
}

/* false when the session was ended. */
static bool take_message(struct session *session, const struct rfb_message *message)
{
	switch (message->type) {
	case RFB_SET_PIXEL_FORMAT:
		return set_format(session, &message->format);
	case RFB_SET_ENCODINGS:
		set_encodings(session, &message->encodings);
		return true;
	case RFB_UPDATE_REQUEST:
		plan_request(&session->plan, message->request.incremental, message->request.x,
			     message->request.y, message->request.width, message->request.height);
		return true;
	case RFB_KEY:
	case RFB_QEMU_KEY:
	case RFB_POINTER:
		session_take_input(session, message);
		return true;
	case RFB_SET_DESKTOP_SIZE: /* the Target's screen decides */
		if (session->encodings.ext_desktop_size)
			session->plan.notes |= PLAN_REFUSED;
		return true;
	}
	return true;
}

/* All whole messages in session->in; false when the session was ended. */
static bool take_input(struct session *session)
{
	size_t start = 0;

	for (;;) {
		struct rfb_message message;
		size_t used;
		enum rfb_result result = rfb_read(&session->reader, session->in + start,
						  session->in_used - start, &used, &message);

		start += used;
		if (result == RFB_ERROR) {
			session_end(session, session->reader.error);
			return false;
		}
		if (result == RFB_MORE)
			break;
		if (!take_message(session, &message))
			return false;
	}
	memmove(session->in, session->in + start, session->in_used - start);
	session->in_used -= start;
	return true;
}

/* false when the session was ended. */
static bool read_input(struct session *session)
{
	session->more_input = false;
	for (unsigned i = 0; i < READS_MAX; i++) {
		ssize_t n = stream_read(&session->stream, session->in + session->in_used,
					sizeof(session->in) - session->in_used);

		if (n == -EAGAIN)
			return true;
		if (n <= 0) {
			session_end(session, n ? "connection lost" : "closed by the Client");
			return false;
		}
		session->in_used += (size_t)n;
		if (!take_input(session))
			return false;
	}
	session->more_input = true;
	loop_timer_arm(session->server->loop, &session->timer, 0);
	return true;
}

static void session_ready(struct loop_source *source, uint32_t events)
{
	struct session *session = (struct session *)((char *)source - offsetof(struct session, source));
	struct server *server = session->server;

	(void)events;
	session->stream.write_later = false;
	if (read_input(session) && update_send(session))
		loop_change(server->loop, &session->source,
			    session->stream.write_later ? EPOLLIN | EPOLLOUT : EPOLLIN);
	update_pump(server);
}

/* false when the session was ended. */
static bool check_idle(struct session *session)
{
	uint64_t limit = session->server->settings.session_timeout_s * SECOND;
	uint64_t idle = loop_now_ns() - session->last_input_ns;

	if (!limit)
		return true;
	if (idle >= limit) {
		session_end(session, "idle for too long");
		return false;
	}
	loop_timer_arm(session->server->loop, &session->timer, limit - idle);
	return true;
}

void session_retime(struct server *server)
{
	struct session *session, *next;

	for (session = server->sessions; session; session = next) {
		next = session->next;
		/* Its timer is due at once otherwise, and looks. */
		if (!session->more_input)
			check_idle(session);
	}
}

static void timer_expired(struct loop_timer *timer)
{
	struct session *session = (struct session *)((char *)timer - offsetof(struct session, timer));

	if (!check_idle(session))
		return;
	if (session->more_input)
		session_ready(&session->source, EPOLLIN);
}

static struct session *session_new(struct server *server, const struct guest *guest)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->server = server;
	plan_init(&session->plan, &server->screen);
	pixel_map_init(&session->map, &pixel_native);
	if (encode_init(&session->task)) {
		free(session);
		return NULL;
	}
	if (encode_reserve(&session->task, session->plan.width, session->plan.height)) {
		destroy(session);
		return NULL;
	}
	input_client_init(&session->input, &server->input);
	session->guest = *guest;
	session->since_ns = session->last_input_ns = loop_now_ns();
	session->timer.expired = timer_expired;
	return session;
}

static void put_server_init(struct session *session)
{
	struct encode_buffer *out = &session->task.out;
	uint8_t *end = rfb_put_server_init(out->data, (uint16_t)session->plan.width,
					   (uint16_t)session->plan.height, session->server->name);

	out->used = (size_t)(end - out->data);
}

void session_start(struct server *server, struct stream *stream, const struct guest *guest,
		   const uint8_t *rest, size_t rest_len)
{
	struct session *session = NULL;
	uint8_t manager[CERTIFICATE_ID_SIZE];

	/* Without announcements nobody else looks. */
	screen_look_host(server);
	/* Many may have been let in at once. */
	if (server->session_count < BUS_SESSIONS)
		session = session_new(server, guest);
	if (!session)
		goto refuse;
	session->stream = *stream;
	session->source = (struct loop_source){ .fd = stream->fd, .events = EPOLLIN, .ready = session_ready };
	if (loop_watch(server->loop, &session->source)) {
		destroy(session);
		goto refuse;
	}
	session->next = server->sessions;
	if (session->next)
		session->next->prev = &session->next;
	session->prev = &server->sessions;
	server->sessions = session;
	server->session_count++;
	session->id = ++server->last_session_id;
	memcpy(session->in, rest, rest_len);
	session->in_used = rest_len;
	log_info("session %u: %s from %s started", session->id, guest->user, guest->peer);
	if (guest->rights & RIGHT_OWNER && manager_id(server->manager, manager))
		log_warn("session %u: opened with the owner's password, the Manager being away", session->id);
	put_server_init(session);
	check_idle(session);
	status_changed(server);
	if (take_input(session))
		session_ready(&session->source, EPOLLIN);
	return;
refuse:
	if (guest->relay)
		bus_end(server->bus, guest->cookie, "too many sessions are open");
	log_error("session of %s from %s: too many, or out of memory or descriptors", guest->user,
		  guest->peer);
	stream_close(stream);
}
