// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who holds which key: several Clients' key and pointer events become one keyboard and one pointer.
 * Key tables are keymap.c's, reports report.c's.
 */
#include "device/input.h"

#include <string.h>

#include "device/keymap.h"

#define USAGE_CONTROL_L 0xe0
#define USAGE_SHIFT_L 0xe1
#define USAGE_SHIFT_R 0xe5
#define USAGE_ALT_R 0xe6
#define USAGE_ALT_META 0x01 /* Alt is 0xe2 and 0xe6, Meta 0xe3 and 0xe7: this bit tells them apart */
#define LED_CAPS 0x02

#define KEYSYM_LEVEL3_SHIFT 0xfe03u
#define KEYSYM_MODE_SWITCH 0xff7eu

#define MASK_WHEEL_UP 0x08
#define MASK_WHEEL_DOWN 0x10
#define MASK_WHEEL_LEFT 0x20
#define MASK_WHEEL_RIGHT 0x40

void input_init(struct input *input, struct hid *hid)
{
	*input = (struct input){ .hid = hid };
}

void input_client_init(struct input_client *client, struct input *input)
{
	*client = (struct input_client){ .input = input };
}

static bool holds(const struct input_client *client, uint8_t usage)
{
	return client->held[usage / 64] >> usage % 64 & 1;
}

static void hold(struct input_client *client, uint8_t usage)
{
	struct input *input = client->input;

	if (holds(client, usage))
		return;
	client->held[usage / 64] |= 1ull << usage % 64;
	if (!input->holders[usage]++)
		hid_key(input->hid, usage, true);
}

static void let_go(struct input_client *client, uint8_t usage)
{
	struct input *input = client->input;

	if (!holds(client, usage))
		return;
	client->held[usage / 64] &= ~(1ull << usage % 64);
	if (!--input->holders[usage])
		hid_key(input->hid, usage, false);
}

static void let_go_range(struct input_client *client, unsigned first, unsigned last)
{
	for (unsigned usage = first; usage <= last; usage++)
		let_go(client, (uint8_t)usage);
}

static void drop_added_shift(struct input_client *client)
{
	if (client->shift_added)
		let_go(client, USAGE_SHIFT_L);
	client->shift_added = false;
}

static bool shift_is_held(const struct input *input)
{
	return input->holders[USAGE_SHIFT_L] || input->holders[USAGE_SHIFT_R];
}

/* Control, Alt or the Windows key: what is pressed with it is a command, not a character. */
static bool command_is_held(const struct input *input)
{
	for (unsigned usage = USAGE_CONTROL_L; usage < USAGE_CONTROL_L + 8; usage++) {
		if (usage != USAGE_SHIFT_L && usage != USAGE_SHIFT_R && input->holders[usage])
			return true;
	}
	return false;
}

static bool is_alt_or_meta(uint8_t usage)
{
	return usage >= USAGE_CONTROL_L && usage & 0x02;
}

/* Presses usage while some modifiers, whoever holds them, are up for a moment. */
static void hold_without(struct input_client *client, uint8_t usage, bool shift, bool level3)
{
	const uint8_t modifiers[] = { USAGE_SHIFT_L, USAGE_SHIFT_R, USAGE_ALT_R };
	const bool lift[] = { shift, shift, level3 };
	struct input *input = client->input;

	for (unsigned i = 0; i < 3; i++) {
		if (lift[i] && input->holders[modifiers[i]])
			hid_key(input->hid, modifiers[i], false);
	}
	hold(client, usage);
	for (unsigned i = 0; i < 3; i++) {
		if (lift[i] && input->holders[modifiers[i]])
			hid_key(input->hid, modifiers[i], true);
	}
}

/* A key that is no character: Shift is what the person holds, not what a character before it needed. */
static void press_key(struct input_client *client, uint8_t usage)
{
	if (usage < USAGE_CONTROL_L && !holds(client, usage))
		drop_added_shift(client);
	hold(client, usage);
}

/* A character: the Client's layout has chosen it already, so Shift is made to fit the Target's. */
static void press_character(struct input_client *client, struct keymap_key key)
{
	struct input *input = client->input;
	bool shifted = key.level == KEYMAP_SHIFTED;

	if (key.letter) {
		if (command_is_held(input) && !client->level3) {
			press_key(client, key.usage);
			return;
		}
		shifted ^= (hid_leds(input->hid) & LED_CAPS) != 0;
	}
	if (!shifted) {
		drop_added_shift(client);
		hold_without(client, key.usage, shift_is_held(input), client->level3);
		return;
	}
	if (!shift_is_held(input)) {
		hold(client, USAGE_SHIFT_L);
		client->shift_added = true;
	}
	hold_without(client, key.usage, false, client->level3);
}

