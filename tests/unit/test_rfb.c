// SPDX-License-Identifier: GPL-2.0-or-later
/* RFB's wire: whole, cut and broken client messages; exact server messages. */
/* LINK: userland/device/rfb.c userland/device/pixel.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/rfb.h"

static const uint8_t stream[] = {
	2,    0,    0,	  4,	0,    0,    0,	  16,	0, 0, 0, 0,    0xff,
	0xff, 0xfe, 0xcc, 0x12, 0x34, 0x56, 0x78,			  /* SetEncodings */
	6,    0,    0,	  0,	0,    0,    0,	  5,	4, 1, 4, 1,    4, /* ClientCutText */
	4,    1,    0,	  0,	0,    0,    0xff, 0x0d,			  /* KeyEvent */
	255,  0,    0,	  1,	0,    0,    0,	  'a',	0, 0, 0, 0x1e,	  /* QEMU key */
	5,    3,    0x01, 0x02, 0x03, 0x04,				  /* PointerEvent */
	251,  0,    0,	  9,	0,    9,    1,	  0,	4, 4, 4, 4,    0,
	0,    0,    0,	  0,	9,    0,    9,	  0,	0, 0, 0, /* SetDesktopSize */
	3,    1,    0,	  1,	0,    2,    0,	  3,	0, 4,	 /* request */
};

/* Reads a stream in spans that end after each `step` bytes; returns the messages. */
static unsigned read_all(const uint8_t *bytes, size_t len, size_t step, struct rfb_message *messages,
			 unsigned max)
{
	struct rfb_reader reader = { 0 };
	size_t start = 0;
	unsigned n = 0;

	for (size_t end = 0;;) {
		/* A copy of its own: the sanitizer sees each byte read beyond. */
		uint8_t *span = malloc(end - start + 1);
		enum rfb_result result;
		size_t used;

		memcpy(span, bytes + start, end - start);
		result = rfb_read(&reader, span, end - start, &used, &messages[n]);
		free(span);
		assert_int_not_equal(result, RFB_ERROR);
		assert_true(used <= end - start);
		start += used;
		if (result == RFB_MESSAGE)
			assert_true(++n < max);
		else if (end < len)
			end = end + step < len ? end + step : len;
		else
			break;
	}
	assert_int_equal(start, len);
	return n;
}

static void messages_are_the_same_however_they_are_cut(void **state)
{
	static const enum rfb_type types[] = { RFB_SET_ENCODINGS,    RFB_KEY,
					       RFB_QEMU_KEY,	     RFB_POINTER,
					       RFB_SET_DESKTOP_SIZE, RFB_UPDATE_REQUEST };
	struct rfb_message m[16];

	(void)state;
	for (size_t step = 1; step <= sizeof(stream); step++) {
		assert_int_equal(read_all(stream, sizeof(stream), step, m, 16), 6);
		for (unsigned i = 0; i < 6; i++)
			assert_int_equal(m[i].type, types[i]);
		assert_int_equal(m[0].encodings.preferred, RFB_ZRLE);
		assert_true(m[0].encodings.raw && m[0].encodings.ext_desktop_size);
		assert_false(m[0].encodings.desktop_size || m[0].encodings.last_rect);
		assert_true(m[1].key.down);
		assert_int_equal(m[1].key.keysym, 0xff0d);
		assert_int_equal(m[2].key.scancode, 0x1e);
		assert_int_equal(m[3].pointer.mask, 3);
		assert_int_equal(m[3].pointer.x, 0x102);
		assert_int_equal(m[3].pointer.y, 0x304);
		assert_true(m[5].request.incremental);
		assert_int_equal(m[5].request.height, 4);
	}
}

static void expect_error(const uint8_t *bytes, size_t len)
{
	struct rfb_reader reader = { 0 };
	struct rfb_message message;
	size_t used;

	assert_int_equal(rfb_read(&reader, bytes, len, &used, &message), RFB_ERROR);
	assert_non_null(reader.error);
}

