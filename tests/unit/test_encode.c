// SPDX-License-Identifier: GPL-2.0-or-later
/* Encodings against a decoder by the book (RFC 6143 7.7): subencodings, odd sizes, formats, many rectangles. */
/* LINK: userland/device/encode.c userland/device/encode_raw.c userland/device/encode_zrle.c
 * userland/device/tiles.c userland/device/pixel.c userland/device/rfb.c | -lz */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "device/encode.h"
#include "device/rfb.h"

struct decoder {
	z_stream stream;
	const struct pixel_map *map;
	uint32_t width, height;
	uint32_t *pixels; /* as converted, in memory order */
	unsigned kinds[256];
	uint8_t *data;
	size_t at;
};

static uint32_t random_state;

static uint32_t rnd(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

static uint32_t get_cpixel(struct decoder *d)
{
	uint32_t pixel = 0;

	memcpy((uint8_t *)&pixel + d->map->cskip, d->data + d->at, d->map->cbytes);
	d->at += d->map->cbytes;
	return pixel;
}

static uint32_t get_length(struct decoder *d)
{
	uint32_t run = 1;

	while (d->data[d->at] == 255) {
		run += 255;
		d->at++;
	}
	return run + d->data[d->at++];
}

static void decode_runs(struct decoder *d, uint32_t *tile, uint32_t count, const uint32_t *palette)
{
	for (uint32_t i = 0; i < count;) {
		uint32_t run = 1, pixel;

		if (palette) {
			uint8_t index = d->data[d->at++];

			pixel = palette[index & 127];
			if (index & 128)
				run = get_length(d);
		} else {
			pixel = get_cpixel(d);
			run = get_length(d);
		}
		assert_true(i + run <= count);
		while (run--)
			tile[i++] = pixel;
	}
}

static void decode_packed(struct decoder *d, uint32_t *tile, uint32_t width, uint32_t height,
			  const uint32_t *palette, uint32_t colours)
{
	uint32_t bits = colours <= 2 ? 1 : colours <= 4 ? 2 : 4;

	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++) {
			uint8_t byte = d->data[d->at + x * bits / 8];

			*tile++ = palette[byte >> (8 - bits - x * bits % 8) & ((1u << bits) - 1)];
		}
		d->at += (width * bits + 7) / 8;
	}
}

static void decode_tile(struct decoder *d, uint32_t *tile, uint32_t width, uint32_t height)
{
	uint8_t kind = d->data[d->at++];
	uint32_t palette[128], colours = kind == 128 ? 0 : kind & 127;

	d->kinds[kind]++;
	for (uint32_t i = 0; i < colours; i++)
		palette[i] = get_cpixel(d);
	if (kind == 0)
		for (uint32_t i = 0; i < width * height; i++)
			tile[i] = get_cpixel(d);
	else if (kind == 1)
		for (uint32_t i = 0; i < width * height; i++)
			tile[i] = palette[0];
	else if (kind <= 16)
		decode_packed(d, tile, width, height, palette, colours);
	else if (kind == 128)
		decode_runs(d, tile, width * height, NULL);
	else if (kind >= 130)
		decode_runs(d, tile, width * height, palette);
	else
		fail_msg("subencoding %u", kind);
}

static void store(struct decoder *d, uint32_t x, uint32_t y, uint32_t width, uint32_t height,
		  const uint32_t *tile)
{
	for (uint32_t row = 0; row < height; row++)
		memcpy(d->pixels + (y + row) * d->width + x, tile + row * width, width * 4);
}

static size_t decode_zrle(struct decoder *d, const uint8_t *from, const struct tiles_rect *r)
{
	size_t len = rfb_get_u32(from), room = (size_t)r->width * r->height * 5 + 4096;
	static uint32_t tile[64 * 64];

	d->data = malloc(room);
	d->at = 0;
	d->stream.next_in = (Bytef *)from + 4;
	d->stream.avail_in = (uInt)len;
	d->stream.next_out = d->data;
	d->stream.avail_out = (uInt)room;
	assert_int_equal(inflate(&d->stream, Z_SYNC_FLUSH), Z_OK);
	assert_int_equal(d->stream.avail_in, 0);
	for (uint32_t y = 0; y < r->height; y += 64) {
		for (uint32_t x = 0; x < r->width; x += 64) {
			uint32_t w = r->width - x < 64 ? r->width - x : 64,
				 h = r->height - y < 64 ? r->height - y : 64;

			decode_tile(d, tile, w, h);
			store(d, r->x + x, r->y + y, w, h, tile);
		}
	}
	assert_int_equal(d->at, room - d->stream.avail_out);
	free(d->data);
	return 4 + len;
}

static size_t decode_raw(struct decoder *d, const uint8_t *from, const struct tiles_rect *r)
{
	const uint8_t *at = from;

	for (uint32_t y = r->y; y < r->y + r->height; y++) {
		for (uint32_t x = r->x; x < r->x + r->width; x++, at += d->map->bytes) {
			d->pixels[y * d->width + x] = 0;
			memcpy(&d->pixels[y * d->width + x], at, d->map->bytes);
		}
	}
	return (size_t)(at - from);
}

