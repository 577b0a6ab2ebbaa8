// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The video port before a session: accept, tell TLS from a silent stock viewer,
 * the handshake, the password. Limits and one deadline for all of it.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "device/handshake.h"
#include "device/listener.h"
#include "device/rights.h"
#include "device/session.h"
#include "lib/log.h"
#include "lib/peer.h"

#define MS 1000000ull
#define SNIFF_NS (250 * MS)
#define DEADLINE_NS (10000 * MS)
/* A person may type the password while the viewer waits with the connection open. */
#define DEADLINE_VIEWER_NS (30000 * MS)
/* For the peer to read why it was refused, and to close. */
#define LINGER_NS (2000 * MS)
#define TLS_HANDSHAKE 0x16 /* first byte of a ClientHello's record (RFC 8446 5.1) */
/* Connections before authentication. */
#define LIMIT_TOTAL 64
#define LIMIT_PEER 16

enum stage { STAGE_SNIFF, STAGE_TLS, STAGE_RFB, STAGE_LINGER };
enum next { NEXT_AGAIN, NEXT_WAIT, NEXT_GONE };

struct connection {
	struct connection *next, **prev;
	struct server *server;
	struct stream stream;
	struct loop_source source;
	struct loop_timer deadline, sniff;
	enum stage stage;
	enum handshake_event event; /* acted upon once what is in hs.out is sent */
	bool silent, verifying, dead;
	struct guest guest;
	struct handshake hs;
	struct work_job job;
	const char *refusal;			 /* what the verifier found; NULL: let in */
	uint8_t in[HANDSHAKE_MESSAGE_MAX + 256]; /* and some that came behind it */
	size_t in_used;
	size_t sent; /* of hs.out */
};

struct channel {
	struct server *server;
	struct listener listener;
	SSL_CTX *implicit, *stock;
	struct connection *connections;
};

static void destroy(struct connection *c)
{
	handshake_wipe(&c->hs);
	OPENSSL_cleanse(c->in, sizeof(c->in));
	free(c);
}

/* A verifier that still runs frees the rest. */
static enum next drop(struct connection *c)
{
	loop_timer_cancel(c->server->loop, &c->deadline);
	loop_timer_cancel(c->server->loop, &c->sniff);
	loop_unwatch(c->server->loop, &c->source);
	if (c->stream.fd >= 0)
		stream_close(&c->stream);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->dead = true;
	if (!c->verifying)
		destroy(c);
	return NEXT_GONE;
}

/* Says that nothing follows and waits for the peer's end: closing at once could cut off our last words. */
static enum next refuse(struct connection *c, const char *why)
{
	log_info("channel: %s: refused: %s", c->guest.peer, why);
	c->stage = STAGE_LINGER;
	stream_finish(&c->stream);
	loop_timer_arm(c->server->loop, &c->deadline, LINGER_NS);
	return NEXT_AGAIN;
}

static const char *closed_to_all(const struct connection *c)
{
	if (c->guest.relay)
		return NULL;
	if (!account_claimed(c->server->accounts))
		return account_text(ACCOUNT_UNCLAIMED);
	if (c->silent && !c->server->config->stock_viewers)
		return "Stock viewers are switched off here: use TLS from the first byte.";
	return NULL;
}

static enum next start_rfb(struct connection *c, enum handshake_way way)
{
	handshake_start(&c->hs, way, closed_to_all(c));
	c->event = HANDSHAKE_MORE;
	c->stage = STAGE_RFB;
	return NEXT_AGAIN;
}

static enum next start_tls(struct connection *c, SSL_CTX *ctx)
{
	if (stream_start_tls(&c->stream, ctx))
		return drop(c);
	c->stage = STAGE_TLS;
	return NEXT_AGAIN;
}

/* RFB's server speaks first, TLS's client does: who is silent for long enough is a stock viewer. */
static enum next sniff(struct connection *c)
{
	static const char text[] = "This port speaks RFB 3.8 under TLS.\r\n";
	uint8_t first;
	ssize_t n = recv(c->stream.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (!c->silent)
			return NEXT_WAIT;
		loop_timer_arm(c->server->loop, &c->deadline, DEADLINE_VIEWER_NS);
		return start_rfb(c, HANDSHAKE_CLEAR);
	}
	if (n <= 0)
		return drop(c);
	loop_timer_cancel(c->server->loop, &c->sniff);
	if (first == TLS_HANDSHAKE)
		return start_tls(c, c->server->channel->implicit);
	stream_write(&c->stream, text, sizeof(text) - 1);
	return refuse(c, "neither TLS nor a silent viewer");
}

static enum next shake_hands(struct connection *c)
{
	const char *why = "";
	int err = stream_handshake(&c->stream, &why);

	if (err == -EAGAIN)
		return NEXT_WAIT;
	if (err) {
		log_info("channel: %s: TLS: %s", c->guest.peer, why);
		return drop(c);
	}
	if (!c->hs.tls)
		return start_rfb(c, HANDSHAKE_TLS);
	c->stage = STAGE_RFB;
	return NEXT_AGAIN;
}

