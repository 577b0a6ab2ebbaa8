/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HID reports to the Target: a boot keyboard and an absolute pointer. Nothing
 * here allocates or blocks after hid_open(). When the Target's USB host sleeps,
 * is unplugged or does not listen, reports are dropped, and the first thing
 * sent when it is back is "all up": no key sticks.
 */
#ifndef KVMNET_DEVICE_HID_H
#define KVMNET_DEVICE_HID_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"

#define HID_KEYBOARD_REPORT 8 /* modifiers, 0, six usages (HID 1.11 appendix B.1) */
#define HID_POINTER_REPORT 7  /* buttons, x, y (0..32767, little endian), wheel, horizontal wheel */
#define HID_POINTER_MAX 32767

struct hid;

struct hid_events {
	void (*leds)(void *arg, uint8_t leds);		/* output report: bit 0 Num, 1 Caps, 2 Scroll */
	void (*configured)(void *arg, bool configured); /* the Target's host took or dropped us */
	void *arg;
};

/* keyboard, pointer, udc: as in struct config. Missing devices are waited for. NULL after logging why. */
struct hid *hid_open(struct loop *loop, const char *keyboard, const char *pointer, const char *udc,
		     const struct hid_events *events);
void hid_close(struct hid *hid); /* all up first */

void hid_key(struct hid *hid, uint8_t usage, bool down); /* keyboard page usage, 0xe0-0xe7 modifiers */
void hid_pointer(struct hid *hid, uint8_t buttons, uint16_t x, uint16_t y, int8_t wheel, int8_t hwheel);
bool hid_configured(const struct hid *hid);
uint8_t hid_leds(const struct hid *hid);
/* Reports written, and dropped for lack of a listener, since the start. */
void hid_counts(const struct hid *hid, uint64_t *written, uint64_t *dropped);

#endif
