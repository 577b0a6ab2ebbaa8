// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ports 901 and 902: TLS, the preamble with its token, then messages into the
 * session that the token is of. What a key does is session.c's and input.c's.
 */
#include "device/input_channel.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "device/listener.h"
#include "device/session.h"
#include "lib/guess.h"
#include "lib/log.h"
#include "lib/peer.h"

#define PREAMBLE_HEAD 8
#define PREAMBLE_SIZE (PREAMBLE_HEAD + TOKEN_SIZE)
#define DEADLINE_NS 10000000000ull
/* For the peer to read why it was refused, and to close. */
#define LINGER_NS 2000000000ull
/* Connections without a session. */
#define LIMIT_TOTAL 64
#define LIMIT_PEER 16
/* Reads in one go; a Client that floods us lets others have their turn. */
#define READS_MAX 16
/* A reason, or the lights. */
#define OUT_SIZE 128

enum stage { STAGE_TLS, STAGE_PREAMBLE, STAGE_OPEN, STAGE_LINGER };

struct input_channel {
	struct input_channel *next, **prev;
	struct server *server;
	enum input_kind kind;
	enum stage stage;
	struct stream stream;
	struct loop_source source;
	struct loop_timer timer; /* a deadline before it is open; after, more input that is here already */
	struct sockaddr_storage address;
	char peer[PEER_TEXT_MAX];
	struct session *session; /* STAGE_OPEN */
	bool tell_leds;
	struct rfb_reader reader;
	uint8_t in[256];
	size_t in_used;
	uint8_t out[OUT_SIZE];
	size_t out_used, sent;
};

struct input_ports {
	struct server *server;
	struct listener listeners[INPUT_KINDS];
	SSL_CTX *tls;
	struct guess_table *guesses;
	struct input_channel *channels;
};

static const char *const names[INPUT_KINDS] = { "keyboard", "mouse" };

/* ---- the end of one ---- */

static void destroy(struct input_channel *c)
{
	loop_timer_cancel(c->server->loop, &c->timer);
	loop_unwatch(c->server->loop, &c->source);
	stream_close(&c->stream);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	OPENSSL_cleanse(c->in, sizeof(c->in));
	free(c);
}

/* Nothing that it pressed stays down. */
static void drop(struct input_channel *c, const char *why)
{
	struct session *session = c->session;

	if (session) {
		log_info("session %u: its %s channel from %s ended: %s", session->id, names[c->kind], c->peer,
			 why);
		session->channels[c->kind] = NULL;
		if (c->kind == INPUT_KEYBOARD)
			input_client_let_go_keys(&session->input);
		else
			input_client_let_go_buttons(&session->input);
	}
	destroy(c);
}

void input_channel_end(struct session *session)
{
	for (int kind = 0; kind < INPUT_KINDS; kind++) {
		struct input_channel *c = session->channels[kind];

		if (!c)
			continue;
		stream_finish(&c->stream);
		drop(c, "the session ended");
	}
}

/* ---- out ---- */

/* false: it is gone. */
static bool flush(struct input_channel *c)
{
	while (c->sent < c->out_used) {
		ssize_t n = stream_write(&c->stream, c->out + c->sent, c->out_used - c->sent);

		if (n == -EAGAIN) {
			c->stream.write_later = true;
			return true;
		}
		if (n < 0) {
			drop(c, "connection lost");
			return false;
		}
		c->sent += (size_t)n;
	}
	c->sent = c->out_used = 0;
	return true;
}

/* Once what was said before is out: a Client that reads nothing gets fewer of them, the newest always. */
static bool send_leds(struct input_channel *c)
{
	uint8_t *end;

	if (c->stage != STAGE_OPEN || !c->tell_leds || c->out_used)
		return true;
	c->tell_leds = false;
	end = rfb_put_leds(rfb_put_update_header(c->out, 1), hid_leds(c->server->hid));
	c->out_used = (size_t)(end - c->out);
	return flush(c);
}