static enum next flush(struct connection *c)
{
	while (c->sent < c->hs.out_used) {
		ssize_t n = stream_write(&c->stream, c->hs.out + c->sent, c->hs.out_used - c->sent);

		if (n == -EAGAIN)
			return NEXT_WAIT;
		if (n < 0)
			return drop(c);
		c->sent += (size_t)n;
	}
	c->sent = c->hs.out_used = 0;
	return NEXT_AGAIN;
}

static const char *verify_ticket(struct connection *c)
{
	struct ticket ticket;
	const char *why;

	if (gate_admit(c->server->gate, (struct sockaddr *)&c->guest.address, c->hs.password,
		       strlen(c->hs.password), &ticket, &why) != GATE_OPEN)
		return why;
	if (strcmp(ticket.user, c->hs.user))
		return "The Ticket is another user's.";
	c->guest.rights = ticket.rights;
	return NULL;
}

static const char *verify_owner(struct connection *c)
{
	struct server *server = c->server;
	enum account_result result;

	if (manager_decides(server->manager))
		return "A Manager decides who opens a session here: open the Target there.";
	result = account_verify(server->accounts, (struct sockaddr *)&c->guest.address, c->hs.user,
				c->hs.password);
	c->guest.rights = RIGHTS_ALL;
	return result == ACCOUNT_OK ? NULL : account_text(result);
}

static void verify_run(struct work_job *job)
{
	struct connection *c = (struct connection *)((char *)job - offsetof(struct connection, job));

	/* No password is so long, and no Ticket so short. */
	c->refusal = strlen(c->hs.password) > USER_PASSWORD_MAX ? verify_ticket(c) : verify_owner(c);
}

static void run(struct connection *c);

static void verify_done(struct work_job *job)
{
	struct connection *c = (struct connection *)((char *)job - offsetof(struct connection, job));
	const char *refusal = c->refusal;

	c->verifying = false;
	if (c->dead) {
		destroy(c);
		return;
	}
	if (!refusal && c->server->session_count >= BUS_SESSIONS)
		refusal = "Too many sessions are open.";
	handshake_verified(&c->hs, refusal);
	c->event = refusal ? HANDSHAKE_FAILED : HANDSHAKE_MORE;
	run(c);
}

static enum next verify(struct connection *c)
{
	c->verifying = true;
	c->job.run = verify_run;
	c->job.done = verify_done;
	work_submit(c->server->verifiers, &c->job);
	return NEXT_WAIT;
}

static enum next hand_over(struct connection *c)
{
	struct server *server = c->server;
	struct stream stream = c->stream;
	struct guest guest = c->guest;
	uint8_t rest[sizeof(c->in)];
	size_t len = c->in_used;

	memcpy(rest, c->in, len);
	if (!guest.relay)
		log_clean(guest.user, sizeof(guest.user), c->hs.user);
	c->stream.fd = -1; /* drop() leaves it open */
	c->stream.ssl = NULL;
	drop(c);
	session_start(server, &stream, &guest, rest, len);
	return NEXT_GONE;
}

/* What the last message asked for, now that its answer is sent. */
static enum next act(struct connection *c)
{
	enum handshake_event event = c->event;

	c->event = HANDSHAKE_MORE;
	switch (event) {
	case HANDSHAKE_VERIFY:
		return verify(c);
	case HANDSHAKE_DONE:
		return hand_over(c);
	case HANDSHAKE_FAILED:
		return refuse(c, c->hs.error);
	case HANDSHAKE_START_TLS:
		/* Bytes in clear behind the last clear message would be taken for encrypted ones. */
		if (c->in_used)
			return refuse(c, "bytes in clear before TLS");
		return start_tls(c, c->server->channel->stock);
	default:
		return NEXT_AGAIN;
	}
}

static enum next read_more(struct connection *c)
{
	ssize_t n = stream_read(&c->stream, c->in + c->in_used, sizeof(c->in) - c->in_used);

	if (n == -EAGAIN)
		return NEXT_WAIT;
	if (n <= 0)
		return drop(c);
	c->in_used += (size_t)n;
	return NEXT_AGAIN;
}

static enum next talk(struct connection *c)
{
	enum next next = flush(c);
	size_t used;

	if (next != NEXT_AGAIN)
		return next;
	if (c->verifying)
		return NEXT_WAIT;
	if (c->event != HANDSHAKE_MORE)
		return act(c);
	c->event = handshake_feed(&c->hs, c->in, c->in_used, &used);
	memmove(c->in, c->in + used, c->in_used - used);
	c->in_used -= used;
	return used || c->event != HANDSHAKE_MORE ? NEXT_AGAIN : read_more(c);
}