/* Some viewers name a key by what it means now, not by what it was pressed as: after a change of Shift
 * that is another key of the US layout, or none; X11 calls Alt Meta while Shift is down; and a viewer may
 * change from keysyms to scancodes in between. Rather than one that sticks: all characters up. */
static void release(struct input_client *client, uint8_t usage)
{
	if (holds(client, usage))
		let_go(client, usage);
	else if (is_alt_or_meta(usage))
		let_go(client, usage ^ USAGE_ALT_META);
	else if (usage < USAGE_CONTROL_L)
		let_go_range(client, 0x04, 0x38);
	drop_added_shift(client);
	client->level3 = client->level3 && holds(client, USAGE_ALT_R);
}

void input_keysym(struct input_client *client, uint32_t keysym, bool down)
{
	struct keymap_key key = keymap_keysym(keysym);

	if (!down) {
		release(client, key.usage);
		return;
	}
	if (!key.usage)
		return;
	if (keysym == KEYSYM_LEVEL3_SHIFT || keysym == KEYSYM_MODE_SWITCH)
		client->level3 = true;
	if (key.usage == USAGE_SHIFT_L)
		client->shift_added = false; /* from now on the person's own */
	if (key.level != KEYMAP_ANY && !holds(client, key.usage))
		press_character(client, key);
	else
		press_key(client, key.usage);
}

void input_scancode(struct input_client *client, uint32_t scancode, bool down)
{
	uint8_t usage = keymap_scancode(scancode);

	if (!usage)
		return;
	if (!down) {
		release(client, usage);
		return;
	}
	if (usage == USAGE_SHIFT_L)
		client->shift_added = false;
	press_key(client, usage);
}

/* RFB: left, middle, right, then back as the eighth. HID: left, right, middle, back, forward. */
static uint8_t hid_buttons(uint8_t mask)
{
	return (uint8_t)((mask & 0x01) | (mask & 0x02) << 1 | (mask & 0x04) >> 1 | (mask & 0x80) >> 4);
}

/* Counts who holds each button and returns those that anybody holds. */
static uint8_t change_buttons(struct input *input, uint8_t was, uint8_t is)
{
	uint8_t down = 0;

	for (unsigned i = 0; i < INPUT_BUTTONS; i++) {
		input->button_holders[i] =
			(uint8_t)(input->button_holders[i] + (is >> i & 1) - (was >> i & 1));
		if (input->button_holders[i])
			down |= (uint8_t)(1u << i);
	}
	return down;
}

/* Pixel 0 is 0, the last one HID_POINTER_MAX. In between the nearest value that is still the pixel's
 * own when a host divides the range into as many equal parts as it has pixels. */
static uint16_t scale(uint32_t at, uint32_t pixels)
{
	const uint32_t range = HID_POINTER_MAX + 1;
	uint32_t value, first, last;

	if (pixels < 2)
		return 0;
	if (at > pixels - 1)
		at = pixels - 1;
	value = (at * HID_POINTER_MAX + (pixels - 1) / 2) / (pixels - 1);
	if (pixels > range)
		return (uint16_t)value;
	first = (at * range + pixels - 1) / pixels;
	last = ((at + 1) * range + pixels - 1) / pixels - 1;
	if (value < first)
		value = first;
	return (uint16_t)(value > last ? last : value);
}

void input_pointer(struct input_client *client, uint8_t mask, uint16_t x, uint16_t y, uint16_t width,
		   uint16_t height)
{
	struct input *input = client->input;
	uint8_t pressed = mask & (uint8_t)~client->buttons;
	int8_t wheel = (int8_t)(!!(pressed & MASK_WHEEL_UP) - !!(pressed & MASK_WHEEL_DOWN));
	int8_t hwheel = (int8_t)(!!(pressed & MASK_WHEEL_RIGHT) - !!(pressed & MASK_WHEEL_LEFT));
	uint8_t down = change_buttons(input, hid_buttons(client->buttons), hid_buttons(mask));

	client->buttons = mask;
	input->x = scale(x, width);
	input->y = scale(y, height);
	hid_pointer(input->hid, down, input->x, input->y, wheel, hwheel);
}

void input_client_let_go_keys(struct input_client *client)
{
	let_go_range(client, 0, 255);
	client->shift_added = false;
	client->level3 = false;
}

void input_client_let_go_buttons(struct input_client *client)
{
	struct input *input = client->input;
	uint8_t down;

	if (!client->buttons)
		return;
	down = change_buttons(input, hid_buttons(client->buttons), 0);
	client->buttons = 0;
	hid_pointer(input->hid, down, input->x, input->y, 0, 0);
}

void input_client_gone(struct input_client *client)
{
	input_client_let_go_keys(client);
	input_client_let_go_buttons(client);
}