static void watch(struct input_channel *c)
{
	loop_change(c->server->loop, &c->source, c->stream.write_later ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void input_channel_tell_leds(struct server *server)
{
	struct input_channel *c, *next;

	if (!server->input_ports)
		return;
	for (c = server->input_ports->channels; c; c = next) {
		next = c->next;
		if (c->kind != INPUT_KEYBOARD)
			continue;
		c->tell_leds = true;
		if (send_leds(c))
			watch(c);
	}
}

/* ---- the preamble ---- */

static bool refuse(struct input_channel *c, const char *why)
{
	uint8_t *end = rfb_put_u32(rfb_put_u32(c->out, 1), (uint32_t)strlen(why));

	log_info("channel: %s: %s channel refused: %s", c->peer, names[c->kind], why);
	memcpy(end, why, strlen(why));
	c->out_used = (size_t)(end - c->out) + strlen(why);
	c->stage = STAGE_LINGER;
	loop_timer_arm(c->server->loop, &c->timer, LINGER_NS);
	if (!flush(c))
		return false;
	stream_finish(&c->stream);
	return true;
}

static struct session *session_of(struct input_channel *c)
{
	const uint8_t *bytes = c->in + PREAMBLE_HEAD;
	uint64_t now = loop_now_ns();

	for (struct session *session = c->server->sessions; session; session = session->next)
		if (token_take(&session->tokens[c->kind], bytes, now))
			return session;
	return NULL;
}

/* A token of another address is used up all the same: somebody else has it. */
static struct session *admit(struct input_channel *c, const char **why)
{
	struct session *session;
	struct source source;
	struct guess guess;

	source_of(&source, (struct sockaddr *)&c->address);
	guess_ticket(c->server->input_ports->guesses, &guess, &source);
	*why = "Too many wrong tries. Wait a while, then try again.";
	if (!guess_take(&guess))
		return NULL;
	session = session_of(c);
	*why = "This token is not good, or not any more: ask for a new one.";
	if (!session)
		return NULL;
	*why = "The session comes from another address.";
	if (!peer_same(&session->guest.address, &c->address))
		return NULL;
	guess_refund(&guess);
	return session;
}

/* false: it is gone. */
static bool take_preamble(struct input_channel *c)
{
	const uint8_t head[PREAMBLE_HEAD] = { 'K', 'V', 'M', 'C', 1, (uint8_t)(c->kind + 1), 0, 0 };
	struct session *session;
	const char *why;

	if (memcmp(c->in, head, c->in_used < PREAMBLE_HEAD ? c->in_used : PREAMBLE_HEAD))
		return refuse(c, "This is no preamble of this channel.");
	if (c->in_used < PREAMBLE_SIZE)
		return true;
	session = admit(c, &why);
	c->in_used -= PREAMBLE_SIZE;
	memmove(c->in, c->in + PREAMBLE_SIZE, c->in_used);
	if (!session)
		return refuse(c, why);
	if (session->channels[c->kind])
		drop(session->channels[c->kind], "another one takes its place");
	session->channels[c->kind] = c;
	c->session = session;
	c->stage = STAGE_OPEN;
	c->tell_leds = c->kind == INPUT_KEYBOARD;
	loop_timer_cancel(c->server->loop, &c->timer);
	log_info("session %u: its %s channel from %s is open", session->id, names[c->kind], c->peer);
	c->out_used = (size_t)(rfb_put_u32(c->out, 0) - c->out);
	return flush(c);
}

/* ---- in ---- */

static bool belongs(enum input_kind kind, enum rfb_type type)
{
	return kind == INPUT_MOUSE ? type == RFB_POINTER : type == RFB_KEY || type == RFB_QEMU_KEY;
}

/* All whole messages; false: it is gone. */
static bool take_messages(struct input_channel *c)
{
	size_t start = 0, used;
	enum rfb_result result;

	do {
		struct rfb_message message;

		result = rfb_read(&c->reader, c->in + start, c->in_used - start, &used, &message);
		start += used;
		if (result == RFB_ERROR || (result == RFB_MESSAGE && !belongs(c->kind, message.type))) {
			drop(c, "a message that does not belong there");
			return false;
		}
		if (result == RFB_MESSAGE)
			session_take_input(c->session, &message);
	} while (result == RFB_MESSAGE);
	memmove(c->in, c->in + start, c->in_used - start);
	c->in_used -= start;
	return true;
}

/* What is in c->in; false: it is gone. */
static bool take(struct input_channel *c)
{
	if (c->stage == STAGE_PREAMBLE && !take_preamble(c))
		return false;
	if (c->stage == STAGE_OPEN)
		return take_messages(c) && send_leds(c);
	if (c->stage == STAGE_LINGER)
		c->in_used = 0;
	return true;
}

/* false: it is gone. */
static bool read_input(struct input_channel *c)
{
	for (unsigned i = 0; i < READS_MAX; i++) {
		ssize_t n = stream_read(&c->stream, c->in + c->in_used, sizeof(c->in) - c->in_used);

		if (n == -EAGAIN)
			return true;
		if (n <= 0) {
			drop(c, n ? "connection lost" : "closed by the Client");
			return false;
		}
		c->in_used += (size_t)n;
		if (!take(c))
			return false;
	}
	if (c->stage == STAGE_OPEN)
		loop_timer_arm(c->server->loop, &c->timer, 0);
	return true;
}

/* false: it is gone. */
static bool shake_hands(struct input_channel *c)
{
	const char *why = "";
	int err = stream_handshake(&c->stream, &why);

	if (err == -EAGAIN)
		return true;
	if (err) {
		log_info("channel: %s: TLS: %s", c->peer, why);
		drop(c, why);
		return false;
	}
	c->stage = STAGE_PREAMBLE;
	return true;
}

static void run(struct input_channel *c)
{
	struct server *server = c->server;

	c->stream.write_later = false;
	if (c->stage == STAGE_TLS && !shake_hands(c))
		return;
	if (c->stage != STAGE_TLS && !(flush(c) && send_leds(c) && read_input(c)))
		return;
	watch(c);
	update_pump(server);
}

static void channel_ready(struct loop_source *source, uint32_t events)
{
	(void)events;
	run((struct input_channel *)((char *)source - offsetof(struct input_channel, source)));
}

static void timer_expired(struct loop_timer *timer)
{
	struct input_channel *c =
		(struct input_channel *)((char *)timer - offsetof(struct input_channel, timer));

	if (c->stage == STAGE_OPEN) {
		run(c);
		return;
	}
	if (c->stage != STAGE_LINGER)
		log_info("channel: %s: took too long to show a token", c->peer);
	drop(c, "too late");
}

/* ---- new ones ---- */

/* Takes fd. NULL after closing it. */
static struct input_channel *channel_new(struct server *server, int fd, enum input_kind kind)
{
	struct input_ports *ports = server->input_ports;
	struct input_channel *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return NULL;
	}
	c->server = server;
	c->kind = kind;
	c->stream.fd = fd;
	c->source = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = channel_ready };
	if (loop_watch(server->loop, &c->source)) {
		close(fd);
		free(c);
		return NULL;
	}
	c->timer.expired = timer_expired;
	c->next = ports->channels;
	if (c->next)
		c->next->prev = &c->next;
	c->prev = &ports->channels;
	ports->channels = c;
	loop_timer_arm(server->loop, &c->timer, DEADLINE_NS);
	return c;
}

