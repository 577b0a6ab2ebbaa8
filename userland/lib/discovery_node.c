// SPDX-License-Identifier: GPL-2.0-or-later
/* Sockets by family and port, netlink's news of addresses, and the gate in front of what is heard. */
#include "lib/discovery_node.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "lib/log.h"

#define SECOND_NS 1000000000ULL
/* Addresses come in groups. */
#define SETTLE_NS (SECOND_NS / 5)
/* Of one socket at a time; then others have their turn. */
#define BATCH 16

/* By family and port. The second port's are for receiving alone. */
enum { FOUR, SIX, FOUR_SECOND, SIX_SECOND, LISTENERS };

struct listener {
	struct loop_source source;
	struct discovery_node *node;
};

struct discovery_node {
	struct loop *loop;
	const struct discovery_user *user;
	uint16_t port;
	struct discovery_gate *gate;
	struct listener listeners[LISTENERS];
	struct loop_source changes; /* netlink's news of addresses and interfaces */
	struct loop_timer settle;
	struct discovery_paths everyone;
	struct discovery_counts counts;
};

int discovery_node_send(struct discovery_node *node, const uint8_t *data, size_t len,
			const struct discovery_path *path)
{
	int fd = node->listeners[path->peer.ss_family == AF_INET ? FOUR : SIX].source.fd;
	int err = fd < 0 ? -EAFNOSUPPORT : discovery_send(fd, data, len, path);

	/* An interface without its cable, somebody without a route: the next time may fare better. */
	if (err)
		log_debug("discovery: a message could not be sent: %s", strerror(-err));
	return err;
}

void discovery_node_send_all(struct discovery_node *node, const uint8_t *data, size_t len, uint16_t port)
{
	for (unsigned i = 0; i < node->everyone.count; i++) {
		struct discovery_path path = node->everyone.path[i];

		discovery_set_port(&path, port);
		discovery_node_send(node, data, len, &path);
	}
}

const struct discovery_counts *discovery_node_counts(const struct discovery_node *node)
{
	return &node->counts;
}

uint64_t discovery_with_jitter(unsigned interval_s)
{
	uint32_t random = 0;

	if (RAND_bytes((unsigned char *)&random, sizeof(random)) != 1)
		random = UINT32_MAX / 2;
	return interval_s * SECOND_NS * 3 / 4 + (interval_s * SECOND_NS / 2 >> 16) * (random >> 16);
}

/* The interfaces as they are now; whether they are others than before. */
static bool look_around(struct discovery_node *node)
{
	uint64_t before = node->everyone.addresses;
	struct discovery_paths now;
	int err = discovery_everyone(&now, node->port);

	if (err)
		log_warn("discovery: the interfaces cannot be listed: %s", strerror(-err));
	else
		node->everyone = now;
	return node->everyone.addresses != before;
}

static void settled(struct loop_timer *timer)
{
	struct discovery_node *node =
		(struct discovery_node *)((char *)timer - offsetof(struct discovery_node, settle));

	if (!look_around(node))
		return;
	log_debug("discovery: addresses changed");
	node->user->moved(node->user->arg);
}

/* What changed is not read: the kernel also tells of what did not, with each router advertisement. */
static void changes_ready(struct loop_source *source, uint32_t events)
{
	struct discovery_node *node =
		(struct discovery_node *)((char *)source - offsetof(struct discovery_node, changes));
	char news[8192];

	(void)events;
	for (unsigned i = 0; i < BATCH; i++)
		if (recv(source->fd, news, sizeof(news), 0) < 0 && errno == EAGAIN)
			break;
	if (!node->settle.due_ns)
		loop_timer_arm(node->loop, &node->settle, SETTLE_NS);
}

/* ---- hearing ---- */

