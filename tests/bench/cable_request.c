// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the Target's QEMU asks of the device becomes transfers at the port; what becomes of them, answers.
 * The connection itself is cable_plug.c's.
 */
#include "cable_plug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

/* An interrupt endpoint's requests at the gadget: enough that one is always there when it reports. */
#define INTERRUPT_DEPTH 4
/* f_hid ends each report that fills a packet with an empty one: a request longer than a packet takes both. */
#define INTERRUPT_SLACK 64

#define TYPE_IN 0x80
#define TYPE_INTERFACE 0x01
enum { GET_CONFIGURATION = 8, SET_CONFIGURATION = 9, GET_INTERFACE = 10, SET_INTERFACE = 11 };

static struct port *port_of(const struct plug *plug)
{
	return cable_port(plug->cable);
}

static bool is_running(const struct plug *plug)
{
	return plug->attached && plug->configuration && port_is_up(port_of(plug));
}

static uint8_t status_of(int status)
{
	switch (status) {
	case 0:
		return usb_redir_success;
	case -EPIPE:
		return usb_redir_stall;
	case -EOVERFLOW:
		return usb_redir_babble;
	case -ECONNRESET:
	case -ENOENT:
		return usb_redir_cancelled;
	case -ETIMEDOUT:
		return usb_redir_timeout;
	default:
		return usb_redir_ioerror;
	}
}

static void poll_endpoint(struct plug *plug, uint8_t endpoint)
{
	unsigned n = 0;

	for (struct transfer *t = port_transfers(port_of(plug)); t; t = t->next)
		n += t->kind == TRANSFER_INTERRUPT_IN && t->endpoint == endpoint;
	for (; plug->polled[endpoint & 15] && n < INTERRUPT_DEPTH; n++) {
		struct transfer *t = port_submit(port_of(plug), TRANSFER_INTERRUPT_IN, endpoint, NULL, NULL,
						 plug->packet[endpoint & 15] + INTERRUPT_SLACK);

		if (!t)
			return;
		t->interrupt = (struct usb_redir_interrupt_packet_header){ .endpoint = endpoint };
	}
}

static void stop_polling(struct plug *plug, uint8_t endpoint)
{
	plug->polled[endpoint & 15] = false;
	for (struct transfer *t = port_transfers(port_of(plug)); t; t = t->next) {
		if (t->kind == TRANSFER_INTERRUPT_IN && t->endpoint == endpoint) {
			t->kind = TRANSFER_FORGOTTEN;
			port_unlink(port_of(plug), t);
		}
	}
}

static void stop_all_polling(struct plug *plug)
{
	for (unsigned i = 0; i < PLUG_ENDPOINTS; i++) {
		if (plug->polled[i])
			stop_polling(plug, (uint8_t)(TYPE_IN | i));
	}
}

static void interrupt_completed(struct plug *plug, struct transfer *t, uint8_t status, const uint8_t *data,
				uint32_t length)
{
	struct usb_redir_interrupt_receiving_status_header stopped = { .status = status,
								       .endpoint = t->endpoint };

	t->interrupt.status = status;
	t->interrupt.length = (uint16_t)length;
	if (status != usb_redir_success) {
		plug->polled[t->endpoint & 15] = false;
		usbredirparser_send_interrupt_receiving_status(plug->parser, 0, &stopped);
		return;
	}
	if (length) /* never the empty packet: QEMU would hand it on as a report */
		usbredirparser_send_interrupt_packet(plug->parser, plug->reports++, &t->interrupt,
						     (uint8_t *)data, (int)length);
	if (length == sizeof(plug->keys)) {
		memcpy(plug->keys, data, length);
		plug->keys_told = true;
	}
	poll_endpoint(plug, t->endpoint);
}

static void set_configuration_completed(struct plug *plug, const struct transfer *t, uint8_t status)
{
	struct usb_redir_configuration_status_header answer = { .status = status };

	if (status == usb_redir_success) {
		plug->configuration = t->value;
		memset(plug->alt, 0, sizeof(plug->alt));
	}
	log_info("plug: the Target sets configuration %u", t->value);
	answer.configuration = plug->configuration;
	plug_send_info(plug);
	usbredirparser_send_configuration_status(plug->parser, t->id, &answer);
	cable_changed(plug->cable);
}

