// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of the cable at the Target: the usb-host side of usbredir, to QEMU's -device usb-redir. QEMU
 * connects to us, so the cable has power while the Target runs. Transfers themselves are the port's.
 *
 * What QEMU 7.2's usbredir needs: interface and endpoint info before device_connect, and again after each
 * SET_CONFIGURATION before its status. It handles SET_ADDRESS itself.
 */
#include "cable_plug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"

#define DIRECTION_IN 0x80 /* of an endpoint's address */
enum { DESCRIPTOR_INTERFACE = 4, DESCRIPTOR_ENDPOINT = 5 };

static void fill_interface(struct usb_redir_interface_info_header *info, const uint8_t *d)
{
	uint32_t n = info->interface_count;

	if (n >= PLUG_INTERFACES)
		return;
	info->interface[n] = d[2];
	info->interface_class[n] = d[5];
	info->interface_subclass[n] = d[6];
	info->interface_protocol[n] = d[7];
	info->interface_count = n + 1;
}

static void fill_endpoint(struct plug *plug, struct usb_redir_ep_info_header *info, const uint8_t *d,
			  uint8_t interface)
{
	unsigned at = (d[2] & 15) | (d[2] & DIRECTION_IN ? 16 : 0);

	info->type[at] = d[3] & 3;
	info->interval[at] = d[6];
	info->interface[at] = interface;
	info->max_packet_size[at] = (uint16_t)(d[4] | d[5] << 8);
	if ((d[2] & DIRECTION_IN) && (d[3] & 3) == usb_redir_type_interrupt)
		plug->packet[d[2] & 15] = info->max_packet_size[at] & 0x7ff;
}

/* What usbredir says about the device is read off its configuration descriptor (USB 2.0, 9.6). */
void plug_send_info(struct plug *plug)
{
	const struct descriptors *all = port_descriptors(cable_port(plug->cable));
	struct usb_redir_interface_info_header interfaces = { 0 };
	struct usb_redir_ep_info_header endpoints = { 0 };
	uint8_t interface = 0, alt = 0;

	memset(endpoints.type, usb_redir_type_invalid, sizeof(endpoints.type));
	endpoints.type[0] = endpoints.type[16] = usb_redir_type_control;
	endpoints.max_packet_size[0] = endpoints.max_packet_size[16] = all->device[7];
	for (size_t at = 0; at + 2 <= all->configuration_length;) {
		const uint8_t *d = all->configuration + at;

		if (d[0] < 2 || at + d[0] > all->configuration_length)
			break;
		if (d[1] == DESCRIPTOR_INTERFACE && d[0] >= 9) {
			interface = d[2] % PLUG_INTERFACES;
			alt = d[3];
			if (alt == plug->alt[interface])
				fill_interface(&interfaces, d);
		} else if (d[1] == DESCRIPTOR_ENDPOINT && d[0] >= 7 && alt == plug->alt[interface]) {
			fill_endpoint(plug, &endpoints, d, interface);
		}
		at += d[0];
	}
	usbredirparser_send_interface_info(plug->parser, &interfaces);
	usbredirparser_send_ep_info(plug->parser, &endpoints);
}

static void on_log(void *arg, int level, const char *message)
{
	(void)arg;
	if (level <= usbredirparser_warning)
		log_warn("plug: %s", message);
}

