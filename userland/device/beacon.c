// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Announcements at the start, at growing intervals and after changes;
 * answers to probes. Messages and their limits are lib/discovery*.c's.
 */
#include "device/beacon.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "device/resolve.h"
#include "lib/discovery_gate.h"
#include "lib/discovery_socket.h"
#include "lib/log.h"
#include "lib/version.h"

#define SECOND_NS 1000000000ULL
#define LONGEST_S 60 /* between announcements */
/* Addresses come in groups. */
#define SETTLE_NS (SECOND_NS / 5)
/* Of one socket at a time; then keys and pictures have their turn. */
#define BATCH 16
#define MODEL "KVMnet"

/* By family and port. The second port's are for receiving alone. */
enum { FOUR, SIX, FOUR_SECOND, SIX_SECOND, LISTENERS };

struct listener {
	struct loop_source source;
	struct beacon *beacon;
	int answers; /* the listener whose socket answers */
};

struct counts {
	uint64_t malformed, unwanted, replayed, limited, forged, answered, unanswered;
};

struct beacon {
	struct server *server;
	const struct config *config;
	EVP_PKEY *key;
	struct discovery_gate *gate;
	struct resolver *resolver; /* NULL: no Managers are named */
	struct listener listeners[LISTENERS];
	struct loop_source changes; /* netlink's news of addresses and interfaces */
	struct loop_timer announce, settle;
	struct discovery_paths everyone;
	uint64_t sequence;
	unsigned interval_s;
	struct counts counts;
	uint8_t announcement[DISCOVERY_MAX]; /* the last one, for Managers whose names are still looked up */
	size_t announcement_len;
};

static size_t seal(struct beacon *beacon, enum discovery_type type, const uint8_t nonce[DISCOVERY_NONCE_SIZE],
		   uint8_t data[DISCOVERY_MAX])
{
	struct server *server = beacon->server;
	const char *name = *server->settings.name ? server->settings.name : server->host;
	struct discovery_message message = {
		.type = type,
		.role = DISCOVERY_DEVICE,
		.boot = server->boot,
		.sequence = ++beacon->sequence,
		.model = MODEL,
		.firmware = KVMNET_VERSION,
		.https_port = beacon->config->https_port,
		.state = account_claimed(server->accounts) ? DISCOVERY_STANDALONE : DISCOVERY_UNCLAIMED,
	};

	if (manager_id(server->manager, message.manager))
		message.state = DISCOVERY_MANAGED;
	log_clean(message.name, sizeof(message.name), name);
	memcpy(message.nonce, nonce, sizeof(message.nonce));
	return discovery_seal(&message, beacon->key, data);
}

/* ---- announcing ---- */

static void send_to(struct beacon *beacon, const struct discovery_path *path)
{
	int fd = beacon->listeners[path->peer.ss_family == AF_INET ? FOUR : SIX].source.fd;
	int err = fd < 0 ? -EAFNOSUPPORT :
			   discovery_send(fd, beacon->announcement, beacon->announcement_len, path);

	/* An interface without its cable, a Manager without a route: the next announcement may fare better. */
	if (err)
		log_debug("discovery: an announcement could not be sent: %s", strerror(-err));
}

static void manager_found(void *arg, const struct sockaddr_storage *address)
{
	const struct discovery_path path = { .peer = *address };

	send_to(arg, &path);
}

static void log_counts(const struct counts *counts)
{
	log_debug("discovery: %" PRIu64 " answered, %" PRIu64 " not; dropped: %" PRIu64 " malformed, %" PRIu64
		  " not for us, %" PRIu64 " replayed, %" PRIu64 " over the limits, %" PRIu64 " forged",
		  counts->answered, counts->unanswered, counts->malformed, counts->unwanted, counts->replayed,
		  counts->limited, counts->forged);
}

/* Three quarters of the interval to five: a rack that was switched on at once does not stay in step. */
static uint64_t with_jitter(unsigned interval_s)
{
	uint32_t random = 0;

	if (RAND_bytes((unsigned char *)&random, sizeof(random)) != 1)
		random = UINT32_MAX / 2;
	return interval_s * SECOND_NS * 3 / 4 + (interval_s * SECOND_NS / 2 >> 16) * (random >> 16);
}