static void alt_completed(struct plug *plug, const struct transfer *t, uint8_t status, uint8_t alt)
{
	struct usb_redir_alt_setting_status_header answer = { .status = status,
							      .interface = t->interface,
							      .alt = alt };

	if (t->kind == TRANSFER_SET_ALT && status == usb_redir_success) {
		plug->alt[t->interface % PLUG_INTERFACES] = alt;
		plug_send_info(plug);
	}
	usbredirparser_send_alt_setting_status(plug->parser, t->id, &answer);
}

void plug_completed(struct plug *plug, struct transfer *t, int status, const uint8_t *data, uint32_t length)
{
	struct usb_redir_configuration_status_header configuration = { .status = status_of(status) };
	uint8_t *in = (uint8_t *)data;

	if (!plug->parser || !plug->attached)
		return;
	switch (t->kind) {
	case TRANSFER_CONTROL:
		t->control.status = status_of(status);
		t->control.length = (uint16_t)length;
		usbredirparser_send_control_packet(plug->parser, t->id, &t->control, length ? in : NULL,
						   (int)length);
		break;
	case TRANSFER_BULK:
		t->bulk.status = status_of(status);
		t->bulk.length = (uint16_t)length;
		t->bulk.length_high = (uint16_t)(length >> 16);
		usbredirparser_send_bulk_packet(plug->parser, t->id, &t->bulk, length ? in : NULL,
						(int)length);
		break;
	case TRANSFER_INTERRUPT_OUT:
		t->interrupt.status = status_of(status);
		usbredirparser_send_interrupt_packet(plug->parser, t->id, &t->interrupt, NULL, 0);
		break;
	case TRANSFER_INTERRUPT_IN:
		interrupt_completed(plug, t, status_of(status), data, length);
		break;
	case TRANSFER_SET_CONFIGURATION:
		set_configuration_completed(plug, t, status_of(status));
		break;
	case TRANSFER_GET_CONFIGURATION:
		configuration.configuration = length ? data[0] : 0;
		usbredirparser_send_configuration_status(plug->parser, t->id, &configuration);
		break;
	case TRANSFER_SET_ALT:
	case TRANSFER_GET_ALT:
		alt_completed(plug, t, status_of(status),
			      t->kind == TRANSFER_SET_ALT ? t->value : (uint8_t)(length ? data[0] : 0));
		break;
	case TRANSFER_DESCRIPTOR:
	case TRANSFER_FORGOTTEN:
		break;
	}
	plug_flush(plug);
	if (t->kind == TRANSFER_INTERRUPT_IN)
		cable_changed(plug->cable);
}

static void on_hello(void *arg, struct usb_redir_hello_header *hello)
{
	struct plug *plug = arg;

	(void)hello;
	plug->hello = true;
	log_info("plug: the Target is on");
	cable_changed(plug->cable);
}

/* A bus reset: nothing of before is answered, and the gadget is unconfigured as by a real one. */
static void on_reset(void *arg)
{
	struct plug *plug = arg;

	for (struct transfer *t = port_transfers(port_of(plug)); t; t = t->next) {
		if (t->kind == TRANSFER_INTERRUPT_IN)
			t->kind = TRANSFER_FORGOTTEN;
		if (t->kind != TRANSFER_DESCRIPTOR)
			port_unlink(port_of(plug), t);
	}
	memset(plug->polled, 0, sizeof(plug->polled));
	memset(plug->alt, 0, sizeof(plug->alt));
	if (plug->configuration)
		port_control(port_of(plug), TRANSFER_FORGOTTEN, 0, SET_CONFIGURATION, 0, 0, 0, NULL);
	plug->configuration = 0;
}