static unsigned decode_update(struct decoder *d, const struct encode_buffer *out)
{
	const uint8_t *at = out->data + 4;
	unsigned count = rfb_get_u16(out->data + 2), n;

	for (n = 0; n < count; n++) {
		struct tiles_rect r = { rfb_get_u16(at), rfb_get_u16(at + 2), rfb_get_u16(at + 4),
					rfb_get_u16(at + 6) };
		int32_t encoding = (int32_t)rfb_get_u32(at + 8);

		at += 12;
		if (encoding == RFB_LAST_RECT)
			break;
		assert_true(r.x + r.width <= d->width && r.y + r.height <= d->height);
		at += encoding == RFB_ZRLE ? decode_zrle(d, at, &r) : decode_raw(d, at, &r);
	}
	assert_ptr_equal(at, out->data + out->used);
	return n;
}

struct scene {
	uint32_t width, height, stride;
	uint8_t *pixels;
};

/* Areas with 1, 2, 3, 10, 100 and very many colours, in single pixels and in runs. */
static void paint(struct scene *s)
{
	static const uint32_t colours[] = { 1, 2, 3, 10, 100, 1 << 24 };

	for (uint32_t y = 0; y < s->height; y += 64) {
		for (uint32_t x = 0; x < s->width; x += 64) {
			uint32_t of = colours[rnd() % 6], longest = 1 + rnd() % (1U << rnd() % 10),
				 base = rnd(), run = 0, pixel = 0;

			for (uint32_t i = y; i < y + 64 && i < s->height; i++) {
				for (uint32_t j = x; j < x + 64 && j < s->width; j++) {
					if (!run--) {
						run = rnd() % longest;
						pixel = base + rnd() % of * 40503;
					}
					((uint32_t *)(s->pixels + i * s->stride))[j] =
						(pixel & 0xffffff) | rnd() << 24;
				}
			}
		}
	}
}

static void compare(const struct scene *s, const struct decoder *d)
{
	for (uint32_t y = 0; y < s->height; y++) {
		for (uint32_t x = 0; x < s->width; x++) {
			uint32_t pixel = ((uint32_t *)(s->pixels + y * s->stride))[x], want = 0;

			pixel = pixel_convert(d->map, pixel);
			memcpy(&want, &pixel, d->map->bytes);
			if (d->pixels[y * d->width + x] != want)
				fail_msg("%ux%u: pixel %u,%u is %08x, not %08x", s->width, s->height, x, y,
					 d->pixels[y * d->width + x], want);
		}
	}
}

static void round_trip(uint32_t width, uint32_t height, const struct pixel_format *format, int32_t encoding,
		       unsigned kinds[256])
{
	struct scene s = { width, height, (width * 4 + 63) / 64 * 64, NULL };
	struct encode_task *task = calloc(1, sizeof(*task));
	struct decoder d = { .map = &task->map, .width = width, .height = height };

	s.pixels = malloc((size_t)s.stride * height);
	d.pixels = calloc((size_t)width * height, 4);
	assert_int_equal(encode_init(task), 0);
	assert_int_equal(inflateInit(&d.stream), Z_OK);
	assert_null(pixel_map_init(&task->map, format));
	assert_int_equal(encode_reserve(task, width, height), 0);
	for (unsigned round = 0; round < 3; round++) {
		paint(&s);
		task->source = (struct encode_source){ s.pixels, width, height, s.stride };
		task->width = width;
		task->height = height;
		task->encoding = encoding;
		task->out.used = 0;
		tiles_set_rect(task->damage, width, height, 0, 0, width, height);
		encode_update(task);
		assert_true(task->out.used <= encode_bound(width, height));
		decode_update(&d, &task->out);
		compare(&s, &d);
	}
	for (unsigned i = 0; i < 256; i++)
		kinds[i] += d.kinds[i];
	inflateEnd(&d.stream);
	encode_free(task);
	free(task);
	free(s.pixels);
	free(d.pixels);
}

static void every_format_and_odd_size_comes_back(void **state)
{
	static const struct pixel_format formats[] = {
		{ 32, 24, false, true, 255, 255, 255, 16, 8, 0 },
		{ 32, 24, true, true, 255, 255, 255, 16, 8, 0 },
		{ 32, 24, false, true, 255, 255, 255, 24, 16, 8 },
		{ 32, 24, true, true, 255, 255, 255, 8, 16, 24 },
		{ 32, 32, false, true, 255, 255, 255, 0, 12, 24 },
		{ 16, 16, false, true, 31, 63, 31, 11, 5, 0 },
		{ 16, 15, true, true, 31, 31, 31, 10, 5, 0 },
		{ 8, 8, false, true, 7, 7, 3, 0, 3, 6 },
	};
	static const uint32_t sizes[][2] = { { 64, 64 }, { 65, 127 }, { 333, 201 }, { 129, 64 } };
	static unsigned kinds[256];
	unsigned palettes = 0, packed = 0;

	(void)state;
	for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++)
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
			for (int32_t encoding = RFB_RAW; encoding <= RFB_ZRLE; encoding += RFB_ZRLE)
				round_trip(sizes[s][0], sizes[s][1], &formats[f], encoding, kinds);
	for (unsigned i = 2; i <= 16; i++)
		packed += kinds[i];
	for (unsigned i = 130; i < 256; i++)
		palettes += kinds[i];
	assert_true(kinds[0] && kinds[1] && kinds[128] && packed && palettes);
}

