/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pixel formats a Client may ask for (RFC 6143 7.4), from our XRGB8888 in one table look-up a colour. */
#ifndef KVMNET_DEVICE_PIXEL_H
#define KVMNET_DEVICE_PIXEL_H

#include <stdbool.h>
#include <stdint.h>

/* RFC 6143 7.4, without its padding. */
struct pixel_format {
	uint8_t bits, depth;
	bool big_endian, true_colour;
	uint16_t red_max, green_max, blue_max;
	uint8_t red_shift, green_shift, blue_shift;
};

struct pixel_map {
	struct pixel_format format;
	bool native;	/* a Frame's own pixels, bytes and all */
	uint8_t bytes;	/* of one PIXEL */
	uint8_t cbytes; /* of one CPIXEL (RFC 6143 7.7.5): 3 where a 32-bit pixel fits in 3 bytes */
	uint8_t cskip;	/* bytes of a PIXEL before its CPIXEL starts */
	uint32_t red[256], green[256], blue[256]; /* in the order of memory of this machine */
};

extern const struct pixel_format pixel_native;

/* NULL, or why the format is refused. */
const char *pixel_map_init(struct pixel_map *map, const struct pixel_format *format);

/* One pixel, whose low map->bytes bytes in memory are what goes on the wire. */
static inline uint32_t pixel_convert(const struct pixel_map *map, uint32_t xrgb)
{
	return map->red[xrgb >> 16 & 0xff] | map->green[xrgb >> 8 & 0xff] | map->blue[xrgb & 0xff];
}

/* count pixels of a Frame's row to the wire; returns the byte after the last. */
uint8_t *pixel_write_row(const struct pixel_map *map, uint8_t *to, const uint8_t *from, uint32_t count);

#endif