static void on_set_configuration(void *arg, uint64_t id, struct usb_redir_set_configuration_header *set)
{
	struct usb_redir_configuration_status_header refused = { .status = usb_redir_ioerror };
	struct plug *plug = arg;
	struct transfer *t;

	stop_all_polling(plug);
	t = port_control(port_of(plug), TRANSFER_SET_CONFIGURATION, 0, SET_CONFIGURATION, set->configuration,
			 0, 0, NULL);
	if (!t) {
		usbredirparser_send_configuration_status(plug->parser, id, &refused);
		return;
	}
	t->id = id;
	t->value = set->configuration;
}

static void on_get_configuration(void *arg, uint64_t id)
{
	struct usb_redir_configuration_status_header refused = { .status = usb_redir_ioerror };
	struct plug *plug = arg;
	struct transfer *t = port_control(port_of(plug), TRANSFER_GET_CONFIGURATION, TYPE_IN,
					  GET_CONFIGURATION, 0, 0, 1, NULL);

	if (t)
		t->id = id;
	else
		usbredirparser_send_configuration_status(plug->parser, id, &refused);
}

static void ask_alt(struct plug *plug, uint64_t id, enum transfer_kind kind, uint8_t interface, uint8_t alt)
{
	struct usb_redir_alt_setting_status_header refused = { .status = usb_redir_ioerror,
							       .interface = interface };
	struct transfer *t;

	if (kind == TRANSFER_SET_ALT)
		t = port_control(port_of(plug), kind, TYPE_INTERFACE, SET_INTERFACE, alt, interface, 0, NULL);
	else
		t = port_control(port_of(plug), kind, TYPE_IN | TYPE_INTERFACE, GET_INTERFACE, 0, interface,
				 1, NULL);
	if (!t) {
		usbredirparser_send_alt_setting_status(plug->parser, id, &refused);
		return;
	}
	t->id = id;
	t->interface = interface;
	t->value = alt;
}

static void on_set_alt(void *arg, uint64_t id, struct usb_redir_set_alt_setting_header *set)
{
	ask_alt(arg, id, TRANSFER_SET_ALT, set->interface, set->alt);
}

static void on_get_alt(void *arg, uint64_t id, struct usb_redir_get_alt_setting_header *get)
{
	ask_alt(arg, id, TRANSFER_GET_ALT, get->interface, 0);
}

/* A request for a disabled endpoint would end vudc's connection: unconfigured, it is answered here. */
static void on_start_interrupt(void *arg, uint64_t id,
			       struct usb_redir_start_interrupt_receiving_header *start)
{
	struct usb_redir_interrupt_receiving_status_header answer = { .endpoint = start->endpoint };
	struct plug *plug = arg;
	bool known = is_running(plug) && (start->endpoint & TYPE_IN) && plug->packet[start->endpoint & 15];

	answer.status = known ? usb_redir_success : usb_redir_inval;
	usbredirparser_send_interrupt_receiving_status(plug->parser, id, &answer);
	if (known) {
		plug->polled[start->endpoint & 15] = true;
		poll_endpoint(plug, start->endpoint);
	}
}

static void on_stop_interrupt(void *arg, uint64_t id, struct usb_redir_stop_interrupt_receiving_header *stop)
{
	struct usb_redir_interrupt_receiving_status_header answer = { .endpoint = stop->endpoint };
	struct plug *plug = arg;

	answer.status = usb_redir_success;
	stop_polling(plug, stop->endpoint);
	usbredirparser_send_interrupt_receiving_status(plug->parser, id, &answer);
}

static void on_cancel(void *arg, uint64_t id)
{
	struct plug *plug = arg;

	for (struct transfer *t = port_transfers(port_of(plug)); t; t = t->next) {
		if (t->id == id && (t->kind == TRANSFER_CONTROL || t->kind == TRANSFER_BULK ||
				    t->kind == TRANSFER_INTERRUPT_OUT))
			port_unlink(port_of(plug), t);
	}
}

static void on_control(void *arg, uint64_t id, struct usb_redir_control_packet_header *packet, uint8_t *data,
		       int length)
{
	struct plug *plug = arg;
	struct transfer *t = NULL;

	if ((packet->requesttype & TYPE_IN) || packet->length == length)
		t = port_control(port_of(plug), TRANSFER_CONTROL, packet->requesttype, packet->request,
				 packet->value, packet->index, packet->length, data);
	if (t) {
		t->id = id;
		t->control = *packet;
	} else {
		packet->status = usb_redir_ioerror;
		packet->length = 0;
		usbredirparser_send_control_packet(plug->parser, id, packet, NULL, 0);
	}
	usbredirparser_free_packet_data(plug->parser, data);
}

