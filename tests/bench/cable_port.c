// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of the cable at the appliance: a usbip client of usbip-vudc, without the import handshake
 * (vudcd hands the connection over as it is). Which transfers there are is the plug's.
 */
#include "cable.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cable_usbip.h"
#include "lib/log.h"

#define MS 1000000ull
#define RETRY_FIRST_NS (50 * MS)
#define RETRY_LAST_NS (800 * MS)
#define ANSWER_NS (5000 * MS) /* for the descriptors, then the connection is given up */
#define READ_BYTES 65536

#define REQUEST_GET_DESCRIPTOR 6
#define DESCRIPTOR_DEVICE 1
#define DESCRIPTOR_CONFIGURATION 2

struct bytes {
	uint8_t *at;
	size_t length, room;
};

struct port {
	struct loop *loop;
	struct cable *cable;
	struct sockaddr_in address;
	struct loop_source source; /* fd -1: not connected */
	struct loop_timer timer;
	uint64_t retry_ns;
	bool wanted, up;
	uint32_t count;	      /* of sequence numbers */
	uint32_t connections; /* that were dropped */
	struct transfer *transfers;
	struct bytes in, out;
	struct descriptors descriptors;
};

static bool bytes_reserve(struct bytes *bytes, size_t more)
{
	size_t room = bytes->room ? bytes->room : READ_BYTES;
	uint8_t *at;

	while (room - bytes->length < more)
		room *= 2;
	if (room == bytes->room)
		return true;
	at = realloc(bytes->at, room);
	if (!at)
		return false;
	bytes->at = at;
	bytes->room = room;
	return true;
}

static void bytes_drop(struct bytes *bytes, size_t n)
{
	bytes->length -= n;
	memmove(bytes->at, bytes->at + n, bytes->length);
}

static void drop_connection(struct port *port)
{
	struct transfer *transfer;

	loop_timer_cancel(port->loop, &port->timer);
	if (port->source.fd >= 0) {
		loop_unwatch(port->loop, &port->source);
		close(port->source.fd);
		port->source.fd = -1;
	}
	while ((transfer = port->transfers)) {
		port->transfers = transfer->next;
		free(transfer);
	}
	port->in.length = port->out.length = 0;
	port->up = false;
	port->connections++;
}

/* The appliance is not there, or went: once more, a little later. */
static void lose(struct port *port, const char *why)
{
	if (port->up)
		log_info("port: the appliance is gone: %s", why);
	drop_connection(port);
	if (port->wanted)
		loop_timer_arm(port->loop, &port->timer, port->retry_ns);
	port->retry_ns = port->retry_ns * 2 > RETRY_LAST_NS ? RETRY_LAST_NS : port->retry_ns * 2;
	cable_changed(port->cable);
}

/* Never loses the connection: callers walk the transfers. An error shows when it is read next. */
static void flush(struct port *port)
{
	while (port->out.length) {
		ssize_t n =
			send(port->source.fd, port->out.at, port->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n <= 0)
			break;
		bytes_drop(&port->out, (size_t)n);
	}
	loop_change(port->loop, &port->source, EPOLLIN | (port->out.length ? EPOLLOUT : 0u));
}

struct transfer *port_submit(struct port *port, enum transfer_kind kind, uint8_t endpoint,
			     const uint8_t *setup, const void *data, uint32_t length)
{
	bool in = setup ? setup[0] & 0x80 : endpoint & 0x80;
	struct transfer *transfer;

	if (port->source.fd < 0 || length > USBIP_MAX_DATA)
		return NULL;
	transfer = calloc(1, sizeof(*transfer));
	if (!transfer || !bytes_reserve(&port->out, USBIP_HEADER + length)) {
		free(transfer);
		return NULL;
	}
	transfer->seq = usbip_seq(++port->count, in);
	transfer->kind = kind;
	transfer->endpoint = endpoint;
	usbip_submit(port->out.at + port->out.length, transfer->seq, endpoint, setup, length);
	port->out.length += USBIP_HEADER;
	if (!in && length) {
		memcpy(port->out.at + port->out.length, data, length);
		port->out.length += length;
	}
	transfer->next = port->transfers;
	port->transfers = transfer;
	flush(port);
	return transfer;
}

struct transfer *port_control(struct port *port, enum transfer_kind kind, uint8_t type, uint8_t request,
			      uint16_t value, uint16_t index, uint16_t length, const void *data)
{
	const uint8_t setup[8] = { type,
				   request,
				   (uint8_t)value,
				   (uint8_t)(value >> 8),
				   (uint8_t)index,
				   (uint8_t)(index >> 8),
				   (uint8_t)length,
				   (uint8_t)(length >> 8) };

	return port_submit(port, kind, 0, setup, data, length);
}

void port_unlink(struct port *port, struct transfer *transfer)
{
	if (transfer->unlink_seq || !bytes_reserve(&port->out, USBIP_HEADER))
		return;
	transfer->unlink_seq = usbip_seq(++port->count, false);
	usbip_unlink(port->out.at + port->out.length, transfer->unlink_seq, transfer->seq);
	port->out.length += USBIP_HEADER;
	flush(port);
}

struct transfer *port_transfers(struct port *port)
{
	return port->transfers;
}

/* Both descriptors are here: now the Target may know of the device. */
static void check_up(struct port *port)
{
	struct descriptors *d = &port->descriptors;

	if (!d->device_length || !d->configuration_length)
		return;
	loop_timer_cancel(port->loop, &port->timer);
	port->retry_ns = RETRY_FIRST_NS;
	port->up = true;
	log_info("port: the appliance's gadget is there, %zu bytes of configuration",
		 d->configuration_length);
	cable_changed(port->cable);
}

