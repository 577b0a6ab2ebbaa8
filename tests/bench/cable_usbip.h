/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usbip's wire format (Documentation/usb/usbip_protocol.rst): requests to bytes, bytes to replies. Pure. */
#ifndef KVMNET_BENCH_CABLE_USBIP_H
#define KVMNET_BENCH_CABLE_USBIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define USBIP_HEADER 48
#define USBIP_MAX_DATA (1u << 20)

struct usbip_reply {
	bool unlinked; /* the answer to an unlink, else to a submit */
	uint32_t seq;
	int32_t status;	     /* 0 or a negative errno (Linux numbers) */
	const uint8_t *data; /* in the span; of transfers from the device */
	uint32_t length;
};

/* A reply to a submit does not say which way the data went: the sequence number does, in its lowest bit. */
uint32_t usbip_seq(uint32_t count, bool in);
bool usbip_seq_in(uint32_t seq);

/* setup: of control transfers, else NULL. length: of the data that follows, or that may come back. */
void usbip_submit(uint8_t header[USBIP_HEADER], uint32_t seq, uint8_t endpoint, const uint8_t *setup,
		  uint32_t length);
void usbip_unlink(uint8_t header[USBIP_HEADER], uint32_t seq, uint32_t victim);
/* The first reply in the span: bytes it took, 0: more are needed, -1: this is no usbip reply. */
ssize_t usbip_parse(const uint8_t *span, size_t size, struct usbip_reply *reply);

#endif