static void on_bulk(void *arg, uint64_t id, struct usb_redir_bulk_packet_header *packet, uint8_t *data,
		    int length)
{
	uint32_t wanted = packet->length | (uint32_t)packet->length_high << 16;
	struct plug *plug = arg;
	struct transfer *t = NULL;

	if (is_running(plug) && ((packet->endpoint & TYPE_IN) || wanted == (uint32_t)length))
		t = port_submit(port_of(plug), TRANSFER_BULK, packet->endpoint, NULL, data, wanted);
	if (t) {
		t->id = id;
		t->bulk = *packet;
	} else {
		packet->status = usb_redir_inval;
		packet->length = packet->length_high = 0;
		usbredirparser_send_bulk_packet(plug->parser, id, packet, NULL, 0);
	}
	usbredirparser_free_packet_data(plug->parser, data);
}

static void on_interrupt(void *arg, uint64_t id, struct usb_redir_interrupt_packet_header *packet,
			 uint8_t *data, int length)
{
	struct plug *plug = arg;
	struct transfer *t = NULL;

	if (is_running(plug) && !(packet->endpoint & TYPE_IN))
		t = port_submit(port_of(plug), TRANSFER_INTERRUPT_OUT, packet->endpoint, NULL, data,
				(uint32_t)length);
	if (t) {
		t->id = id;
		t->interrupt = *packet;
	} else {
		packet->status = usb_redir_inval;
		packet->length = 0;
		usbredirparser_send_interrupt_packet(plug->parser, id, packet, NULL, 0);
	}
	usbredirparser_free_packet_data(plug->parser, data);
}

static void on_start_iso(void *arg, uint64_t id, struct usb_redir_start_iso_stream_header *start)
{
	struct usb_redir_iso_stream_status_header refused = { .status = usb_redir_inval,
							      .endpoint = start->endpoint };
	struct plug *plug = arg;

	usbredirparser_send_iso_stream_status(plug->parser, id, &refused);
}

static void on_start_bulk(void *arg, uint64_t id, struct usb_redir_start_bulk_receiving_header *start)
{
	struct usb_redir_bulk_receiving_status_header refused = { .stream_id = start->stream_id,
								  .endpoint = start->endpoint,
								  .status = usb_redir_inval };
	struct plug *plug = arg;

	usbredirparser_send_bulk_receiving_status(plug->parser, id, &refused);
}

static void on_detached(void *arg)
{
	struct plug *plug = arg;

	plug->detaching = false;
	cable_changed(plug->cable);
}

static void on_reject(void *arg)
{
	(void)arg;
	log_error("plug: the Target's QEMU refuses the device (its filter, or the controller's speed)");
}

static void on_filter(void *arg, struct usbredirfilter_rule *rules, int count)
{
	(void)arg;
	(void)count;
	free(rules);
}

void request_callbacks(struct usbredirparser *p)
{
	p->hello_func = on_hello;
	p->reset_func = on_reset;
	p->set_configuration_func = on_set_configuration;
	p->get_configuration_func = on_get_configuration;
	p->set_alt_setting_func = on_set_alt;
	p->get_alt_setting_func = on_get_alt;
	p->start_interrupt_receiving_func = on_start_interrupt;
	p->stop_interrupt_receiving_func = on_stop_interrupt;
	p->cancel_data_packet_func = on_cancel;
	p->control_packet_func = on_control;
	p->bulk_packet_func = on_bulk;
	p->interrupt_packet_func = on_interrupt;
	p->start_iso_stream_func = on_start_iso;
	p->start_bulk_receiving_func = on_start_bulk;
	p->device_disconnect_ack_func = on_detached;
	p->filter_reject_func = on_reject;
	p->filter_filter_func = on_filter;
}
