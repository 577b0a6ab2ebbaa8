/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The differ: which Tiles of a Frame differ from the previous Frame, exactly.
 * Pure computation on memory; the same source serves kernel and user space.
 */
#ifndef KVMCAP_DIFFER_H
#define KVMCAP_DIFFER_H

#include "uapi/kvmcap.h"

#define KVMCAP_MAX_TILES	KVMCAP_TILES(KVMCAP_MAX_WIDTH)

/**
 * struct kvmcap_geometry - the shape of an XRGB8888 Frame in memory
 * @width: pixels, KVMCAP_MIN_WIDTH to KVMCAP_MAX_WIDTH
 * @height: rows, KVMCAP_MIN_HEIGHT to KVMCAP_MAX_HEIGHT
 * @stride: bytes from one row to the next, a multiple of 64, at least 4 x width
 */
struct kvmcap_geometry {
	__u32 width;
	__u32 height;
	__u32 stride;
};

/**
 * struct kvmcap_differ - scratch memory of one comparison at a time
 * @seen: for each Tile column, the bits that differed so far in this row of Tiles
 *
 * 2 KiB, too much for a kernel stack; its contents mean nothing between calls.
 */
struct kvmcap_differ {
	__u64 seen[KVMCAP_MAX_TILES];
};

/**
 * kvmcap_differ_band() - compare the Tile rows [first, end) of two Frames
 * @differ: scratch memory of the caller
 * @geo: shape of both Frames
 * @now: the new Frame, 8-byte aligned
 * @before: the Frame to compare with, 8-byte aligned
 * @first: first row of Tiles
 * @end: row of Tiles to stop before, at most KVMCAP_TILES(@geo->height)
 * @damage: bitmap of the whole Frame; words of other rows stay untouched
 *
 * The X byte and the padding at the end of a row never count. Padding is read,
 * never beyond @stride.
 *
 * Return: how many Tiles of the band differ.
 */
__u32 kvmcap_differ_band(struct kvmcap_differ *differ, const struct kvmcap_geometry *geo,
			 const void *now, const void *before, __u32 first, __u32 end,
			 __u64 *damage);

/**
 * kvmcap_damage_fill() - mark every Tile
 * @geo: shape of the Frame
 * @damage: KVMCAP_DAMAGE_BYTES() of memory; bits past the last column become 0
 */
void kvmcap_damage_fill(const struct kvmcap_geometry *geo, __u64 *damage);

/**
 * kvmcap_damage_or() - add one bitmap to another of the same shape
 * @geo: shape of the Frame
 * @to: what grows
 * @from: what is added
 */
void kvmcap_damage_or(const struct kvmcap_geometry *geo, __u64 *to, const __u64 *from);

#endif
