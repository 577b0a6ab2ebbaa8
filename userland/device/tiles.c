// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walks a Damage bitmap from top to bottom and hands out rectangles. Nothing
 * here knows Clients or encodings.
 */
#include "device/tiles.h"

#include <string.h>

void tiles_set_rect(uint64_t *damage, uint32_t width, uint32_t height, uint32_t x, uint32_t y, uint32_t w,
		    uint32_t h)
{
	uint32_t right = x + w < width ? x + w : width, bottom = y + h < height ? y + h : height;
	size_t words = KVMCAP_DAMAGE_WORDS(width);

	if (x >= right || y >= bottom)
		return;
	for (uint32_t row = y >> KVMCAP_TILE_SHIFT; row <= (bottom - 1) >> KVMCAP_TILE_SHIFT; row++)
		for (uint32_t col = x >> KVMCAP_TILE_SHIFT; col <= (right - 1) >> KVMCAP_TILE_SHIFT; col++)
			damage[row * words + col / 64] |= 1ull << col % 64;
}

bool tiles_any(const uint64_t *damage, size_t words)
{
	uint64_t any = 0;

	for (size_t i = 0; i < words; i++)
		any |= damage[i];
	return any;
}

void tiles_walk_init(struct tiles_walk *walk, const uint64_t *damage, uint32_t width, uint32_t height)
{
	walk->damage = damage;
	walk->width = width;
	walk->height = height;
	walk->row = 0;
	walk->open = 0;
}

static bool is_set(const uint64_t *row, uint32_t col)
{
	return row[col / 64] >> col % 64 & 1;
}

/* The runs of one row of Tiles, left to right. */
static uint32_t find_runs(const struct tiles_walk *walk, struct tiles_rect runs[TILES_MAX_RUNS], bool coarse)
{
	uint32_t cols = KVMCAP_TILES(walk->width), n = 0, top = walk->row << KVMCAP_TILE_SHIFT;
	const uint64_t *row = walk->damage + (size_t)walk->row * KVMCAP_DAMAGE_WORDS(walk->width);
	uint32_t left = walk->height - top;

	for (uint32_t col = 0; col < cols; col++) {
		uint32_t x = col << KVMCAP_TILE_SHIFT;
		uint32_t end = x + KVMCAP_TILE < walk->width ? x + KVMCAP_TILE : walk->width;

		if (!is_set(row, col))
			continue;
		if (n && (coarse || is_set(row, col - 1))) {
			runs[n - 1].width = (uint16_t)(end - runs[n - 1].x);
			continue;
		}
		runs[n++] = (struct tiles_rect){
			.x = (uint16_t)x,
			.y = (uint16_t)top,
			.width = (uint16_t)(end - x),
			.height = (uint16_t)(left < KVMCAP_TILE ? left : KVMCAP_TILE),
		};
	}
	return n;
}

static bool same_columns(const struct tiles_walk *walk, const struct tiles_rect *runs, uint32_t n)
{
	if (n != walk->open)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (runs[i].x != walk->growing[i].x || runs[i].width != walk->growing[i].width)
			return false;
	return true;
}

size_t tiles_walk_next(struct tiles_walk *walk, struct tiles_rect rects[TILES_BATCH], bool coarse)
{
	struct tiles_rect runs[TILES_MAX_RUNS];
	size_t n = 0;

	while (walk->row < KVMCAP_TILES(walk->height) && n + walk->open <= TILES_BATCH) {
		uint32_t found = find_runs(walk, runs, coarse);

		if (same_columns(walk, runs, found)) {
			for (uint32_t i = 0; i < found; i++)
				walk->growing[i].height =
					(uint16_t)(walk->growing[i].height + runs[i].height);
		} else {
			memcpy(rects + n, walk->growing, walk->open * sizeof(rects[0]));
			n += walk->open;
			memcpy(walk->growing, runs, found * sizeof(runs[0]));
			walk->open = found;
		}
		walk->row++;
	}
	if (walk->row == KVMCAP_TILES(walk->height) && n + walk->open <= TILES_BATCH) {
		memcpy(rects + n, walk->growing, walk->open * sizeof(rects[0]));
		n += walk->open;
		walk->open = 0;
	}
	return n;
}
