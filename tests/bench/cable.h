/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the USB cable: the port (usbip, to the appliance's gadget), the plug (usbredir, to the
 * Target's QEMU), the control socket, and the cable between them.
 */
#ifndef KVMNET_BENCH_CABLE_H
#define KVMNET_BENCH_CABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <usbredirproto.h>

#include "lib/loop.h"

struct cable;

/* What a transfer is for; it decides how its end is told to the Target. */
enum transfer_kind {
	TRANSFER_DESCRIPTOR, /* ours, before the Target knows of the device */
	TRANSFER_CONTROL,
	TRANSFER_BULK,
	TRANSFER_INTERRUPT_IN,
	TRANSFER_INTERRUPT_OUT,
	TRANSFER_SET_CONFIGURATION,
	TRANSFER_GET_CONFIGURATION,
	TRANSFER_SET_ALT,
	TRANSFER_GET_ALT,
	TRANSFER_FORGOTTEN, /* nobody waits for it any more */
};

struct transfer {
	struct transfer *next;
	uint32_t seq, unlink_seq; /* unlink_seq 0: not unlinked */
	enum transfer_kind kind;
	uint8_t endpoint; /* bit 7: to the host */
	uint64_t id;	  /* usbredir's */
	union {
		struct usb_redir_control_packet_header control;
		struct usb_redir_bulk_packet_header bulk;
		struct usb_redir_interrupt_packet_header interrupt;
		struct {
			uint8_t interface, value; /* of configuration, alternate setting, descriptor type */
		};
	};
};

#define CABLE_DESCRIPTOR_MAX 4096
#define PLUG_KEYBOARD_REPORT 8 /* bytes; the pointer's are shorter */

struct descriptors {
	uint8_t device[18];
	uint8_t configuration[CABLE_DESCRIPTOR_MAX];
	size_t device_length, configuration_length;
};

/* ---- cable_port.c: the appliance's side ---- */
struct port;
struct port *port_new(struct loop *loop, struct cable *cable, const char *host, uint16_t tcp_port);
void port_free(struct port *port);
void port_open(struct port *port);  /* connects, again and again; cable_port_up() tells */
void port_close(struct port *port); /* what is outstanding is forgotten */
bool port_is_up(const struct port *port);
const struct descriptors *port_descriptors(const struct port *port);
/* data: of transfers to the device. NULL when out of memory. */
struct transfer *port_submit(struct port *port, enum transfer_kind kind, uint8_t endpoint,
			     const uint8_t *setup, const void *data, uint32_t length);
struct transfer *port_control(struct port *port, enum transfer_kind kind, uint8_t type, uint8_t request,
			      uint16_t value, uint16_t index, uint16_t length, const void *data);
void port_unlink(struct port *port, struct transfer *transfer);
struct transfer *port_transfers(struct port *port);

/* ---- cable_plug.c: the Target's side ---- */
struct plug;
struct plug *plug_new(struct loop *loop, struct cable *cable, const char *path);
void plug_free(struct plug *plug);
bool plug_has_target(const struct plug *plug); /* the Target's QEMU runs and has said hello */
void plug_attach(struct plug *plug);
void plug_detach(struct plug *plug); /* cable_detached() when the Target's controller has done it */
bool plug_is_attached(const struct plug *plug);
bool plug_is_detaching(const struct plug *plug);
uint8_t plug_configuration(const struct plug *plug); /* that the Target has set; 0: none */
uint64_t plug_reports(const struct plug *plug);	     /* interrupt packets handed to the Target */
/* The last report of the keyboard that the Target took, NULL: none since the device was attached. */
const uint8_t *plug_keys(const struct plug *plug);
void plug_completed(struct plug *plug, struct transfer *transfer, int status, const uint8_t *data,
		    uint32_t length);

/* ---- cable_control.c ---- */
struct control;
struct control *control_new(struct loop *loop, struct cable *cable, const char *path);
void control_free(struct control *control);
void control_changed(struct control *control); /* answers those whose command is now in effect */

/* ---- cable.c ---- */
struct port *cable_port(struct cable *cable);
struct plug *cable_plug(struct cable *cable);
bool cable_is_plugged(const struct cable *cable);
void cable_set_plugged(struct cable *cable, bool plugged);
void cable_changed(struct cable *cable); /* port, plug or Target came, went or were configured */

int cable_listen(const char *path, int type); /* a UNIX socket; -errno */

#endif
