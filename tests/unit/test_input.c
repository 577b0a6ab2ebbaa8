// SPDX-License-Identifier: GPL-2.0-or-later
/* Clients' keys and pointers: who holds what, Shift that fits, exact scaling. hid.c is replaced by a recorder. */
/* LINK: userland/device/input.c userland/device/keymap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "device/input.h"
#include "device/keymap.h"

#define SHIFT_L 0xffe1
#define CONTROL_L 0xffe3
#define ALT_L 0xffe9
#define META_L 0xffe7
#define LEVEL3 0xfe03

static struct {
	char keys[512]; /* "+e1 +04 -04 -e1 " */
	bool down[256];
	uint8_t leds, buttons;
	uint16_t x, y;
	int wheel, hwheel;
} target;

static struct input input;
static struct input_client one, two;

void hid_key(struct hid *hid, uint8_t usage, bool down)
{
	size_t used = strlen(target.keys);

	(void)hid;
	target.down[usage] = down;
	snprintf(target.keys + used, sizeof(target.keys) - used, "%c%02x ", down ? '+' : '-', usage);
}

void hid_pointer(struct hid *hid, uint8_t buttons, uint16_t x, uint16_t y, int8_t wheel, int8_t hwheel)
{
	(void)hid;
	target.buttons = buttons;
	target.x = x;
	target.y = y;
	target.wheel += wheel;
	target.hwheel += hwheel;
}

uint8_t hid_leds(const struct hid *hid)
{
	(void)hid;
	return target.leds;
}

static int fresh(void **state)
{
	(void)state;
	memset(&target, 0, sizeof(target));
	input_init(&input, NULL);
	input_client_init(&one, &input);
	input_client_init(&two, &input);
	return 0;
}

static void sent(const char *keys)
{
	assert_string_equal(target.keys, keys);
	target.keys[0] = '\0';
}

static void nothing_is_down(void)
{
	for (unsigned usage = 0; usage < 256; usage++) {
		assert_false(target.down[usage]);
		assert_int_equal(input.holders[usage], 0);
	}
}

static void tap(uint32_t keysym)
{
	input_keysym(&one, keysym, true);
	input_keysym(&one, keysym, false);
}

static void every_key_of_a_board_has_a_usage(void **state)
{
	bool seen[256] = { false };

	(void)state;
	for (uint32_t scancode = 0; scancode < 256; scancode++)
		seen[keymap_scancode(scancode)] = true;
	for (unsigned usage = 0x04; usage <= 0x73; usage++) /* A to F24; 0x32 is an ISO board's 0x31 */
		assert_true(seen[usage] || usage == 0x32);
	for (unsigned usage = 0xe0; usage <= 0xe7; usage++)
		assert_true(seen[usage]);
	for (unsigned usage = 0x87; usage <= 0x8b; usage++) /* Japanese */
		assert_true(seen[usage]);
	assert_true(seen[0x90] && seen[0x91] && seen[0x92] && seen[0x93] &&
		    seen[0x94]); /* Korean, Japanese */
	assert_true(seen[0x7f] && seen[0x80] && seen[0x81]);
	assert_int_equal(keymap_scancode(0x1e), 0x04);
	assert_int_equal(keymap_scancode(0x9d), 0xe4);
	assert_int_equal(keymap_scancode(0x37), 0x55);
	assert_int_equal(keymap_scancode(0xb7), 0x46);
	assert_int_equal(keymap_scancode(0xc6), 0x48);
	assert_int_equal(keymap_scancode(0), 0);
	assert_int_equal(keymap_scancode(0xaa), 0);
	assert_int_equal(keymap_scancode(256), 0);
	assert_int_equal(keymap_scancode(UINT32_MAX), 0);
}

static void every_character_has_its_key(void **state)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz1234567890-=[]\\;'`,./";
	static const char shifted[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()_+{}|:\"~<>?";

	(void)state;
	for (size_t i = 0; plain[i]; i++) {
		struct keymap_key low = keymap_keysym((uint8_t)plain[i]),
				  high = keymap_keysym((uint8_t)shifted[i]);

		assert_true(low.usage && low.level == KEYMAP_PLAIN);
		assert_true(high.usage == low.usage && high.level == KEYMAP_SHIFTED);
		assert_int_equal(keymap_keysym(0x01000000u + (uint8_t)plain[i]).usage, low.usage);
	}
	assert_int_equal(keymap_keysym(0xffbe).usage, 0x3a); /* F1 */
	assert_int_equal(keymap_keysym(0xffc9).usage, 0x45); /* F12 */
	assert_int_equal(keymap_keysym(0xffca).usage, 0x68); /* F13 */
	assert_int_equal(keymap_keysym(0xffb9).usage, 0x61); /* KP_9 */
	assert_int_equal(keymap_keysym(0xffff).usage, 0x4c); /* Delete, the last of the table */
	assert_int_equal(keymap_keysym(LEVEL3).usage, 0xe6); /* the first */
	assert_int_equal(keymap_keysym(0xe9).usage, 0);	     /* e acute: not on a US layout */
	assert_int_equal(keymap_keysym(0).usage, 0);
	assert_int_equal(keymap_keysym(UINT32_MAX).usage, 0);
}

