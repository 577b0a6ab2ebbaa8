// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Checks a Client's pixel format and builds the tables that convert to it.
 * Encodings are elsewhere (encode*.c).
 */
#include "device/pixel.h"

#include <stddef.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Frames are little-endian XRGB8888; a big-endian appliance needs a swap here"
#endif

const struct pixel_format pixel_native = {
	.bits = 32,
	.depth = 24,
	.true_colour = true,
	.red_max = 255,
	.green_max = 255,
	.blue_max = 255,
	.red_shift = 16,
	.green_shift = 8,
	.blue_shift = 0,
};

static unsigned width_of(uint16_t max)
{
	return max ? 32u - (unsigned)__builtin_clz(max) : 0;
}

/* RFC 6143 7.4: each maximum is 2^N - 1. */
static bool colour_fits(uint16_t max, uint8_t shift, uint8_t bits)
{
	return max && !(max & (max + 1u)) && shift + width_of(max) <= bits;
}

static const char *check(const struct pixel_format *f)
{
	if (!f->true_colour)
		return "colour maps are not supported, ask for true colour";
	if (f->bits != 8 && f->bits != 16 && f->bits != 32)
		return "bits per pixel must be 8, 16 or 32";
	if (!f->depth || f->depth > f->bits)
		return "depth must be between 1 and the bits per pixel";
	if (!colour_fits(f->red_max, f->red_shift, f->bits) ||
	    !colour_fits(f->green_max, f->green_shift, f->bits) ||
	    !colour_fits(f->blue_max, f->blue_shift, f->bits))
		return "a colour's maximum is not 2^N - 1 or does not fit the pixel";
	return NULL;
}

static uint32_t memory_order(const struct pixel_format *f, uint32_t value)
{
	if (!f->big_endian || f->bits == 8)
		return value;
	return f->bits == 16 ? __builtin_bswap16((uint16_t)value) : __builtin_bswap32(value);
}

static void fill(uint32_t table[256], const struct pixel_format *f, uint16_t max, uint8_t shift)
{
	for (uint32_t i = 0; i < 256; i++)
		table[i] = memory_order(f, (i * max + 127) / 255 << shift);
}

static void set_cpixel(struct pixel_map *map)
{
	const struct pixel_format *f = &map->format;
	uint32_t used = (uint32_t)f->red_max << f->red_shift | (uint32_t)f->green_max << f->green_shift |
			(uint32_t)f->blue_max << f->blue_shift;
	bool low = !(used & 0xff000000u), high = !(used & 0xffu);

	map->cbytes = map->bytes;
	map->cskip = 0;
	if (f->bits != 32 || f->depth > 24 || !(low || high))
		return;
	map->cbytes = 3;
	map->cskip = low == f->big_endian ? 1 : 0;
}

const char *pixel_map_init(struct pixel_map *map, const struct pixel_format *format)
{
	const char *error = check(format);

	if (error)
		return error;
	map->format = *format;
	map->bytes = format->bits / 8;
	fill(map->red, format, format->red_max, format->red_shift);
	fill(map->green, format, format->green_max, format->green_shift);
	fill(map->blue, format, format->blue_max, format->blue_shift);
	set_cpixel(map);
	map->native = map->bytes == 4 && map->red[255] == 0xff0000 && map->green[255] == 0xff00 &&
		      map->blue[255] == 0xff;
	return NULL;
}

/* The unused byte of a Frame's pixel may hold anything: it never reaches a Client. */
static void write_native(uint8_t *to, const uint8_t *from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t pixel;

		memcpy(&pixel, from + i * 4, 4);
		pixel &= 0xffffff;
		memcpy(to + i * 4, &pixel, 4);
	}
}

uint8_t *pixel_write_row(const struct pixel_map *map, uint8_t *to, const uint8_t *from, uint32_t count)
{
	size_t bytes = map->bytes;

	if (map->native) {
		write_native(to, from, count);
		return to + (size_t)count * 4;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t pixel;

		memcpy(&pixel, from + i * 4, 4);
		pixel = pixel_convert(map, pixel);
		memcpy(to, &pixel, bytes);
		to += bytes;
	}
	return to;
}
