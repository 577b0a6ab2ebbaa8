/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the plug: its connection (cable_plug.c) and what goes over it (cable_request.c). */
#ifndef KVMNET_BENCH_CABLE_PLUG_H
#define KVMNET_BENCH_CABLE_PLUG_H

#include <usbredirparser.h>

#include "cable.h"

#define PLUG_ENDPOINTS 16
#define PLUG_INTERFACES 32

struct plug {
	struct loop *loop;
	struct cable *cable;
	struct loop_source listener, source; /* source.fd -1: no QEMU */
	struct usbredirparser *parser;
	bool hello, attached, detaching;
	uint8_t configuration;
	uint8_t alt[PLUG_INTERFACES];
	bool polled[PLUG_ENDPOINTS];
	uint16_t packet[PLUG_ENDPOINTS]; /* interrupt endpoints to the host */
	uint64_t reports;
	uint8_t keys[PLUG_KEYBOARD_REPORT]; /* the keyboard's last report to the Target */
	bool keys_told;			    /* there was one since the device was attached */
};

void plug_flush(struct plug *plug);
void plug_send_info(struct plug *plug);
void request_callbacks(struct usbredirparser *parser); /* priv is the plug */

#endif
