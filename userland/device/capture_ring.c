// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * "unix:PATH": the listening socket, one producer at a time. What its packets
 * mean is feed.c's.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "device/feed.h"
#include "lib/log.h"

struct capture_ring {
	struct capture_source source;
	struct loop *loop;
	struct feed *feed;
	struct loop_source listener;
	struct loop_source producer; /* fd < 0: none */
	bool broken;		     /* the producer is to be dropped */
	struct sockaddr_un address;
};

static struct capture_ring *ring_of(struct capture_source *source)
{
	return (struct capture_ring *)((char *)source - offsetof(struct capture_ring, source));
}

static void drop_producer(struct capture_ring *ring, const char *why)
{
	log_info("capture: producer: %s", why);
	loop_unwatch(ring->loop, &ring->producer);
	close(ring->producer.fd);
	ring->producer.fd = -1;
	ring->broken = false;
	feed_gone(ring->feed);
}

/* A producer that does not read its answers is broken; it must not stop us. */
static void send_message(void *arg, const struct producer_message *message, int fd)
{
	struct capture_ring *ring = arg;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { (void *)message, sizeof(*message) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(int));
	}
	if (ring->producer.fd >= 0 && sendmsg(ring->producer.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		ring->broken = true;
}

static void producer_ready(struct loop_source *source, uint32_t events)
{
	struct capture_ring *ring =
		(struct capture_ring *)((char *)source - offsetof(struct capture_ring, producer));
	char packet[sizeof(struct producer_message) + 1];
	const char *error = NULL;
	ssize_t n;

	(void)events;
	n = recv(source->fd, packet, sizeof(packet), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		error = "gone";
	else
		error = feed_packet(ring->feed, packet, (size_t)n);
	if (!error && ring->broken)
		error = "does not read its answers";
	if (error)
		drop_producer(ring, error);
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	struct capture_ring *ring =
		(struct capture_ring *)((char *)source - offsetof(struct capture_ring, listener));
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (ring->producer.fd >= 0) {
		log_warn("capture: a second producer is refused");
		close(fd);
		return;
	}
	ring->producer = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = producer_ready };
	if (loop_watch(ring->loop, &ring->producer)) {
		ring->producer.fd = -1;
		close(fd);
	}
}

static int ring_acquire(struct capture_source *source, unsigned reader, struct kvmcap_frame *frame,
			uint64_t *damage, const uint8_t **pixels)
{
	return feed_acquire(ring_of(source)->feed, reader, frame, damage, pixels);
}

static void ring_release(struct capture_source *source, unsigned reader, const struct kvmcap_frame *frame)
{
	feed_release(ring_of(source)->feed, reader, frame);
}

static void ring_state(struct capture_source *source, struct capture_mode *mode)
{
	feed_state(ring_of(source)->feed, mode);
}

static void ring_close(struct capture_source *source)
{
	struct capture_ring *ring = ring_of(source);

	if (ring->producer.fd >= 0) {
		loop_unwatch(ring->loop, &ring->producer);
		close(ring->producer.fd);
	}
	if (ring->listener.fd >= 0) {
		loop_unwatch(ring->loop, &ring->listener);
		close(ring->listener.fd);
		unlink(ring->address.sun_path);
	}
	feed_free(ring->feed);
	free(ring);
}

static const struct capture_source_ops ring_ops = {
	.acquire = ring_acquire,
	.release = ring_release,
	.state = ring_state,
	.close = ring_close,
};

/* Only our own user may play the hardware: the socket's mode says so from its first moment. */
static int listen_at(struct sockaddr_un *address, const char *path)
{
	mode_t old;
	int fd, err;

	if (strlen(path) >= sizeof(address->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	address->sun_family = AF_UNIX;
	strcpy(address->sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	unlink(path);
	old = umask(0077);
	err = bind(fd, (struct sockaddr *)address, sizeof(*address));
	umask(old);
	if (!err && !listen(fd, 4))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

struct capture_source *capture_ring_open(struct loop *loop, const char *path,
					 const struct capture_source_events *events)
{
	struct capture_ring *ring = calloc(1, sizeof(*ring));
	struct feed_output output = { .send = send_message, .arg = ring };

	if (!ring)
		return NULL;
	ring->source.ops = &ring_ops;
	ring->loop = loop;
	ring->producer.fd = -1;
	ring->feed = feed_new(&output, events);
	ring->listener.fd = listen_at(&ring->address, path);
	ring->listener.events = EPOLLIN;
	ring->listener.ready = listener_ready;
	if (!ring->feed || ring->listener.fd < 0 || loop_watch(loop, &ring->listener)) {
		log_error("capture: cannot listen for a producer at %s: %s", path, strerror(errno));
		if (ring->listener.fd >= 0)
			close(ring->listener.fd);
		feed_free(ring->feed);
		free(ring);
		return NULL;
	}
	return &ring->source;
}