static int on_read(void *arg, uint8_t *data, int count)
{
	struct plug *plug = arg;
	ssize_t n = recv(plug->source.fd, data, (size_t)count, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n > 0 ? (int)n : -1;
}

static int on_write(void *arg, uint8_t *data, int count)
{
	struct plug *plug = arg;
	ssize_t n = send(plug->source.fd, data, (size_t)count, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n < 0 ? -1 : (int)n;
}

static struct usbredirparser *make_parser(struct plug *plug)
{
	uint32_t caps[USB_REDIR_CAPS_SIZE] = { 0 };
	struct usbredirparser *p = usbredirparser_create();

	if (!p)
		return NULL;
	p->priv = plug;
	p->log_func = on_log;
	p->read_func = on_read;
	p->write_func = on_write;
	request_callbacks(p);
	usbredirparser_caps_set_cap(caps, usb_redir_cap_connect_device_version);
	usbredirparser_caps_set_cap(caps, usb_redir_cap_filter);
	usbredirparser_caps_set_cap(caps, usb_redir_cap_device_disconnect_ack);
	usbredirparser_caps_set_cap(caps, usb_redir_cap_ep_info_max_packet_size);
	usbredirparser_caps_set_cap(caps, usb_redir_cap_64bits_ids);
	usbredirparser_caps_set_cap(caps, usb_redir_cap_32bits_bulk_length);
	usbredirparser_init(p, "kvmnet cable", caps, USB_REDIR_CAPS_SIZE, usbredirparser_fl_usb_host);
	return p;
}

static void lose(struct plug *plug)
{
	if (plug->source.fd < 0)
		return;
	log_info("plug: the Target is off");
	loop_unwatch(plug->loop, &plug->source);
	close(plug->source.fd);
	plug->source.fd = -1;
	usbredirparser_destroy(plug->parser);
	plug->parser = NULL;
	plug->hello = plug->attached = plug->detaching = false;
	plug->configuration = 0;
	memset(plug->polled, 0, sizeof(plug->polled));
	cable_changed(plug->cable);
}

/* Callbacks run inside of the parser, so a failed write is left to the next read to find. */
void plug_flush(struct plug *plug)
{
	while (usbredirparser_has_data_to_write(plug->parser)) {
		int before = usbredirparser_has_data_to_write(plug->parser);

		if (usbredirparser_do_write(plug->parser) < 0 ||
		    usbredirparser_has_data_to_write(plug->parser) >= before)
			break;
	}
	loop_change(plug->loop, &plug->source,
		    EPOLLIN | (usbredirparser_has_data_to_write(plug->parser) ? EPOLLOUT : 0u));
}

static void ready(struct loop_source *source, uint32_t events)
{
	struct plug *plug = (struct plug *)((char *)source - offsetof(struct plug, source));
	int result = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		result = usbredirparser_do_read(plug->parser);
	if (result == usbredirparser_read_io_error) {
		lose(plug);
		return;
	}
	plug_flush(plug);
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	struct plug *plug = (struct plug *)((char *)source - offsetof(struct plug, listener));
	int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	lose(plug); /* a Target that was started anew */
	plug->source = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = ready };
	plug->parser = make_parser(plug);
	if (!plug->parser || loop_watch(plug->loop, &plug->source)) {
		log_error("plug: out of memory or events");
		if (plug->parser)
			usbredirparser_destroy(plug->parser);
		plug->parser = NULL;
		close(fd);
		plug->source.fd = -1;
		return;
	}
	plug_flush(plug);
}

bool plug_has_target(const struct plug *plug)
{
	return plug->hello;
}

bool plug_is_attached(const struct plug *plug)
{
	return plug->attached;
}

bool plug_is_detaching(const struct plug *plug)
{
	return plug->detaching;
}

uint8_t plug_configuration(const struct plug *plug)
{
	return plug->attached ? plug->configuration : 0;
}

uint64_t plug_reports(const struct plug *plug)
{
	return plug->reports;
}

const uint8_t *plug_keys(const struct plug *plug)
{
	return plug->attached && plug->keys_told ? plug->keys : NULL;
}

void plug_attach(struct plug *plug)
{
	const uint8_t *d = port_descriptors(cable_port(plug->cable))->device;
	struct usb_redir_device_connect_header connect = { .speed = usb_redir_speed_high };

	connect.device_class = d[4];
	connect.device_subclass = d[5];
	connect.device_protocol = d[6];
	connect.vendor_id = (uint16_t)(d[8] | d[9] << 8);
	connect.product_id = (uint16_t)(d[10] | d[11] << 8);
	connect.device_version_bcd = (uint16_t)(d[12] | d[13] << 8);
	plug->attached = true;
	plug->configuration = 0;
	plug->keys_told = false;
	memset(plug->alt, 0, sizeof(plug->alt));
	plug_send_info(plug);
	usbredirparser_send_device_connect(plug->parser, &connect);
	plug_flush(plug);
	log_info("plug: attached %04x:%04x", connect.vendor_id, connect.product_id);
}

void plug_detach(struct plug *plug)
{
	if (!plug->attached)
		return;
	plug->attached = false;
	plug->configuration = 0;
	memset(plug->polled, 0, sizeof(plug->polled));
	plug->detaching = usbredirparser_peer_has_cap(plug->parser, usb_redir_cap_device_disconnect_ack);
	usbredirparser_send_device_disconnect(plug->parser);
	plug_flush(plug);
	log_info("plug: detached");
}

struct plug *plug_new(struct loop *loop, struct cable *cable, const char *path)
{
	struct plug *plug = calloc(1, sizeof(*plug));
	int fd, error;

	if (!plug)
		return NULL;
	plug->loop = loop;
	plug->cable = cable;
	plug->source.fd = -1;
	fd = cable_listen(path, SOCK_STREAM);
	plug->listener = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = listener_ready };
	error = fd < 0 ? fd : loop_watch(loop, &plug->listener);
	if (error) {
		log_error("plug: listening on %s: %s", path, strerror(-error));
		if (fd >= 0)
			close(fd);
		free(plug);
		return NULL;
	}
	return plug;
}

void plug_free(struct plug *plug)
{
	if (!plug)
		return;
	loop_unwatch(plug->loop, &plug->listener);
	close(plug->listener.fd);
	lose(plug);
	free(plug);
}