static void take_descriptor(struct port *port, const struct transfer *transfer,
			    const struct usbip_reply *reply)
{
	struct descriptors *d = &port->descriptors;

	if (reply->status || port->up)
		return;
	if (transfer->value == DESCRIPTOR_DEVICE && reply->length >= sizeof(d->device)) {
		memcpy(d->device, reply->data, sizeof(d->device));
		d->device_length = sizeof(d->device);
	} else if (transfer->value == DESCRIPTOR_CONFIGURATION && reply->length >= 9 &&
		   reply->length <= sizeof(d->configuration)) {
		memcpy(d->configuration, reply->data, reply->length);
		d->configuration_length = reply->length;
	}
	check_up(port);
}

/* The transfer that a reply ends, taken off the list; NULL for one that ended before. */
static struct transfer *take_transfer(struct port *port, const struct usbip_reply *reply)
{
	for (struct transfer **at = &port->transfers; *at; at = &(*at)->next) {
		struct transfer *transfer = *at;

		if ((reply->unlinked ? transfer->unlink_seq : transfer->seq) == reply->seq) {
			*at = transfer->next;
			return transfer;
		}
	}
	return NULL;
}

static void take_reply(struct port *port, const struct usbip_reply *reply)
{
	struct transfer *transfer = take_transfer(port, reply);

	if (!transfer)
		return;
	if (transfer->kind == TRANSFER_DESCRIPTOR)
		take_descriptor(port, transfer, reply);
	else
		plug_completed(cable_plug(port->cable), transfer,
			       reply->unlinked ? -ECONNRESET : reply->status, reply->data, reply->length);
	free(transfer);
}

static void take_input(struct port *port)
{
	const uint32_t connection = port->connections;
	struct usbip_reply reply;
	size_t at = 0;
	ssize_t n = 0;

	while (port->connections == connection &&
	       (n = usbip_parse(port->in.at + at, port->in.length - at, &reply)) > 0) {
		take_reply(port, &reply);
		at += (size_t)n;
	}
	if (port->connections != connection) /* a reply ended the connection, and with it the input */
		return;
	if (n < 0)
		lose(port, "no usbip reply");
	else
		bytes_drop(&port->in, at);
}

static void read_input(struct port *port)
{
	ssize_t n;

	if (!bytes_reserve(&port->in, READ_BYTES)) {
		lose(port, "out of memory");
		return;
	}
	n = recv(port->source.fd, port->in.at + port->in.length, READ_BYTES, MSG_DONTWAIT);
	if (n > 0) {
		port->in.length += (size_t)n;
		take_input(port);
	} else if (n == 0) {
		lose(port, "closed");
	} else if (errno != EAGAIN && errno != EINTR) {
		lose(port, strerror(errno));
	}
}

static void ready(struct loop_source *source, uint32_t events)
{
	struct port *port = (struct port *)((char *)source - offsetof(struct port, source));

	if (events & EPOLLOUT)
		flush(port);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		read_input(port);
}

static void ask_descriptors(struct port *port)
{
	struct transfer *transfer;

	memset(&port->descriptors, 0, sizeof(port->descriptors));
	transfer = port_control(port, TRANSFER_DESCRIPTOR, 0x80, REQUEST_GET_DESCRIPTOR,
				DESCRIPTOR_DEVICE << 8, 0, sizeof(port->descriptors.device), NULL);
	if (transfer)
		transfer->value = DESCRIPTOR_DEVICE;
	transfer = port_control(port, TRANSFER_DESCRIPTOR, 0x80, REQUEST_GET_DESCRIPTOR,
				DESCRIPTOR_CONFIGURATION << 8, 0, CABLE_DESCRIPTOR_MAX, NULL);
	if (transfer)
		transfer->value = DESCRIPTOR_CONFIGURATION;
}

/* QEMU takes the connection before the appliance does, and closes it if that does not listen yet. What is
 * written while the connection is made stays in our buffer: no state of its own is needed for that. */
static void connect_once(struct port *port)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    (connect(fd, (struct sockaddr *)&port->address, sizeof(port->address)) < 0 &&
	     errno != EINPROGRESS)) {
		log_debug("port: connecting: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		lose(port, "no connection");
		return;
	}
	port->source = (struct loop_source){ .fd = fd, .events = EPOLLIN | EPOLLOUT, .ready = ready };
	if (loop_watch(port->loop, &port->source)) {
		close(fd);
		port->source.fd = -1;
		lose(port, "no event");
		return;
	}
	loop_timer_arm(port->loop, &port->timer, ANSWER_NS);
	ask_descriptors(port);
}

static void expired(struct loop_timer *timer)
{
	struct port *port = (struct port *)((char *)timer - offsetof(struct port, timer));

	if (port->source.fd >= 0)
		lose(port, "no answer");
	else
		connect_once(port);
}

void port_open(struct port *port)
{
	if (port->wanted)
		return;
	port->wanted = true;
	port->retry_ns = RETRY_FIRST_NS;
	connect_once(port);
}

void port_close(struct port *port)
{
	port->wanted = false;
	drop_connection(port);
}

bool port_is_up(const struct port *port)
{
	return port->up;
}

const struct descriptors *port_descriptors(const struct port *port)
{
	return &port->descriptors;
}

struct port *port_new(struct loop *loop, struct cable *cable, const char *host, uint16_t tcp_port)
{
	struct port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	port->loop = loop;
	port->cable = cable;
	port->source.fd = -1;
	port->timer.expired = expired;
	port->address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(tcp_port) };
	if (inet_pton(AF_INET, host, &port->address.sin_addr) != 1) {
		free(port);
		errno = EINVAL;
		return NULL;
	}
	return port;
}

void port_free(struct port *port)
{
	if (!port)
		return;
	port_close(port);
	free(port->in.at);
	free(port->out.at);
	free(port);
}
