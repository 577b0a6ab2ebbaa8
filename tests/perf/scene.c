// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Draws the scenes: text from made-up glyphs with the ink and the line lengths
 * of program text, pictures from grain. Knows nothing of what is measured.
 */
#include "scene.h"

#define GLYPH_WIDTH 8
#define GLYPH_HEIGHT 16

struct window {
	uint32_t x, y, width, height, ink, paper;
};

const char *const scene_names[SCENE_KINDS] = { "static", "typing", "scroll", "video", "full" };

static uint32_t hash(uint32_t x)
{
	x = (x ^ x >> 16) * 0x7feb352dU;
	x = (x ^ x >> 15) * 0x846ca68bU;
	return x ^ x >> 16;
}

/* A stem, a bowl and a bar for each character: about a quarter of the cell is ink. */
static int inked(uint32_t character, uint32_t x, uint32_t y)
{
	uint32_t h = hash(character);

	if (!character || x == 0 || x == GLYPH_WIDTH - 1 || y < 3 || y > 12)
		return 0;
	return x == 1 + h % 3 || (x == 4 + h / 4 % 3 && y > 5) || y == 4 + h / 16 % 8;
}

static void glyph(const struct scene *scene, const struct window *window, uint32_t column, uint32_t row,
		  uint32_t character, uint32_t *pixels)
{
	uint32_t left = window->x + column * GLYPH_WIDTH, top = window->y + row * GLYPH_HEIGHT;

	for (uint32_t y = 0; y < GLYPH_HEIGHT; y++)
		for (uint32_t x = 0; x < GLYPH_WIDTH; x++)
			pixels[(top + y) * scene->width + left + x] =
				inked(character, x, y) ? window->ink : window->paper;
}

/* Indented lines of 10 to 70 characters with gaps between words; every sixth is empty. 0 is a space. */
static uint32_t text_at(uint32_t line, uint32_t column)
{
	uint32_t h = hash(line * 7919 + 13), indent = (h & 3) * 4, end = indent + 10 + (h >> 8) % 60;
	uint32_t word = hash(line * 131071 + column * 31);

	if ((h >> 20) % 6 == 0 || column < indent || column >= end || word % 6 == 0)
		return 0;
	return 1 + word / 8 % 60;
}

static void text(const struct scene *scene, const struct window *window, uint32_t first_line,
		 uint32_t *pixels)
{
	for (uint32_t row = 0; row < window->height / GLYPH_HEIGHT; row++)
		for (uint32_t column = 0; column < window->width / GLYPH_WIDTH; column++)
			glyph(scene, window, column, row, text_at(first_line + row, column), pixels);
}

static void grain(const struct scene *scene, const struct window *window, uint32_t seed, uint32_t *pixels)
{
	for (uint32_t y = window->y; y < window->y + window->height; y++)
		for (uint32_t x = window->x; x < window->x + window->width; x++)
			pixels[y * scene->width + x] =
				hash(y * scene->width + x + seed * 0x9e3779b9U) & 0x00ffffff;
}

void scene_draw(const struct scene *scene, enum scene_kind kind, uint32_t step, uint32_t seed,
		uint32_t *pixels)
{
	uint32_t w = scene->width, h = scene->height;
	struct window terminal = { w / 20, h / 11, w * 5 / 12, h * 5 / 9, 0xd0d0d0, 0x1e1e1e };
	struct window editor = { w / 2, h / 14, w * 4 / 9, h * 4 / 9, 0x202020, 0xffffff };
	struct window video = { w * 5 / 8, h * 4 / 7, w / 3, h / 3, 0, 0 };
	struct window all = { 0, 0, w, h, 0, 0 };

	for (uint32_t y = 0; y < h; y++)
		for (uint32_t x = 0; x < w; x++)
			pixels[y * w + x] = 0x203050 + y * 60 / h;
	text(scene, &editor, 1000, pixels);
	text(scene, &terminal, kind == SCENE_SCROLL ? step + seed * 50 : 0, pixels);
	grain(scene, &video, kind == SCENE_VIDEO ? 1 + step + seed * 2 : 0, pixels);
	if (kind == SCENE_TYPING) { /* three characters a step, and the cursor */
		for (uint32_t i = 0; i < step * 3; i++)
			glyph(scene, &editor, seed % 20 + i, 20, 1 + hash(i + seed) % 60, pixels);
		glyph(scene, &editor, seed % 20 + step * 3, 20, 61, pixels);
	}
	if (kind == SCENE_FULL)
		grain(scene, &all, 1 + step + seed * 2, pixels);
}
