// SPDX-License-Identifier: GPL-2.0-or-later
/* Any order of input events of two Clients, a host that listens or not: reports stay sound and nothing sticks. */
/* LINK: userland/device/input.c userland/device/keymap.c userland/device/report.c */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device/input.h"
#include "device/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* hid.c without descriptors: a Target whose host hears, or does not. */
static struct {
	struct keyboard keyboard;
	struct pointer pointer;
	uint8_t leds;
	bool deaf;
} target;

static void check(bool sound)
{
	if (!sound)
		abort();
}

void hid_key(struct hid *hid, uint8_t usage, bool down)
{
	(void)hid;
	if (target.deaf)
		keyboard_key_unheard(&target.keyboard, usage, down);
	else
		keyboard_key(&target.keyboard, usage, down);
}

void hid_pointer(struct hid *hid, uint8_t buttons, uint16_t x, uint16_t y, int8_t wheel, int8_t hwheel)
{
	(void)hid;
	check(x <= HID_POINTER_MAX && y <= HID_POINTER_MAX && !(buttons & 0xe0));
	if (target.deaf)
		pointer_event_unheard(&target.pointer, buttons, x, y);
	else
		pointer_event(&target.pointer, buttons, x, y, wheel, hwheel);
}

uint8_t hid_leds(const struct hid *hid)
{
	(void)hid;
	return target.leds;
}

/* The host takes up to n reports; the last of each kind is kept. */
static void take(unsigned n, struct report *keys, struct report *points)
{
	for (unsigned i = 0; i < n && report_next(&target.keyboard.queue); i++) {
		*keys = *report_next(&target.keyboard.queue);
		check(keys->bytes[1] == 0);
		keyboard_sent(&target.keyboard);
	}
	for (unsigned i = 0; i < n && report_next(&target.pointer.queue); i++) {
		*points = *report_next(&target.pointer.queue);
		check(points->bytes[5] != 0x80 && points->bytes[6] != 0x80);
		pointer_sent(&target.pointer);
	}
}

/* One event of seven bytes: what, and its values. */
static void event(struct input_client *client, const uint8_t *e)
{
	uint32_t value = (uint32_t)e[2] << 24 | (uint32_t)e[3] << 16 | (uint32_t)e[4] << 8 | e[5];
	struct report keys = { 0 }, points = { 0 };
	struct input *input = client->input;

	switch (e[0] >> 1 & 7) {
	case 0:
		input_keysym(client, value, e[6] & 1);
		break;
	case 1:
		input_keysym(client, e[5] | (e[4] & 1 ? 0xff00u : 0), e[6] & 1);
		break;
	case 2:
		input_scancode(client, e[4] & 1 ? value : e[5], e[6] & 1);
		break;
	case 3:
		input_pointer(client, e[1], (uint16_t)(value >> 16), (uint16_t)value, (uint16_t)(e[6] << 4),
			      e[6]);
		break;
	case 4:
		target.deaf = e[6] & 1;
		if (target.deaf) {
			keyboard_forget(&target.keyboard);
			pointer_forget(&target.pointer);
		}
		break;
	case 5:
		take(e[6], &keys, &points);
		break;
	case 6:
		target.leds = e[6];
		break;
	default:
		input_client_gone(client);
		input_client_init(client, input);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t up[REPORT_BYTES];
	struct report keys = { 0 }, points = { 0 };
	struct input_client clients[2];
	struct input input;

	memset(&target, 0, sizeof(target));
	input_init(&input, NULL);
	input_client_init(&clients[0], &input);
	input_client_init(&clients[1], &input);
	for (size_t at = 0; at + 7 <= size; at += 7)
		event(&clients[data[at] & 1], data + at);
	input_client_gone(&clients[0]);
	input_client_gone(&clients[1]);
	for (unsigned i = 0; i < 256; i++)
		check(!input.holders[i]);
	take(UINT32_MAX, &keys, &points);
	check(!memcmp(keys.bytes, up, sizeof(up)) && !points.bytes[0]);
	return 0;
}
