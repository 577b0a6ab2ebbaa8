// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What each session is sent, and when: an update only to a Client that asked,
 * of the newest Frame, when nothing of the last one is unsent; and no byte
 * while nothing changes.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "device/session.h"
#include "lib/log.h"

/* How soon to look again when no Slot or lane was free. */
#define RETRY_NS 5000000
/* Of a large update at a time; then keys and other Clients have their turn. */
#define SEND_BYTES (32u << 10)

static void finish_update(struct session *session)
{
	struct encode_buffer *out = &session->task.out;

	out->used = session->sent = 0;
	if (!session->update_out)
		return;
	session->updates++;
	session->update_out = false;
	if (session->pixels_out)
		plan_sent(&session->plan);
	session->pixels_out = false;
}

bool update_send(struct session *session)
{
	struct encode_buffer *out = &session->task.out;
	size_t left = SEND_BYTES;

	if (session->encoding)
		return true;
	while (session->sent < out->used && left) {
		size_t len = out->used - session->sent < left ? out->used - session->sent : left;
		ssize_t n = stream_write(&session->stream, out->data + session->sent, len);

		if (n == -EAGAIN)
			return true;
		if (n < 0) {
			session_end(session, "connection lost");
			return false;
		}
		session->sent += (size_t)n;
		left -= (size_t)n;
		if (session->update_out)
			session->video_bytes += (uint64_t)n;
	}
	/* TLS may have something of its own to write, too. */
	session->stream.write_later |= session->sent < out->used;
	if (out->used && session->sent == out->used)
		finish_update(session);
	return true;
}

