// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The exact differ. Here is the comparison of pixels and the arithmetic of
 * Damage bitmaps; who keeps which bitmap for whom is in ring.c.
 */
#ifdef __KERNEL__
#include <linux/string.h>
#include <linux/types.h>
#else
#include <stdbool.h>
#include <string.h>
#endif

#include "differ.h"

/* Pixels are written as anything and compared as words of two pixels. */
typedef __u64 __attribute__((__may_alias__)) pixel_pair;

#define PAIRS	(KVMCAP_TILE / 2)	/* words in one row of a Tile */

/* XRGB8888 is B, G, R, X in memory, whatever the byte order of the machine. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define COLOUR_BITS	0x00ffffff00ffffffULL
#define FIRST_PIXEL	0x00000000ffffffffULL
#else
#define COLOUR_BITS	0xffffff00ffffff00ULL
#define FIRST_PIXEL	0xffffffff00000000ULL
#endif

/*
 * One row of one whole Tile. No branch and no early exit: the order of access
 * alone keeps the memory busy, and a branch a Tile costs more than it saves.
 */
static inline __u64 whole_tile(const pixel_pair *a, const pixel_pair *b)
{
	__u64 even = (a[0] ^ b[0]) | (a[2] ^ b[2]) | (a[4] ^ b[4]) | (a[6] ^ b[6]);
	__u64 odd = (a[1] ^ b[1]) | (a[3] ^ b[3]) | (a[5] ^ b[5]) | (a[7] ^ b[7]);

	return even | odd;
}

/*
 * Asks for what is compared soon. What the hardware fetches ahead by itself
 * ends with each page of 4096 bytes: half a page is early enough, and measured
 * (make bench: differ). Nothing is read by it: past the end of a Frame it does
 * nothing, and a line fetched too early is invalidated by the next dma_sync.
 * The kernel's prefetch() is not it: on x86 that keeps out of the cache, and is
 * slower than none.
 */
static inline void fetch_ahead(const pixel_pair *pair)
{
	__builtin_prefetch((const char *)pair + 2048);
}

/* One row of the Tile at the right edge that has 1 to 15 columns of pixels. */
static inline __u64 partial_tile(const pixel_pair *a, const pixel_pair *b, __u32 pixels)
{
	__u64 seen = 0;
	__u32 i;

	for (i = 0; i < pixels / 2; i++)
		seen |= a[i] ^ b[i];
	if (pixels % 2)
		seen |= (a[i] ^ b[i]) & FIRST_PIXEL;
	return seen;
}

/* Skips columns known to be dirty; what was dirty once stays so. */
static __u32 first_clean(const __u64 *seen, __u32 tile, __u32 tiles)
{
	while (tile < tiles && (seen[tile] & COLOUR_BITS))
		tile++;
	return tile;
}

static void compare_tile_row(__u64 *seen, const struct kvmcap_geometry *geo, const char *now,
			     const char *before, __u32 rows)
{
	const __u32 whole = geo->width / KVMCAP_TILE;
	const __u32 rest = geo->width % KVMCAP_TILE;
	const __u32 tiles = KVMCAP_TILES(geo->width);
	__u32 clean = 0;
	__u32 tile;
	__u32 row;

	memset(seen, 0, tiles * sizeof(*seen));
	for (row = 0; row < rows; row++) {
		const pixel_pair *a = (const pixel_pair *)(now + (size_t)row * geo->stride);
		const pixel_pair *b = (const pixel_pair *)(before + (size_t)row * geo->stride);

		for (tile = 0; tile < whole; tile++, a += PAIRS, b += PAIRS) {
			fetch_ahead(a);
			fetch_ahead(b);
			seen[tile] |= whole_tile(a, b);
		}
		if (rest)
			seen[whole] |= partial_tile(a, b, rest);
		/* A whole-screen change is known after a quarter of the rows. */
		if (row % 4 == 3) {
			clean = first_clean(seen, clean, tiles);
			if (clean == tiles)
				return;
		}
	}
}

/* Turns what was seen into one row of the bitmap; the X bytes are dropped here. */
static __u32 store_tile_row(const __u64 *seen, __u32 tiles, __u64 *damage)
{
	__u32 dirty = 0;
	__u32 tile;

	memset(damage, 0, (tiles + 63) / 64 * sizeof(*damage));
	for (tile = 0; tile < tiles; tile++) {
		const __u64 bit = (seen[tile] & COLOUR_BITS) != 0;

		damage[tile / 64] |= bit << (tile % 64);
		dirty += (__u32)bit;
	}
	return dirty;
}

__u32 kvmcap_differ_band(struct kvmcap_differ *differ, const struct kvmcap_geometry *geo,
			 const void *now, const void *before, __u32 first, __u32 end,
			 __u64 *damage)
{
	const __u32 words = KVMCAP_DAMAGE_WORDS(geo->width);
	__u32 dirty = 0;
	__u32 ty;

	for (ty = first; ty < end; ty++) {
		const size_t offset = (size_t)ty * KVMCAP_TILE * geo->stride;
		const __u32 left = geo->height - ty * KVMCAP_TILE;

		compare_tile_row(differ->seen, geo, (const char *)now + offset,
				 (const char *)before + offset,
				 left < KVMCAP_TILE ? left : KVMCAP_TILE);
		dirty += store_tile_row(differ->seen, KVMCAP_TILES(geo->width),
					damage + (size_t)ty * words);
	}
	return dirty;
}

void kvmcap_damage_fill(const struct kvmcap_geometry *geo, __u64 *damage)
{
	const __u32 words = KVMCAP_DAMAGE_WORDS(geo->width);
	const __u32 rest = KVMCAP_TILES(geo->width) % 64;
	__u32 ty;

	memset(damage, 0xff, KVMCAP_DAMAGE_BYTES(geo->width, geo->height));
	if (!rest)
		return;
	for (ty = 0; ty < KVMCAP_TILES(geo->height); ty++)
		damage[(size_t)ty * words + words - 1] = (1ULL << rest) - 1;
}

void kvmcap_damage_or(const struct kvmcap_geometry *geo, __u64 *to, const __u64 *from)
{
	const __u32 words = KVMCAP_DAMAGE_BYTES(geo->width, geo->height) / 8;
	__u32 i;

	for (i = 0; i < words; i++)
		to[i] |= from[i];
}
