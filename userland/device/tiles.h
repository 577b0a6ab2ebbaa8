/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damage bitmaps (KVMCAP_DAMAGE_*) to few rectangles in pixels. */
#ifndef KVMNET_DEVICE_TILES_H
#define KVMNET_DEVICE_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmod/uapi/kvmcap.h"

#define TILES_MAX_ROWS KVMCAP_TILES(KVMCAP_MAX_HEIGHT)
#define TILES_MAX_WORDS (KVMCAP_MAX_DAMAGE_BYTES / 8)
/* At most every second Tile of a row starts a run. */
#define TILES_MAX_RUNS (KVMCAP_TILES(KVMCAP_MAX_WIDTH) / 2)
#define TILES_BATCH 512

struct tiles_rect {
	uint16_t x, y, width, height;
};

struct tiles_walk {
	const uint64_t *damage;
	uint32_t width, height; /* of the Frame: rectangles end there */
	uint32_t row;		/* the next row of Tiles to look at */
	uint32_t open;		/* rectangles that may still grow downwards */
	struct tiles_rect growing[TILES_MAX_RUNS];
};

static inline size_t tiles_words(uint32_t width, uint32_t height)
{
	return (size_t)KVMCAP_DAMAGE_WORDS(width) * KVMCAP_TILES(height);
}

/* Every Tile that touches the rectangle, which is cut to the Frame. */
void tiles_set_rect(uint64_t *damage, uint32_t width, uint32_t height, uint32_t x, uint32_t y, uint32_t w,
		    uint32_t h);
bool tiles_any(const uint64_t *damage, size_t words);

/* Runs of adjacent Tiles, and rows of equal runs, become one rectangle. Fills at most TILES_BATCH of them at
 * a time; 0 is the end. With coarse set, each row of Tiles yields one rectangle that covers all its Tiles. */
void tiles_walk_init(struct tiles_walk *walk, const uint64_t *damage, uint32_t width, uint32_t height);
size_t tiles_walk_next(struct tiles_walk *walk, struct tiles_rect rects[TILES_BATCH], bool coarse);

#endif