/* A chess board of Tiles: more rectangles than fit a batch. */
static void chess(bool last_rect, int32_t encoding, unsigned *rects)
{
	struct encode_task *task = calloc(1, sizeof(*task));
	uint32_t width = 1000, height = 700;
	struct scene s = { width, height, 4032, NULL };
	struct decoder d = { .map = &task->map, .width = width, .height = height };

	s.pixels = calloc(s.stride, height);
	d.pixels = calloc((size_t)width * height, 4);
	assert_int_equal(encode_init(task), 0);
	assert_int_equal(inflateInit(&d.stream), Z_OK);
	assert_null(pixel_map_init(&task->map, &pixel_native));
	assert_int_equal(encode_reserve(task, width, height), 0);
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++)
			if ((x / 16 + y / 16) % 2)
				((uint32_t *)(s.pixels + y * s.stride))[x] = rnd() & 0xffffff;
	for (uint32_t y = 0; y < height; y += 16)
		for (uint32_t x = 0; x < width; x += 16)
			if ((x / 16 + y / 16) % 2)
				tiles_set_rect(task->damage, width, height, x, y, 1, 1);
	task->source = (struct encode_source){ s.pixels, width, height, s.stride };
	task->width = width;
	task->height = height;
	task->encoding = encoding;
	task->last_rect = last_rect;
	encode_update(task);
	assert_true(task->out.used <= task->out.size);
	assert_int_equal(rfb_get_u16(task->out.data + 2) == RFB_COUNT_UNKNOWN, last_rect);
	*rects = decode_update(&d, &task->out);
	compare(&s, &d);
	inflateEnd(&d.stream);
	encode_free(task);
	free(task);
	free(s.pixels);
	free(d.pixels);
}

static void many_rectangles_end_with_last_rect_or_get_coarse(void **state)
{
	unsigned fine, coarse;

	(void)state;
	chess(true, RFB_ZRLE, &fine);
	chess(false, RFB_ZRLE, &coarse);
	assert_true(fine > TILES_BATCH && coarse < fine);
	chess(true, RFB_RAW, &fine);
	chess(false, RFB_RAW, &coarse);
}

static void a_picture_larger_than_the_client_is_cut(void **state)
{
	struct encode_task *task = calloc(1, sizeof(*task));
	struct decoder d = { .map = &task->map, .width = 100, .height = 70 };
	uint8_t *pixels = calloc(200 * 4, 200);

	(void)state;
	d.pixels = malloc(100 * 70 * 4);
	memset(d.pixels, 0xee, 100 * 70 * 4);
	assert_int_equal(encode_init(task), 0);
	assert_null(pixel_map_init(&task->map, &pixel_native));
	assert_int_equal(encode_reserve(task, 100, 70), 0);
	task->source = (struct encode_source){ pixels, 200, 200, 800 };
	task->width = 100;
	task->height = 70;
	tiles_set_rect(task->damage, 200, 200, 0, 0, 200, 200);
	encode_update(task);
	assert_int_equal(decode_update(&d, &task->out), 1);
	for (unsigned i = 0; i < 100 * 70; i++)
		assert_int_equal(d.pixels[i], 0);
	encode_free(task);
	free(task);
	free(d.pixels);
	free(pixels);
}

static void no_picture_is_black(void **state)
{
	struct encode_task *task = calloc(1, sizeof(*task));
	struct decoder d = { .map = &task->map, .width = 640, .height = 480 };

	(void)state;
	d.pixels = malloc(640 * 480 * 4);
	memset(d.pixels, 0xee, 640 * 480 * 4);
	assert_int_equal(encode_init(task), 0);
	assert_int_equal(inflateInit(&d.stream), Z_OK);
	assert_null(pixel_map_init(&task->map, &pixel_native));
	assert_int_equal(encode_reserve(task, 640, 480), 0);
	task->width = 640;
	task->height = 480;
	task->encoding = RFB_ZRLE;
	tiles_set_rect(task->damage, 640, 480, 0, 0, 640, 480);
	encode_update(task);
	decode_update(&d, &task->out);
	for (unsigned i = 0; i < 640 * 480; i++)
		assert_int_equal(d.pixels[i], 0);
	inflateEnd(&d.stream);
	encode_free(task);
	free(task);
	free(d.pixels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_and_odd_size_comes_back),
		cmocka_unit_test(many_rectangles_end_with_last_rect_or_get_coarse),
		cmocka_unit_test(a_picture_larger_than_the_client_is_cut),
		cmocka_unit_test(no_picture_is_black),
	};
	const char *seed = getenv("SEED");

	random_state = seed ? (uint32_t)strtoul(seed, NULL, 0) : (uint32_t)time(NULL);
	print_message("seed: SEED=%u\n", random_state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
