/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Synthetic pictures of any size, one function a pattern; the same number draws the same picture. */
#include "engine.h"

#define BOX 48

static void still(struct picture *p)
{
	for (uint32_t y = 0; y < p->height; y++)
		for (uint32_t x = 0; x < p->width; x++)
			p->pixels[(size_t)y * p->width + x] =
				(x * 255 / p->width) << 16 | (y * 255 / p->height) << 8 | ((x ^ y) & 0xff);
}

/* A box goes over the still picture, 7 pixels a Frame. */
static void moving(struct picture *p, uint64_t number)
{
	uint32_t left = number * 7 % (p->width - BOX + 1), top = number * 5 % (p->height - BOX + 1);

	still(p);
	for (uint32_t y = top; y < top + BOX; y++)
		for (uint32_t x = left; x < left + BOX; x++)
			p->pixels[(size_t)y * p->width + x] = 0xffffff;
}

/* xorshift32 (Marsaglia), seeded by the number. */
static void noise(struct picture *p, uint64_t number)
{
	uint32_t state = (uint32_t)number * 2654435761u | 1;

	for (size_t i = 0; i < (size_t)p->width * p->height; i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		p->pixels[i] = state & 0xffffff;
	}
}

static void full(struct picture *p, uint64_t number)
{
	uint32_t colour = (uint32_t)number * 0x10307 & 0xffffff;

	for (size_t i = 0; i < (size_t)p->width * p->height; i++)
		p->pixels[i] = colour;
}

void pattern_draw(struct picture *picture, const struct settings *settings, uint64_t number)
{
	picture->width = settings->width;
	picture->height = settings->height;
	switch (settings->pattern) {
	case PATTERN_MOVING:
		moving(picture, number);
		break;
	case PATTERN_NOISE:
		noise(picture, number);
		break;
	case PATTERN_FULL:
		full(picture, number);
		break;
	default:
		still(picture);
	}
}