static void announce(struct beacon *beacon)
{
	uint8_t nonce[DISCOVERY_NONCE_SIZE];
	bool sealed;

	sealed = RAND_bytes(nonce, sizeof(nonce)) == 1 &&
		 (beacon->announcement_len = seal(beacon, DISCOVERY_ANNOUNCE, nonce, beacon->announcement));
	for (unsigned i = 0; sealed && beacon->config->discovery_broadcast && i < beacon->everyone.count; i++)
		send_to(beacon, &beacon->everyone.path[i]);
	if (sealed && beacon->resolver)
		resolve_start(beacon->resolver);
	log_counts(&beacon->counts);
	loop_timer_arm(beacon->server->loop, &beacon->announce, with_jitter(beacon->interval_s));
	beacon->interval_s = beacon->interval_s * 2 < LONGEST_S ? beacon->interval_s * 2 : LONGEST_S;
}

static void announce_due(struct loop_timer *timer)
{
	announce((struct beacon *)((char *)timer - offsetof(struct beacon, announce)));
}

void beacon_changed(struct beacon *beacon)
{
	if (!beacon)
		return;
	beacon->interval_s = 1;
	announce(beacon);
}

/* The interfaces as they are now; whether they are others than before. */
static bool look_around(struct beacon *beacon)
{
	uint64_t before = beacon->everyone.addresses;
	struct discovery_paths now;
	int err = discovery_everyone(&now, beacon->config->discovery_port);

	if (err)
		log_warn("discovery: the interfaces cannot be listed: %s", strerror(-err));
	else
		beacon->everyone = now;
	return beacon->everyone.addresses != before;
}

static void settled(struct loop_timer *timer)
{
	struct beacon *beacon = (struct beacon *)((char *)timer - offsetof(struct beacon, settle));

	if (!look_around(beacon))
		return;
	log_debug("discovery: addresses changed: announcing again");
	beacon_changed(beacon);
}

/* What changed is not read: the kernel also tells of what did not, with each router advertisement. */
static void changes_ready(struct loop_source *source, uint32_t events)
{
	struct beacon *beacon = (struct beacon *)((char *)source - offsetof(struct beacon, changes));
	char news[8192];

	(void)events;
	for (unsigned i = 0; i < BATCH; i++)
		if (recv(source->fd, news, sizeof(news), 0) < 0 && errno == EAGAIN)
			break;
	if (!beacon->settle.due_ns)
		loop_timer_arm(beacon->server->loop, &beacon->settle, SETTLE_NS);
}

/* ---- answering ---- */

static bool wanted(struct beacon *beacon, const struct discovery_path *from, const uint8_t *data, size_t len,
		   struct discovery_message *message)
{
	struct counts *counts = &beacon->counts;

	if (discovery_parse(data, len, message)) {
		counts->malformed++;
		return false;
	}
	if (message->type != DISCOVERY_PROBE) {
		counts->unwanted++;
		return false;
	}
	switch (discovery_gate_pass(beacon->gate, (const struct sockaddr *)&from->peer, message,
				    loop_now_ns())) {
	case DISCOVERY_GOOD:
		return true;
	case DISCOVERY_REPLAYED:
		counts->replayed++;
		return false;
	case DISCOVERY_LIMITED:
		counts->limited++;
		return false;
	case DISCOVERY_FORGED:
		counts->forged++;
		return false;
	}
	return false;
}

static void answer(const struct listener *listener, struct discovery_path *path, size_t probe_len,
		   const struct discovery_message *probe)
{
	struct beacon *beacon = listener->beacon;
	uint8_t data[DISCOVERY_MAX];
	size_t len = seal(beacon, DISCOVERY_ANSWER, probe->nonce, data);

	discovery_set_port(path, beacon->config->discovery_port);
	if (len && len <= probe_len &&
	    !discovery_send(beacon->listeners[listener->answers].source.fd, data, len, path))
		beacon->counts.answered++;
	else
		beacon->counts.unanswered++;
}

static void datagram_ready(struct loop_source *source, uint32_t events)
{
	struct listener *listener = (struct listener *)source;

	(void)events;
	for (unsigned i = 0; i < BATCH; i++) {
		uint8_t data[DISCOVERY_MAX + 1];
		struct discovery_path path;
		struct discovery_message message;
		ssize_t len = discovery_receive(source->fd, data, &path);

		if (len < 0)
			return;
		if (wanted(listener->beacon, &path, data, (size_t)len, &message))
			answer(listener, &path, (size_t)len, &message);
	}
}