static enum next wait_for_end(struct connection *c)
{
	char sink[4096];
	ssize_t n = recv(c->stream.fd, sink, sizeof(sink), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NEXT_WAIT;
	return n > 0 ? NEXT_AGAIN : drop(c);
}

static void run(struct connection *c)
{
	enum next next = NEXT_AGAIN;
	uint32_t events;

	while (next == NEXT_AGAIN) {
		switch (c->stage) {
		case STAGE_SNIFF:
			next = sniff(c);
			break;
		case STAGE_TLS:
			next = shake_hands(c);
			break;
		case STAGE_RFB:
			next = talk(c);
			break;
		case STAGE_LINGER:
			next = wait_for_end(c);
			break;
		}
	}
	if (next == NEXT_GONE)
		return;
	/* Nothing is read while the password is checked: level-triggered input would keep us busy. */
	events = c->verifying ? 0 : c->stream.write_later ? EPOLLIN | EPOLLOUT : EPOLLIN;
	loop_change(c->server->loop, &c->source, events);
}

static void connection_ready(struct loop_source *source, uint32_t events)
{
	struct connection *c = (struct connection *)((char *)source - offsetof(struct connection, source));

	c->stream.write_later = false;
	if (c->verifying && events & (EPOLLERR | EPOLLHUP))
		drop(c);
	else
		run(c);
}

static void deadline_expired(struct loop_timer *timer)
{
	struct connection *c = (struct connection *)((char *)timer - offsetof(struct connection, deadline));

	if (c->stage != STAGE_LINGER)
		log_info("channel: %s: took too long to authenticate", c->guest.peer);
	drop(c);
}

static void sniff_expired(struct loop_timer *timer)
{
	struct connection *c = (struct connection *)((char *)timer - offsetof(struct connection, sniff));

	c->silent = true;
	run(c);
}

/* Takes fd. NULL after closing it. */
static struct connection *connection_new(struct server *server, int fd)
{
	struct channel *channel = server->channel;
	struct connection *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return NULL;
	}
	c->server = server;
	c->stream.fd = fd;
	c->source = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = connection_ready };
	if (loop_watch(server->loop, &c->source)) {
		close(fd);
		free(c);
		return NULL;
	}
	c->deadline.expired = deadline_expired;
	c->sniff.expired = sniff_expired;
	c->next = channel->connections;
	if (c->next)
		c->next->prev = &c->next;
	c->prev = &channel->connections;
	channel->connections = c;
	loop_timer_arm(server->loop, &c->deadline, DEADLINE_NS);
	return c;
}

static bool over_limit(const struct channel *channel, const struct sockaddr_storage *address)
{
	unsigned total = 0, same = 0;

	for (const struct connection *c = channel->connections; c; c = c->next) {
		total += !c->guest.relay;
		same += !c->guest.relay && peer_same(&c->guest.address, address);
	}
	return total >= LIMIT_TOTAL || same >= LIMIT_PEER;
}

static void accepted(struct listener *listener, int fd, const struct sockaddr_storage *address)
{
	struct channel *channel = (struct channel *)((char *)listener - offsetof(struct channel, listener));
	struct server *server = channel->server;
	struct connection *c;

	if (over_limit(channel, address)) {
		close(fd);
		return;
	}
	c = connection_new(server, fd);
	if (!c)
		return;
	c->guest.address = *address;
	peer_text(address, c->guest.peer, sizeof(c->guest.peer));
	c->stage = STAGE_SNIFF;
	loop_timer_arm(server->loop, &c->sniff, SNIFF_NS);
}

void channel_relay(struct server *server, int fd, const struct guest *guest)
{
	struct connection *c;

	if (server->session_count >= BUS_SESSIONS) {
		bus_end(server->bus, guest->cookie, "too many sessions are open");
		close(fd);
		return;
	}
	c = connection_new(server, fd);
	if (!c)
		return;
	c->guest = *guest;
	start_rfb(c, HANDSHAKE_RELAY);
	run(c);
}

void channel_drop_user(struct server *server, const char *user)
{
	struct connection *c, *next;

	for (c = server->channel->connections; c; c = next) {
		next = c->next;
		if (!c->guest.relay && (!*user || !strcmp(c->hs.user, user)))
			drop(c);
	}
}

int channel_open(struct server *server, const struct identity *identity)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return -1;
	server->channel = channel;
	channel->server = server;
	channel->listener.accepted = accepted;
	channel->implicit = stream_context(false);
	channel->stock = stream_context(true);
	if (!channel->implicit || !channel->stock) {
		log_error("channel: OpenSSL refuses our TLS settings");
		return -1;
	}
	if (identity_use(identity, channel->implicit) || identity_use(identity, channel->stock))
		return -1;
	return listener_open(&channel->listener, server->loop, server->config->address,
			     server->config->first_port);
}

void channel_close(struct server *server)
{
	struct channel *channel = server->channel;

	if (!channel)
		return;
	while (channel->connections)
		drop(channel->connections);
	listener_close(&channel->listener);
	SSL_CTX_free(channel->implicit);
	SSL_CTX_free(channel->stock);
	free(channel);
	server->channel = NULL;
}
