// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Key and pointer events to HID reports. A keyboard report carries the whole state, so each press and
 * release is a report of its own; pointer motion is merged, button changes are not.
 */
#include "device/report.h"

#include <string.h>

#define USAGE_FIRST 0x04     /* 0-3 are status codes, not keys (HID Usage Tables 1.12, chapter 10) */
#define USAGE_LAST 0xdd	     /* keypad hexadecimal */
#define USAGE_MODIFIER 0xe0  /* to 0xe7: the bits of the report's first byte */
#define USAGE_ROLL_OVER 0x01 /* HID 1.11 appendix C: in all six places when more keys are down */
#define REPORT_KEYS 6

const struct report *report_next(const struct report_queue *queue)
{
	return queue->count ? &queue->ring[queue->head] : NULL;
}

static struct report *queue_tail(struct report_queue *queue)
{
	return queue->count ? &queue->ring[(queue->head + queue->count - 1) % REPORT_QUEUE] : NULL;
}

static bool queue_push(struct report_queue *queue, const struct report *report)
{
	if (queue->count == REPORT_QUEUE)
		return false;
	queue->ring[(queue->head + queue->count++) % REPORT_QUEUE] = *report;
	return true;
}

static void queue_pop(struct report_queue *queue)
{
	queue->head = (queue->head + 1) % REPORT_QUEUE;
	queue->count--;
}

/* The keyboard's state as a boot report (HID 1.11 appendix B.1). */
static struct report keyboard_report(const struct keyboard *keyboard)
{
	struct report report = { .bytes = { keyboard->modifiers } };
	unsigned n = 0;

	for (unsigned word = 0; word < 4; word++) {
		for (uint64_t bits = keyboard->held[word]; bits; bits &= bits - 1) {
			if (n < REPORT_KEYS)
				report.bytes[2 + n] = (uint8_t)(word * 64 + (unsigned)__builtin_ctzll(bits));
			n++;
		}
	}
	if (n > REPORT_KEYS)
		memset(report.bytes + 2, USAGE_ROLL_OVER, REPORT_KEYS);
	return report;
}

static bool keyboard_push(struct keyboard *keyboard)
{
	struct report report = keyboard_report(keyboard);

	keyboard->owed = !queue_push(&keyboard->queue, &report);
	return !keyboard->owed;
}

/* True when the event changed the state. */
static bool keyboard_change(struct keyboard *keyboard, uint8_t usage, bool down)
{
	uint64_t *word = &keyboard->held[usage / 64], bit = 1ull << usage % 64;
	uint8_t modifier;

	if (usage >= USAGE_MODIFIER && usage < USAGE_MODIFIER + 8) {
		modifier = (uint8_t)(1u << (usage - USAGE_MODIFIER));
		if (!(keyboard->modifiers & modifier) == !down)
			return false;
		keyboard->modifiers ^= modifier;
		return true;
	}
	if (usage < USAGE_FIRST || usage > USAGE_LAST || !(*word & bit) == !down)
		return false;
	*word ^= bit;
	return true;
}

bool keyboard_key(struct keyboard *keyboard, uint8_t usage, bool down)
{
	return !keyboard_change(keyboard, usage, down) || keyboard_push(keyboard);
}

bool keyboard_all_up(struct keyboard *keyboard)
{
	keyboard->modifiers = 0;
	memset(keyboard->held, 0, sizeof(keyboard->held));
	return keyboard_push(keyboard);
}

void keyboard_sent(struct keyboard *keyboard)
{
	queue_pop(&keyboard->queue);
	if (keyboard->owed)
		keyboard_push(keyboard);
}

void keyboard_forget(struct keyboard *keyboard)
{
	static const struct report all_up;

	keyboard->queue.count = 0;
	memset(keyboard->held, 0, sizeof(keyboard->held));
	queue_push(&keyboard->queue, &all_up);
	if (keyboard->modifiers)
		keyboard_push(keyboard);
	keyboard->owed = false;
}

void keyboard_key_unheard(struct keyboard *keyboard, uint8_t usage, bool down)
{
	if ((usage >= USAGE_MODIFIER || !down) && keyboard_change(keyboard, usage, down))
		keyboard_forget(keyboard);
}

static struct report pointer_report(const struct pointer *pointer, int wheel, int hwheel)
{
	struct report report = { .bytes = { pointer->buttons, (uint8_t)pointer->x, (uint8_t)(pointer->x >> 8),
					    (uint8_t)pointer->y, (uint8_t)(pointer->y >> 8),
					    (uint8_t)(int8_t)wheel, (uint8_t)(int8_t)hwheel } };

	return report;
}

static bool pointer_push(struct pointer *pointer, const struct report *report)
{
	pointer->owed = !queue_push(&pointer->queue, report);
	return !pointer->owed;
}

/* Wheel steps add up, as long as they fit the report's signed byte (-128 is outside of the logical range). */
static bool wheel_fits(int sum)
{
	return sum >= -127 && sum <= 127;
}

/* Puts an event into the report at the tail, when nothing that the person did disappears by it. */
static bool pointer_merge(struct pointer *pointer, uint16_t x, uint16_t y, int wheel, int hwheel)
{
	struct report *tail = queue_tail(&pointer->queue);
	bool moves = x != pointer->x || y != pointer->y;
	int wheel_sum, hwheel_sum;

	if (!tail || pointer->owed)
		return false;
	wheel_sum = (int8_t)tail->bytes[5] + wheel;
	hwheel_sum = (int8_t)tail->bytes[6] + hwheel;
	if ((moves && !tail->motion) || !wheel_fits(wheel_sum) || !wheel_fits(hwheel_sum))
		return false;
	pointer->x = x;
	pointer->y = y;
	memcpy(tail->bytes, pointer_report(pointer, wheel_sum, hwheel_sum).bytes, REPORT_BYTES);
	tail->motion = tail->motion && !wheel && !hwheel;
	return true;
}

bool pointer_event(struct pointer *pointer, uint8_t buttons, uint16_t x, uint16_t y, int8_t wheel,
		   int8_t hwheel)
{
	struct report report;
	bool same;

	pointer->ignored &= buttons;
	buttons &= (uint8_t)~pointer->ignored;
	same = buttons == pointer->buttons;
	if (same && x == pointer->x && y == pointer->y && !wheel && !hwheel)
		return true;
	if (wheel == INT8_MIN)
		wheel = -INT8_MAX;
	if (hwheel == INT8_MIN)
		hwheel = -INT8_MAX;
	if (same && pointer_merge(pointer, x, y, wheel, hwheel))
		return true;
	pointer->buttons = buttons;
	pointer->x = x;
	pointer->y = y;
	report = pointer_report(pointer, wheel, hwheel);
	report.motion = same && !wheel && !hwheel;
	return pointer_push(pointer, &report);
}

bool pointer_all_up(struct pointer *pointer)
{
	struct report report;

	pointer->ignored |= pointer->buttons;
	pointer->buttons = 0;
	report = pointer_report(pointer, 0, 0);
	return pointer_push(pointer, &report);
}

void pointer_sent(struct pointer *pointer)
{
	struct report report;

	queue_pop(&pointer->queue);
	if (pointer->owed) {
		report = pointer_report(pointer, 0, 0);
		pointer_push(pointer, &report);
	}
}

void pointer_forget(struct pointer *pointer)
{
	pointer->queue.count = 0;
	pointer_all_up(pointer);
}

void pointer_event_unheard(struct pointer *pointer, uint8_t buttons, uint16_t x, uint16_t y)
{
	pointer->ignored = buttons;
	pointer->x = x;
	pointer->y = y;
	pointer_forget(pointer);
}