static bool sound(struct discovery_node *node, const struct discovery_path *from, const uint8_t *data,
		  size_t len, struct discovery_message *message)
{
	struct discovery_counts *counts = &node->counts;

	if (discovery_parse(data, len, message)) {
		counts->malformed++;
		return false;
	}
	if (!node->user->wants(node->user->arg, message)) {
		counts->unwanted++;
		return false;
	}
	switch (discovery_gate_pass(node->gate, (const struct sockaddr *)&from->peer, message,
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

static void datagram_ready(struct loop_source *source, uint32_t events)
{
	struct discovery_node *node = ((struct listener *)source)->node;

	(void)events;
	for (unsigned i = 0; i < BATCH; i++) {
		uint8_t data[DISCOVERY_MAX + 1];
		struct discovery_path path;
		struct discovery_message message;
		ssize_t len = discovery_receive(source->fd, data, &path);

		if (len < 0)
			return;
		if (sound(node, &path, data, (size_t)len, &message))
			node->user->heard(node->user->arg, &message, (size_t)len, &path);
	}
}

/* ---- opening and closing ---- */

static int listen_on(struct discovery_node *node, int which, int family, uint16_t port)
{
	struct listener *listener = &node->listeners[which];
	int fd = discovery_socket(family, port), err;

	/* A kernel without IPv6 is found by IPv4. */
	if (fd == -EAFNOSUPPORT && family == AF_INET6)
		return 0;
	listener->node = node;
	listener->source = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = datagram_ready };
	err = fd < 0 ? fd : loop_watch(node->loop, &listener->source);
	if (!err)
		return 0;
	log_error("discovery: cannot listen on UDP port %u: %s", port, strerror(-err));
	if (fd >= 0)
		close(fd);
	listener->source.fd = -1;
	return -1;
}

static int listen_all(struct discovery_node *node, uint16_t second)
{
	if (listen_on(node, FOUR, AF_INET, node->port) || listen_on(node, SIX, AF_INET6, node->port))
		return -1;
	if (!second)
		return 0;
	return listen_on(node, FOUR_SECOND, AF_INET, second) || listen_on(node, SIX_SECOND, AF_INET6, second);
}

static int watch_changes(struct discovery_node *node)
{
	const struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), err = 0;

	node->changes = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = changes_ready };
	if (fd < 0 || bind(fd, (const struct sockaddr *)&groups, sizeof(groups)))
		err = -errno;
	if (!err)
		err = loop_watch(node->loop, &node->changes);
	if (!err)
		return 0;
	log_error("discovery: changes of addresses cannot be watched: %s", strerror(-err));
	if (fd >= 0)
		close(fd);
	node->changes.fd = -1;
	return -1;
}

struct discovery_node *discovery_node_open(struct loop *loop, uint16_t port, uint16_t second,
					   const struct discovery_user *user)
{
	struct discovery_node *node = calloc(1, sizeof(*node));

	if (!node) {
		log_error("discovery: out of memory");
		return NULL;
	}
	node->loop = loop;
	node->user = user;
	node->port = port;
	node->settle.expired = settled;
	node->changes.fd = -1;
	for (unsigned i = 0; i < LISTENERS; i++)
		node->listeners[i].source.fd = -1;
	node->gate = discovery_gate_new();
	if (!node->gate)
		log_error("discovery: out of memory or random numbers");
	if (!node->gate || watch_changes(node) || listen_all(node, second)) {
		discovery_node_close(node);
		return NULL;
	}
	look_around(node);
	return node;
}

static void stop_watching(struct discovery_node *node, struct loop_source *source)
{
	if (source->fd < 0)
		return;
	loop_unwatch(node->loop, source);
	close(source->fd);
}

void discovery_node_close(struct discovery_node *node)
{
	if (!node)
		return;
	loop_timer_cancel(node->loop, &node->settle);
	stop_watching(node, &node->changes);
	for (unsigned i = 0; i < LISTENERS; i++)
		stop_watching(node, &node->listeners[i].source);
	discovery_gate_free(node->gate);
	free(node);
}