/* ---- opening and closing ---- */

static int listen_on(struct beacon *beacon, int which, int family, uint16_t port)
{
	struct listener *listener = &beacon->listeners[which];
	int fd = discovery_socket(family, port), err;

	/* A kernel without IPv6 is found by IPv4. */
	if (fd == -EAFNOSUPPORT && family == AF_INET6)
		return 0;
	listener->beacon = beacon;
	listener->answers = family == AF_INET ? FOUR : SIX;
	listener->source = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = datagram_ready };
	err = fd < 0 ? fd : loop_watch(beacon->server->loop, &listener->source);
	if (!err)
		return 0;
	log_error("discovery: cannot listen on UDP port %u: %s", port, strerror(-err));
	if (fd >= 0)
		close(fd);
	listener->source.fd = -1;
	return -1;
}

static int listen_all(struct beacon *beacon)
{
	uint16_t first = beacon->config->discovery_port, second = beacon->config->discovery_second_port;

	if (listen_on(beacon, FOUR, AF_INET, first) || listen_on(beacon, SIX, AF_INET6, first))
		return -1;
	return listen_on(beacon, FOUR_SECOND, AF_INET, second) ||
	       listen_on(beacon, SIX_SECOND, AF_INET6, second);
}

static int watch_changes(struct beacon *beacon)
{
	const struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), err = 0;

	beacon->changes = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = changes_ready };
	if (fd < 0 || bind(fd, (const struct sockaddr *)&groups, sizeof(groups)))
		err = -errno;
	if (!err)
		err = loop_watch(beacon->server->loop, &beacon->changes);
	if (!err)
		return 0;
	log_error("discovery: changes of addresses cannot be watched: %s", strerror(-err));
	if (fd >= 0)
		close(fd);
	beacon->changes.fd = -1;
	return -1;
}

static int set_up(struct beacon *beacon)
{
	const struct config *config = beacon->config;

	beacon->gate = discovery_gate_new();
	if (!beacon->gate) {
		log_error("discovery: out of memory or random numbers");
		return -1;
	}
	if (!beacon->server->boot)
		return -1;
	if (config->managers.count) {
		beacon->resolver = resolve_open(beacon->server->loop, &config->managers,
						config->discovery_port, manager_found, beacon);
		if (!beacon->resolver)
			return -1;
	}
	return watch_changes(beacon) || listen_all(beacon) ? -1 : 0;
}

struct beacon *beacon_open(struct server *server, const struct identity *identity)
{
	struct beacon *beacon;

	if (!server->config->discovery)
		return NULL;
	beacon = calloc(1, sizeof(*beacon));
	if (!beacon) {
		log_error("discovery: out of memory");
		return NULL;
	}
	beacon->server = server;
	beacon->config = server->config;
	beacon->key = identity_key(identity);
	beacon->announce.expired = announce_due;
	beacon->settle.expired = settled;
	beacon->interval_s = 1;
	beacon->changes.fd = -1;
	for (unsigned i = 0; i < LISTENERS; i++)
		beacon->listeners[i].source.fd = -1;
	if (set_up(beacon)) {
		beacon_close(beacon);
		log_error("discovery: this Device will not be found by itself");
		return NULL;
	}
	look_around(beacon);
	announce(beacon);
	return beacon;
}

static void stop_watching(struct beacon *beacon, struct loop_source *source)
{
	if (source->fd < 0)
		return;
	loop_unwatch(beacon->server->loop, source);
	close(source->fd);
}

void beacon_close(struct beacon *beacon)
{
	if (!beacon)
		return;
	log_counts(&beacon->counts);
	loop_timer_cancel(beacon->server->loop, &beacon->announce);
	loop_timer_cancel(beacon->server->loop, &beacon->settle);
	resolve_close(beacon->resolver);
	stop_watching(beacon, &beacon->changes);
	for (unsigned i = 0; i < LISTENERS; i++)
		stop_watching(beacon, &beacon->listeners[i].source);
	discovery_gate_free(beacon->gate);
	free(beacon);
}
