/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables from RFB's names of keys to usages of the HID keyboard page (HID Usage Tables 1.12, chapter 10). */
#ifndef KVMNET_DEVICE_KEYMAP_H
#define KVMNET_DEVICE_KEYMAP_H

#include <stdbool.h>
#include <stdint.h>

enum keymap_level {
	KEYMAP_ANY,	/* no character: Shift stays as it is */
	KEYMAP_PLAIN,	/* the character without Shift on a US layout */
	KEYMAP_SHIFTED, /* the one with Shift */
};

struct keymap_key {
	uint8_t usage; /* 0: there is no such key */
	enum keymap_level level;
	bool letter; /* Caps Lock changes it */
};

/* An XT scancode with the 0xe0 prefix as bit 7; 0 when there is no such key. */
uint8_t keymap_scancode(uint32_t scancode);
/* An X11 keysym, for a US layout at the Target. */
struct keymap_key keymap_keysym(uint32_t keysym);

#endif