static bool send_now(struct session *session)
{
	struct loop *loop = session->server->loop;

	if (!update_send(session))
		return false;
	loop_change(loop, &session->source, session->stream.write_later ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return true;
}

/* Notes that the Client does not understand are dropped. */
static uint32_t wanted_notes(const struct session *session)
{
	const struct rfb_encodings *e = &session->encodings;
	uint32_t notes = session->plan.notes;

	if (!e->desktop_name)
		notes &= ~(uint32_t)PLAN_NAME;
	if (!e->qemu_leds)
		notes &= ~(uint32_t)PLAN_LEDS;
	if (!e->qemu_keys)
		notes &= ~(uint32_t)PLAN_KEYS;
	if (!e->channels)
		notes &= ~(uint32_t)PLAN_CHANNELS;
	if (!e->ext_desktop_size)
		notes &= ~(uint32_t)PLAN_REFUSED;
	if (!session_can_resize(session))
		notes &= ~(uint32_t)PLAN_SIZE;
	return notes;
}

static uint8_t *put_size(const struct session *session, uint8_t *to, uint16_t reason, uint16_t status)
{
	uint16_t width = (uint16_t)session->plan.width, height = (uint16_t)session->plan.height;

	if (session->encodings.ext_desktop_size)
		return rfb_put_ext_desktop_size(to, reason, status, width, height);
	return rfb_put_rect(to, 0, 0, width, height, RFB_DESKTOP_SIZE);
}

/* Without randomness there are none: what comes then opens nothing. */
static uint8_t *put_channels(struct session *session, uint8_t *to)
{
	uint16_t port = session->server->config->first_port;

	to = rfb_put_rect(to, 0, 0, 0, 0, RFB_CHANNELS);
	for (int kind = 0; kind < INPUT_KINDS; kind++) {
		struct token *token = &session->tokens[kind];

		if (!token_issue(token, loop_now_ns()))
			log_error("session %u: no randomness for a token", session->id);
		to = rfb_put_u16(to, (uint16_t)(port + 1 + kind));
		memcpy(to, token->bytes, TOKEN_SIZE);
		to += TOKEN_SIZE;
	}
	return to;
}

/* An update without pixels. A new size comes last: some Clients stop reading an update there. */
static bool send_notes(struct session *session, uint32_t notes)
{
	struct encode_buffer *out = &session->task.out;
	uint8_t *to;

	to = rfb_put_update_header(out->data, (uint16_t)__builtin_popcount(notes));
	if (notes & PLAN_NAME)
		to = rfb_put_name(to, session->server->name);
	if (notes & PLAN_LEDS)
		to = rfb_put_leds(to, hid_leds(session->server->hid));
	if (notes & PLAN_KEYS)
		to = rfb_put_rect(to, 0, 0, 0, 0, RFB_QEMU_KEYS);
	if (notes & PLAN_CHANNELS)
		to = put_channels(session, to);
	if (notes & PLAN_REFUSED)
		to = put_size(session, to, 1, 1);
	if (notes & PLAN_SIZE)
		to = put_size(session, to, 0, 0);
	out->used = (size_t)(to - out->data);
	session->plan.notes &= PLAN_BLANK;
	session->plan.requested = false;
	session->update_out = true;
	session->pixels_out = false;
	return send_now(session);
}

static void encode_run(struct work_job *job)
{
	struct session *session = (struct session *)((char *)job - offsetof(struct session, job));

	encode_update(&session->task);
}

static void encode_done(struct work_job *job)
{
	struct session *session = (struct session *)((char *)job - offsetof(struct session, job));
	struct server *server = session->server;
	bool ended = session->ended;

	update_release(session);
	if (!ended)
		send_now(session);
	update_pump(server);
}

static void start_encoder(struct session *session, const struct encode_source *source)
{
	struct encode_task *task = &session->task;

	task->source = *source;
	task->width = session->plan.width;
	task->height = session->plan.height;
	task->encoding = session->encodings.preferred;
	task->last_rect = session->encodings.last_rect;
	task->map = session->map;
	task->out.used = session->sent = 0;
	session->encoding = true;
	session->update_out = true;
	session->job.run = encode_run;
	session->job.done = encode_done;
	work_submit(session->server->encoders, &session->job);
}

/* A picture of another size than the Client can show starts on a black framebuffer. */
static void send_blank(struct session *session)
{
	const struct encode_source source = { .pixels = NULL };
	struct plan *plan = &session->plan;

	plan->notes &= ~(uint32_t)PLAN_BLANK;
	plan->requested = false;
	session->pixels_out = false;
	memset(session->task.damage, 0, sizeof(session->task.damage));
	tiles_set_rect(session->task.damage, plan->width, plan->height, 0, 0, plan->width, plan->height);
	start_encoder(session, &source);
}

static void take_damage(struct session *session, uint64_t seq)
{
	const struct plan_screen *screen = &session->server->screen;
	struct plan *plan = &session->plan;
	uint64_t *damage = session->task.damage;

	plan_take(plan, screen, seq, damage);
	session->pixels_out = true;
	if (!screen->picture || (plan->width == screen->width && plan->height == screen->height))
		return;
	/* The bitmap has the shape of the Client's framebuffer, the Frame another. */
	memset(damage, 0, sizeof(session->task.damage));
	tiles_set_rect(damage, screen->width, screen->height, 0, 0, screen->width, screen->height);
}

/* 0, or why there is no Frame for this session now; -ESTALE: the plan changed meanwhile, look again. */
static int acquire(struct session *session, struct encode_source *source)
{
	struct server *server = session->server;
	struct capture_frame *frame = &session->frame;
	int err;

	*source = (struct encode_source){ .pixels = NULL };
	if (!server->screen.picture)
		return 0;
	err = capture_acquire(server->capture, frame);
	if (err)
		return err;
	if (frame->generation != server->screen.generation || wanted_notes(session) ||
	    !server->screen.picture) {
		capture_release(server->capture, frame);
		return -ESTALE;
	}
	session->holds_frame = true;
	*source = (struct encode_source){ frame->pixels, frame->width, frame->height, frame->stride };
	return 0;
}

static void send_pixels(struct session *session)
{
	struct server *server = session->server;
	struct encode_source source;
	int err = acquire(session, &source);

	if (err == -ESTALE)
		server->pump_again = true;
	if (err == -EBUSY && !server->pump_timer.due_ns)
		loop_timer_arm(server->loop, &server->pump_timer, RETRY_NS);
	if (err)
		return;
	take_damage(session, session->holds_frame ? session->frame.seq : server->screen.seq);
	start_encoder(session, &source);
}

static void try_session(struct session *session)
{
	struct plan *plan = &session->plan;
	uint32_t notes;

	if (session->encoding || session->task.out.used || !plan->requested)
		return;
	plan->notes = notes = wanted_notes(session);
	/* Room for a picture of a new size; else nothing is allocated here. */
	if (encode_reserve(&session->task, plan->width, plan->height)) {
		session_end(session, "out of memory");
		return;
	}
	if (notes == PLAN_BLANK)
		send_blank(session);
	else if (notes)
		send_notes(session, notes & ~(uint32_t)PLAN_BLANK);
	else if (plan->dirty)
		send_pixels(session);
}

/* The list's head moves on, so that no session is always first at the lanes. */
static void rotate(struct server *server)
{
	struct session *first = server->sessions, **end;

	if (!first || !first->next)
		return;
	server->sessions = first->next;
	first->next->prev = &server->sessions;
	for (end = &server->sessions; *end; end = &(*end)->next)
		;
	*end = first;
	first->prev = end;
	first->next = NULL;
}

void update_pump(struct server *server)
{
	struct session *session, *next;

	server->pump_again = true;
	if (server->pumping)
		return;
	server->pumping = true;
	while (server->pump_again) {
		server->pump_again = false;
		for (session = server->sessions; session; session = next) {
			next = session->next;
			try_session(session);
		}
	}
	rotate(server);
	server->pumping = false;
	status_check(server);
}

static void pump_again(struct loop_timer *timer)
{
	update_pump((struct server *)((char *)timer - offsetof(struct server, pump_timer)));
}

void update_init(struct server *server)
{
	server->pump_timer.expired = pump_again;
}
