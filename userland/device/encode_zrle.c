// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ZRLE (RFC 6143 7.7.6): each 64x64 tile in the subencoding with the fewest
 * bytes before zlib, found in one pass over its runs.
 */
#include "device/encode.h"

#include <string.h>

#include "device/rfb.h"

/* Subencodings. Packed palettes are their size, 2 to 16; palette RLE is 128 + size, 2 to 127. */
#define SUB_RAW 0
#define SUB_SOLID 1
#define SUB_PLAIN_RLE 128

struct tile {
	struct encode_zrle *z;
	const struct pixel_map *map;
	uint32_t width, height, count;
	uint32_t colours; /* in the palette; ENCODE_PALETTE_MAX + 1: too many */
	uint32_t runs;
	uint32_t length_bytes;	/* of the run lengths of plain RLE */
	uint32_t palette_bytes; /* of the runs of palette RLE */
};

/* The X byte of a Frame's pixel may hold anything: it must not make two pixels differ. */
static void load(struct tile *tile, const struct encode_source *source, uint32_t x, uint32_t y)
{
	const uint8_t *row = source->pixels + (size_t)y * source->stride + x * 4u;
	uint32_t *to = tile->z->pixels;

	for (uint32_t i = 0; i < tile->height; i++, row += source->stride, to += tile->width)
		memcpy(to, row, tile->width * 4u);
	for (uint32_t i = 0; i < tile->count; i++)
		tile->z->pixels[i] &= 0xffffff;
}

static void convert(struct tile *tile)
{
	if (tile->map->native)
		return;
	for (uint32_t i = 0; i < tile->count; i++)
		tile->z->pixels[i] = pixel_convert(tile->map, tile->z->pixels[i]);
}

static uint32_t hash_of(uint32_t pixel)
{
	return pixel * 2654435761u >> 24;
}

/* Index of a colour in the palette, adding it; ENCODE_PALETTE_MAX when it is full. */
static uint32_t palette_index(struct tile *tile, uint32_t pixel)
{
	struct encode_zrle *z = tile->z;
	uint32_t at = hash_of(pixel);

	while (z->hash[at]) {
		if (z->palette[z->hash[at] - 1] == pixel)
			return z->hash[at] - 1u;
		at = (at + 1) % 256;
	}
	if (tile->colours >= ENCODE_PALETTE_MAX) {
		tile->colours = ENCODE_PALETTE_MAX + 1;
		return ENCODE_PALETTE_MAX;
	}
	z->palette[tile->colours] = pixel;
	z->hash[at] = (uint16_t)++tile->colours;
	return tile->colours - 1;
}

static uint32_t run_at(const struct tile *tile, uint32_t i)
{
	const uint32_t *pixels = tile->z->pixels;
	uint32_t end = i + 1;

	while (end < tile->count && pixels[end] == pixels[i])
		end++;
	return end - i;
}

/* Lengths are 255 for each full 255 and the rest: (length - 1) / 255 + 1 bytes. */
static uint32_t length_size(uint32_t run)
{
	return (run - 1) / 255 + 1;
}

static void survey(struct tile *tile)
{
	uint32_t run;

	memset(tile->z->hash, 0, sizeof(tile->z->hash));
	for (uint32_t i = 0; i < tile->count; i += run) {
		run = run_at(tile, i);
		tile->runs++;
		tile->length_bytes += length_size(run);
		tile->palette_bytes += run == 1 ? 1 : 1 + length_size(run);
		if (tile->colours <= ENCODE_PALETTE_MAX)
			palette_index(tile, tile->z->pixels[i]);
	}
}

static uint8_t *put_cpixel(const struct pixel_map *map, uint8_t *to, uint32_t pixel)
{
	memcpy(to, (const uint8_t *)&pixel + map->cskip, map->cbytes);
	return to + map->cbytes;
}

static uint8_t *put_length(uint8_t *to, uint32_t run)
{
	for (run--; run >= 255; run -= 255)
		*to++ = 255;
	*to++ = (uint8_t)run;
	return to;
}

static uint8_t *put_palette(const struct tile *tile, uint8_t *to)
{
	for (uint32_t i = 0; i < tile->colours; i++)
		to = put_cpixel(tile->map, to, tile->z->palette[i]);
	return to;
}

static uint8_t *put_raw(const struct tile *tile, uint8_t *to)
{
	for (uint32_t i = 0; i < tile->count; i++)
		to = put_cpixel(tile->map, to, tile->z->pixels[i]);
	return to;
}

static uint32_t packed_bits(uint32_t colours)
{
	return colours <= 2 ? 1 : colours <= 4 ? 2 : 4;
}