static void shift_is_added_when_nobody_holds_it(void **state)
{
	(void)state;
	tap('A');
	sent("+e1 +04 -04 -e1 ");
	input_keysym(&one, SHIFT_L, true);
	tap('A');
	tap('!');
	input_keysym(&one, SHIFT_L, false);
	sent("+e1 +04 -04 +1e -1e -e1 ");
	input_keysym(&one, 'A', true); /* typed fast: the next key before the first is up */
	input_keysym(&one, 'b', true);
	input_keysym(&one, 'A', false);
	input_keysym(&one, 'b', false);
	sent("+e1 +04 -e1 +05 -04 -05 ");
	nothing_is_down();
}

static void added_shift_is_for_characters_only(void **state)
{
	(void)state;
	input_keysym(&one, 'A',
		     true); /* the Client's Caps Lock is on, and each key comes before the last is up */
	input_keysym(&one, 'A', true); /* repeated by the Client: it still needs Shift */
	input_keysym(&one, 0xff09, true);
	input_keysym(&one, 'A', false);
	input_keysym(&one, 0xff09, false);
	sent("+e1 +04 -e1 +2b -04 -2b ");
	input_keysym(&one, 'A', true);
	input_scancode(&one, 0x0f, true);
	input_keysym(&one, 'A', false);
	input_scancode(&one, 0x0f, false);
	sent("+e1 +04 -e1 +2b -04 -2b ");
	input_keysym(&one, 'A', true);
	input_keysym(&one, CONTROL_L, true);
	input_keysym(&one, 'c', true);
	sent("+e1 +04 +e0 -e1 +06 ");
	input_keysym(&one, 'A', false);
	input_keysym(&one, CONTROL_L, false);
	input_keysym(&one, 'c', false);
	nothing_is_down();
}

static void shift_is_lifted_for_a_character_without(void **state)
{
	(void)state;
	input_keysym(&one, SHIFT_L, true); /* a French layout: Shift makes digits */
	tap('1');
	input_keysym(&one, SHIFT_L, false);
	sent("+e1 -e1 +1e +e1 -1e -e1 ");
	input_keysym(&one, SHIFT_L, true);
	tap(0xff51); /* Left is no character: Shift selects */
	input_keysym(&one, SHIFT_L, false);
	sent("+e1 +50 -50 -e1 ");
}

static void level_three_is_the_clients_own_matter(void **state)
{
	(void)state;
	input_keysym(&one, LEVEL3, true); /* a German layout: AltGr + Q is @ */
	tap('@');
	input_keysym(&one, LEVEL3, false);
	sent("+e6 +e1 -e6 +1f +e6 -1f -e1 -e6 ");
	nothing_is_down();
}

static void caps_lock_at_the_target_is_allowed_for(void **state)
{
	(void)state;
	target.leds = 0x02;
	tap('A');
	sent("+04 -04 ");
	tap('a');
	sent("+e1 +04 -04 -e1 ");
	tap('1');
	sent("+1e -1e ");
	input_keysym(&one, CONTROL_L, true); /* a command, not a character */
	tap('c');
	input_keysym(&one, CONTROL_L, false);
	sent("+e0 +06 -06 -e0 ");
}

static void a_key_named_otherwise_when_released_does_not_stick(void **state)
{
	(void)state;
	input_keysym(&one, SHIFT_L, true);
	input_keysym(&one, '"', true); /* a German 2 */
	input_keysym(&one, SHIFT_L, false);
	input_keysym(&one, '2', false);
	nothing_is_down();
	input_keysym(&one, SHIFT_L, true);
	input_keysym(&one, '2', true); /* a French 2: without Shift it is no character of a US layout */
	input_keysym(&one, SHIFT_L, false);
	input_keysym(&one, 0xe9, false);
	nothing_is_down();
	input_keysym(&one, 'A', true);
	input_keysym(&one, 0xe9, false);
	nothing_is_down();
}

static void alt_that_became_meta_does_not_stick(void **state)
{
	static const uint32_t names[][2] = {
		{ ALT_L, META_L }, { META_L, ALT_L }, { 0xffea, 0xffe8 }, { 0xffe8, 0xffea }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		input_keysym(&one, names[i][0], true);
		input_keysym(&one, SHIFT_L, true);
		input_keysym(&one, names[i][1], false);
		input_keysym(&one, SHIFT_L, false);
		nothing_is_down();
	}
	input_keysym(&one, ALT_L, true);
	input_keysym(&one, META_L, true);
	input_keysym(&one, META_L, false); /* it is held itself */
	assert_true(target.down[0xe2]);
	input_keysym(&one, ALT_L, false);
	nothing_is_down();
}

static void a_key_released_as_a_scancode_does_not_stick(void **state)
{
	(void)state;
	input_keysym(&one, 'A', true);
	input_scancode(&one, 0x1e, false);
	nothing_is_down();
	input_keysym(&one, 'A', true); /* a French board has it in the place of Q */
	input_scancode(&one, 0x10, false);
	nothing_is_down();
	input_keysym(&one, 'A', true);
	input_scancode(&one, 0x2a, true); /* the Shift that was added is now the person's own */
	input_scancode(&one, 0x1e, false);
	assert_true(target.down[0xe1]);
	input_scancode(&one, 0x2a, false);
	nothing_is_down();
}

