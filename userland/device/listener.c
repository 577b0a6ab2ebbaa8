// SPDX-License-Identifier: GPL-2.0-or-later
/* Accepting, one connection at a time, so that others have their turn. */
#include "device/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/peer.h"

#define BACKOFF_NS 1000000000ull
/* A Client that answers nothing for so long, or takes nothing of what waits for it, is gone or as good as gone. */
#define GONE_MS 25000
/* What the kernel may hold unsent of an update when the next one is made. */
#define NOTSENT_BYTES 16384

static void tune(int fd)
{
	int one = 1, notsent = NOTSENT_BYTES, idle = 10, interval = 5, patience = GONE_MS;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &notsent, sizeof(notsent));
	/* A Client whose network is gone says nothing, and may have a key down. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof(patience));
}

static void ready(struct loop_source *source, uint32_t events)
{
	struct listener *listener = (struct listener *)((char *)source - offsetof(struct listener, source));
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof(address);
	int fd = accept4(source->fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
		/* Whoever waits stays in the queue; asking again at once would only burn time. */
		loop_change(listener->loop, source, 0);
		loop_timer_arm(listener->loop, &listener->backoff, BACKOFF_NS);
	}
	if (fd < 0)
		return;
	tune(fd);
	listener->accepted(listener, fd, &address);
}

static void backoff_expired(struct loop_timer *timer)
{
	struct listener *listener = (struct listener *)((char *)timer - offsetof(struct listener, backoff));

	loop_change(listener->loop, &listener->source, EPOLLIN);
}

int listener_open(struct listener *listener, struct loop *loop, const char *address, uint16_t port)
{
	int fd = peer_listen("channel", address, port);

	if (fd < 0)
		return -1;
	listener->backoff.expired = backoff_expired;
	listener->source = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = ready };
	if (loop_watch(loop, &listener->source)) {
		close(fd);
		return -1;
	}
	listener->loop = loop;
	return 0;
}

void listener_close(struct listener *listener)
{
	if (!listener->loop)
		return;
	loop_timer_cancel(listener->loop, &listener->backoff);
	loop_unwatch(listener->loop, &listener->source);
	close(listener->source.fd);
	listener->loop = NULL;
}