static void what_was_not_offered_is_an_error(void **state)
{
	static const uint8_t unknown[] = { 7 };
	static const uint8_t audio[12] = { 255, 1 };
	static const uint8_t clipboard[] = { 6, 0, 0, 0, 0xff, 0xff, 0xff, 0xf0 };

	(void)state;
	expect_error(unknown, sizeof(unknown));
	expect_error(audio, sizeof(audio));
	expect_error(clipboard, sizeof(clipboard));
}

static void an_empty_list_of_encodings_means_raw(void **state)
{
	static const uint8_t bytes[] = { 2, 0, 0, 0 };
	struct rfb_message m[2];

	(void)state;
	assert_int_equal(read_all(bytes, sizeof(bytes), 4, m, 2), 1);
	assert_int_equal(m[0].encodings.preferred, RFB_RAW);
}

static void pixel_formats_outside_the_rules_are_refused(void **state)
{
	struct pixel_map *map = malloc(sizeof(*map));
	struct pixel_format f = pixel_native;

	(void)state;
	assert_null(pixel_map_init(map, &f));
	assert_true(map->native);
	assert_int_equal(map->cbytes, 3);
	f.true_colour = false;
	assert_non_null(pixel_map_init(map, &f));
	f = pixel_native, f.bits = 24;
	assert_non_null(pixel_map_init(map, &f));
	f = pixel_native, f.red_max = 254;
	assert_non_null(pixel_map_init(map, &f));
	f = pixel_native, f.red_shift = 25;
	assert_non_null(pixel_map_init(map, &f));
	f = pixel_native, f.blue_shift = 255;
	assert_non_null(pixel_map_init(map, &f));
	f = pixel_native, f.depth = 33;
	assert_non_null(pixel_map_init(map, &f));
	free(map);
}

static void pixels_in_other_formats(void **state)
{
	const struct pixel_format rgb565_big = { 16, 16, true, true, 31, 63, 31, 11, 5, 0 };
	struct pixel_format big = pixel_native;
	struct pixel_map *map = malloc(sizeof(*map));
	uint32_t pixel = 0xabff8000; /* X is dirt, red 255, green 128, blue 0 */
	uint8_t out[4];

	(void)state;
	assert_null(pixel_map_init(map, &rgb565_big));
	assert_ptr_equal(pixel_write_row(map, out, (uint8_t *)&pixel, 1), out + 2);
	assert_int_equal(rfb_get_u16(out), 31 << 11 | (128 * 63 + 127) / 255 << 5);
	big.big_endian = true;
	assert_null(pixel_map_init(map, &big));
	assert_int_equal(map->cskip, 1);
	pixel_write_row(map, out, (uint8_t *)&pixel, 1);
	assert_int_equal(rfb_get_u32(out), 0xff8000);
	assert_null(pixel_map_init(map, &pixel_native));
	pixel_write_row(map, out, (uint8_t *)&pixel, 1);
	assert_int_equal(out[3], 0);
	free(map);
}

static void server_messages_are_exact(void **state)
{
	static const uint8_t leds[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xfb, 5 };
	uint8_t buf[RFB_SMALL_MAX];
	char name[RFB_NAME_MAX + 50];

	(void)state;
	assert_ptr_equal(rfb_put_leds(buf, 2 | 4), buf + sizeof(leds));
	assert_memory_equal(buf, leds, sizeof(leds));
	assert_ptr_equal(rfb_put_ext_desktop_size(buf, 1, 1, 640, 480), buf + 32);
	assert_int_equal(rfb_get_u16(buf + 2), 1);
	assert_int_equal(buf[12], 1);
	assert_int_equal(rfb_get_u16(buf + 24), 640);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_ptr_equal(rfb_put_name(buf, name), buf + 16 + RFB_NAME_MAX);
	assert_ptr_equal(rfb_put_server_init(buf, 1, 2, "x"), buf + 25);
	assert_ptr_equal(rfb_put_update_header(buf, 3), buf + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_the_same_however_they_are_cut),
		cmocka_unit_test(what_was_not_offered_is_an_error),
		cmocka_unit_test(an_empty_list_of_encodings_means_raw),
		cmocka_unit_test(pixel_formats_outside_the_rules_are_refused),
		cmocka_unit_test(pixels_in_other_formats),
		cmocka_unit_test(server_messages_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