static void level_three_ends_under_any_name(void **state)
{
	(void)state;
	input_keysym(&one, LEVEL3, true);
	input_keysym(&one, 0xffea, false); /* Alt_R */
	assert_false(one.level3);
	input_keysym(&one, LEVEL3, true);
	input_scancode(&one, 0xb8, false);
	assert_false(one.level3);
	nothing_is_down();
}

static void a_client_that_goes_releases_what_it_alone_holds(void **state)
{
	(void)state;
	input_scancode(&one, 0x1e, true);
	input_scancode(&one, 0x2a, true);
	input_scancode(&two, 0x1e, true);
	input_scancode(&two, 0x1e, true);
	input_pointer(&one, 0x01, 1, 1, 100, 100);
	input_pointer(&two, 0x05, 2, 2, 100, 100);
	sent("+04 +e1 ");
	assert_int_equal(target.buttons, 0x03);
	input_client_gone(&one);
	sent("-e1 ");
	assert_int_equal(target.buttons, 0x03);
	input_client_gone(&two);
	sent("-04 ");
	assert_int_equal(target.buttons, 0);
	input_client_gone(&two);
	sent("");
	nothing_is_down();
}

static void buttons_and_wheel_have_their_places(void **state)
{
	(void)state;
	input_pointer(&one, 0x02, 0, 0, 10, 10);
	assert_int_equal(target.buttons, 0x04); /* middle */
	input_pointer(&one, 0x04, 0, 0, 10, 10);
	assert_int_equal(target.buttons, 0x02); /* right */
	input_pointer(&one, 0x80, 0, 0, 10, 10);
	assert_int_equal(target.buttons, 0x08); /* back */
	for (int i = 0; i < 3; i++) {
		input_pointer(&one, 0x08, 0, 0, 10, 10);
		input_pointer(&one, 0x08, 1, 0, 10, 10); /* held: no step */
		input_pointer(&one, 0, 0, 0, 10, 10);
	}
	assert_int_equal(target.wheel, 3);
	input_pointer(&one, 0x10, 0, 0, 10, 10);
	assert_int_equal(target.wheel, 2);
	input_pointer(&one, 0x20, 0, 0, 10, 10);
	assert_int_equal(target.hwheel, -1);
	input_pointer(&one, 0x40, 0, 0, 10, 10);
	assert_int_equal(target.hwheel, 0);
	assert_int_equal(target.buttons, 0);
}

static void the_pointer_hits_every_pixel(void **state)
{
	static const uint16_t sizes[] = { 1,	2,    3,    64,	  639,	640,  800,
					  1024, 1366, 1920, 2160, 3840, 4096, 65535 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t size = sizes[i];

		for (uint32_t at = 0; at < size; at++) {
			input_pointer(&one, 0, (uint16_t)at, (uint16_t)(size - 1 - at), (uint16_t)size,
				      (uint16_t)size);
			if (size <= 4096) { /* a host that divides the range, one that rounds */
				assert_int_equal(target.x * size / 32768, at);
				if (size > 1)
					assert_true((target.x * (size - 1) + 16383) / 32767 + 1 >= at + 1);
			}
			if (at == 0)
				assert_int_equal(target.x, 0);
			if (at == size - 1 && size > 1)
				assert_int_equal(target.x, HID_POINTER_MAX);
		}
	}
	input_pointer(&one, 0, 5000, 5000, 640, 480); /* off the screen: its edge */
	assert_int_equal(target.x, HID_POINTER_MAX);
	assert_int_equal(target.y, HID_POINTER_MAX);
	input_pointer(&one, 0, 5, 5, 0, 0);
	assert_int_equal(target.x, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_key_of_a_board_has_a_usage, fresh),
		cmocka_unit_test_setup(every_character_has_its_key, fresh),
		cmocka_unit_test_setup(shift_is_added_when_nobody_holds_it, fresh),
		cmocka_unit_test_setup(added_shift_is_for_characters_only, fresh),
		cmocka_unit_test_setup(shift_is_lifted_for_a_character_without, fresh),
		cmocka_unit_test_setup(level_three_is_the_clients_own_matter, fresh),
		cmocka_unit_test_setup(caps_lock_at_the_target_is_allowed_for, fresh),
		cmocka_unit_test_setup(a_key_named_otherwise_when_released_does_not_stick, fresh),
		cmocka_unit_test_setup(alt_that_became_meta_does_not_stick, fresh),
		cmocka_unit_test_setup(a_key_released_as_a_scancode_does_not_stick, fresh),
		cmocka_unit_test_setup(level_three_ends_under_any_name, fresh),
		cmocka_unit_test_setup(a_client_that_goes_releases_what_it_alone_holds, fresh),
		cmocka_unit_test_setup(buttons_and_wheel_have_their_places, fresh),
		cmocka_unit_test_setup(the_pointer_hits_every_pixel, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
