/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RFB input events of several Clients to HID usages. Each Client has a
 * struct input_client: what it holds down is released when it goes.
 */
#ifndef KVMNET_DEVICE_INPUT_H
#define KVMNET_DEVICE_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "device/hid.h"

#define INPUT_BUTTONS 5

struct input {
	struct hid *hid;
	uint8_t holders[256]; /* Clients that hold each usage down */
	uint8_t button_holders[INPUT_BUTTONS];
	uint16_t x, y; /* the pointer, 0..HID_POINTER_MAX */
};

struct input_client {
	struct input *input;
	uint64_t held[4]; /* usages this Client holds down */
	uint8_t buttons;  /* the mask of its last pointer event */
	bool shift_added; /* a keysym needed Shift that the person does not hold */
	bool level3;	  /* holds ISO_Level3_Shift, which chose its keysyms on its side */
};

void input_init(struct input *input, struct hid *hid);
void input_client_init(struct input_client *client, struct input *input);
void input_client_gone(struct input_client *client);
/* What it holds down is released; it may press again. */
void input_client_let_go_keys(struct input_client *client);
void input_client_let_go_buttons(struct input_client *client);

/* RFC 6143 7.5.4: an X11 keysym. Unknown ones are ignored; a US layout at the Target is assumed. */
void input_keysym(struct input_client *client, uint32_t keysym, bool down);
/* QEMU extended key event (RFB registry): an XT scancode, its 0xe0 prefix as bit 7. */
void input_scancode(struct input_client *client, uint32_t scancode, bool down);
/* RFC 6143 7.5.5: mask bits 0-2 buttons left, middle, right; 3, 4 wheel up, down; 5, 6 wheel left, right;
 * 7 back. x, y in pixels of a width x height screen. */
void input_pointer(struct input_client *client, uint8_t mask, uint16_t x, uint16_t y, uint16_t width,
		   uint16_t height);

#endif