static bool over_limit(const struct input_ports *ports, const struct sockaddr_storage *address)
{
	unsigned total = 0, same = 0;

	for (const struct input_channel *c = ports->channels; c; c = c->next) {
		total += !c->session;
		same += !c->session && peer_same(&c->address, address);
	}
	return total >= LIMIT_TOTAL || same >= LIMIT_PEER;
}

static void accept_one(struct input_ports *ports, enum input_kind kind, int fd,
		       const struct sockaddr_storage *address)
{
	struct input_channel *c;

	if (over_limit(ports, address)) {
		close(fd);
		return;
	}
	c = channel_new(ports->server, fd, kind);
	if (!c)
		return;
	c->address = *address;
	peer_text(address, c->peer, sizeof(c->peer));
	if (stream_start_tls(&c->stream, ports->tls))
		drop(c, "out of memory");
}

static void keyboard_accepted(struct listener *listener, int fd, const struct sockaddr_storage *address)
{
	struct listener *first = listener - INPUT_KEYBOARD;

	accept_one((struct input_ports *)((char *)first - offsetof(struct input_ports, listeners)),
		   INPUT_KEYBOARD, fd, address);
}

static void mouse_accepted(struct listener *listener, int fd, const struct sockaddr_storage *address)
{
	struct listener *first = listener - INPUT_MOUSE;

	accept_one((struct input_ports *)((char *)first - offsetof(struct input_ports, listeners)),
		   INPUT_MOUSE, fd, address);
}

void input_channel_relay(struct server *server, int fd, enum input_kind kind, const struct guest *guest)
{
	struct input_channel *c;

	if (over_limit(server->input_ports, &guest->address)) {
		close(fd);
		return;
	}
	c = channel_new(server, fd, kind);
	if (!c)
		return;
	c->address = guest->address;
	memcpy(c->peer, guest->peer, sizeof(c->peer));
	c->stage = STAGE_PREAMBLE;
	run(c);
}

/* ---- the ports ---- */

int input_channel_open(struct server *server, const struct identity *identity)
{
	const struct config *config = server->config;
	struct input_ports *ports = calloc(1, sizeof(*ports));

	if (!ports)
		return -1;
	server->input_ports = ports;
	ports->server = server;
	ports->guesses = guess_table_new();
	ports->tls = stream_context(false);
	if (!ports->guesses || !ports->tls || identity_use(identity, ports->tls)) {
		log_error("channel: out of memory, or OpenSSL refuses our TLS settings");
		return -1;
	}
	ports->listeners[INPUT_KEYBOARD].accepted = keyboard_accepted;
	ports->listeners[INPUT_MOUSE].accepted = mouse_accepted;
	for (int kind = 0; kind < INPUT_KINDS; kind++)
		if (listener_open(&ports->listeners[kind], server->loop, config->address,
				  (uint16_t)(config->first_port + 1 + kind)))
			return -1;
	return 0;
}

void input_channel_close(struct server *server)
{
	struct input_ports *ports = server->input_ports;

	if (!ports)
		return;
	while (ports->channels)
		drop(ports->channels, "the server stops");
	for (int kind = 0; kind < INPUT_KINDS; kind++)
		listener_close(&ports->listeners[kind]);
	SSL_CTX_free(ports->tls);
	guess_table_free(ports->guesses);
	free(ports);
	server->input_ports = NULL;
}
