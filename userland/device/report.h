/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the Target is to be told, in order: the state of keyboard and pointer and the reports that
 * wait to be sent. Pure data: sending them is hid.c's.
 */
#ifndef KVMNET_DEVICE_REPORT_H
#define KVMNET_DEVICE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "device/hid.h"

#define REPORT_QUEUE 1024
#define REPORT_BYTES 8 /* the longest report */

_Static_assert(HID_KEYBOARD_REPORT <= REPORT_BYTES && HID_POINTER_REPORT <= REPORT_BYTES, "reports fit");

struct report {
	uint8_t bytes[REPORT_BYTES];
	bool motion; /* pure pointer motion: a newer position may take its place */
};

struct report_queue {
	struct report ring[REPORT_QUEUE];
	unsigned head, count;
};

struct keyboard {
	struct report_queue queue;
	uint8_t modifiers;
	uint64_t held[4]; /* usages below 0xe0 that are down */
	bool owed;	  /* the queue was full: the newest state is not in it yet */
};

struct pointer {
	struct report_queue queue;
	uint8_t buttons; /* as the Target knows them once the queue is sent */
	uint8_t ignored; /* pressed while nobody listened: not pressed later, when the person has moved on */
	uint16_t x, y;
	bool owed;
};

/* The report to send next, or NULL. */
const struct report *report_next(const struct report_queue *queue);

/* Each is false when the report found no room. Then the state is kept, and sent once there is room. */
bool keyboard_key(struct keyboard *keyboard, uint8_t usage, bool down);
bool pointer_event(struct pointer *pointer, uint8_t buttons, uint16_t x, uint16_t y, int8_t wheel,
		   int8_t hwheel);
bool keyboard_all_up(struct keyboard *keyboard);
bool pointer_all_up(struct pointer *pointer);

/* The first report was sent. */
void keyboard_sent(struct keyboard *keyboard);
void pointer_sent(struct pointer *pointer);

/* Nobody listens: what waits is forgotten, and all that is left to send is "all up". Modifiers that
 * are still held follow it, so that the next key means what the person means. */
void keyboard_forget(struct keyboard *keyboard);
void pointer_forget(struct pointer *pointer);
/* Events while nobody listens: presses are dropped, releases and modifiers change the state. */
void keyboard_key_unheard(struct keyboard *keyboard, uint8_t usage, bool down);
void pointer_event_unheard(struct pointer *pointer, uint8_t buttons, uint16_t x, uint16_t y);

#endif