static uint8_t *put_packed(struct tile *tile, uint8_t *to)
{
	uint32_t bits = packed_bits(tile->colours);
	const uint32_t *pixel = tile->z->pixels;

	to = put_palette(tile, to);
	for (uint32_t y = 0; y < tile->height; y++) {
		uint32_t byte = 0, filled = 0;

		for (uint32_t x = 0; x < tile->width; x++) {
			byte = byte << bits | palette_index(tile, *pixel++);
			filled += bits;
			if (filled == 8) {
				*to++ = (uint8_t)byte;
				byte = filled = 0;
			}
		}
		if (filled)
			*to++ = (uint8_t)(byte << (8 - filled));
	}
	return to;
}

static uint8_t *put_plain_rle(const struct tile *tile, uint8_t *to)
{
	uint32_t run;

	for (uint32_t i = 0; i < tile->count; i += run) {
		run = run_at(tile, i);
		to = put_length(put_cpixel(tile->map, to, tile->z->pixels[i]), run);
	}
	return to;
}

static uint8_t *put_palette_rle(struct tile *tile, uint8_t *to)
{
	uint32_t run;

	to = put_palette(tile, to);
	for (uint32_t i = 0; i < tile->count; i += run) {
		uint32_t index = palette_index(tile, tile->z->pixels[i]);

		run = run_at(tile, i);
		*to++ = (uint8_t)(run == 1 ? index : index | 128);
		if (run > 1)
			to = put_length(to, run);
	}
	return to;
}

struct choice {
	uint32_t bytes;
	uint8_t subencoding;
};

static void consider(struct choice *best, uint32_t bytes, uint32_t subencoding)
{
	if (bytes < best->bytes)
		*best = (struct choice){ bytes, (uint8_t)subencoding };
}

static struct choice choose(const struct tile *tile)
{
	uint32_t cpixel = tile->map->cbytes, colours = tile->colours;
	struct choice best = { tile->count * cpixel, SUB_RAW };

	consider(&best, tile->runs * cpixel + tile->length_bytes, SUB_PLAIN_RLE);
	if (colours > ENCODE_PALETTE_MAX)
		return best;
	if (colours == 1) {
		consider(&best, 0, SUB_SOLID);
		return best;
	}
	consider(&best, colours * cpixel + tile->palette_bytes, SUB_PLAIN_RLE + colours);
	if (colours <= 16)
		consider(&best,
			 colours * cpixel + (tile->width * packed_bits(colours) + 7) / 8 * tile->height,
			 colours);
	return best;
}

/* Returns the bytes of z->tile. */
static size_t encode_tile(struct tile *tile)
{
	uint8_t *start = tile->z->tile, *to = start + 1;
	struct choice best;

	survey(tile);
	best = choose(tile);
	*start = best.subencoding;
	if (best.subencoding == SUB_RAW)
		to = put_raw(tile, to);
	else if (best.subencoding == SUB_SOLID)
		to = put_cpixel(tile->map, to, tile->z->pixels[0]);
	else if (best.subencoding < SUB_PLAIN_RLE)
		to = put_packed(tile, to);
	else if (best.subencoding == SUB_PLAIN_RLE)
		to = put_plain_rle(tile, to);
	else
		to = put_palette_rle(tile, to);
	return (size_t)(to - start);
}

static void compress_bytes(struct encode_zrle *z, size_t len, int flush)
{
	z->stream.next_in = z->tile;
	z->stream.avail_in = (uInt)len;
	/* The buffer holds the worst case (encode_bound): one call takes all. */
	deflate(&z->stream, flush);
}

void encode_zrle(struct encode_task *task, const struct tiles_rect *rect)
{
	struct encode_buffer *out = &task->out;
	struct encode_zrle *z = &task->zrle;
	uint8_t *length = out->data + out->used;

	z->stream.next_out = length + 4;
	z->stream.avail_out = (uInt)(out->size - out->used - 4);
	for (uint32_t y = 0; y < rect->height; y += ENCODE_ZRLE_TILE) {
		for (uint32_t x = 0; x < rect->width; x += ENCODE_ZRLE_TILE) {
			struct tile tile = { .z = z, .map = &task->map };

			tile.width = rect->width - x < ENCODE_ZRLE_TILE ? rect->width - x : ENCODE_ZRLE_TILE;
			tile.height =
				rect->height - y < ENCODE_ZRLE_TILE ? rect->height - y : ENCODE_ZRLE_TILE;
			tile.count = tile.width * tile.height;
			load(&tile, &task->source, rect->x + x, rect->y + y);
			convert(&tile);
			compress_bytes(z, encode_tile(&tile), Z_NO_FLUSH);
		}
	}
	compress_bytes(z, 0, Z_SYNC_FLUSH);
	rfb_put_u32(length, (uint32_t)(z->stream.next_out - (length + 4)));
	out->used = (size_t)(z->stream.next_out - out->data);
}
