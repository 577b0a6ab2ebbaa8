// SPDX-License-Identifier: GPL-2.0-or-later
/* Damage to rectangles: every Tile once, none besides, few rectangles, odd edges. */
/* LINK: userland/device/tiles.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "device/tiles.h"

static uint64_t damage[TILES_MAX_WORDS];
static struct tiles_walk walk;
static struct tiles_rect rects[TILES_BATCH];

static size_t walk_all(uint32_t width, uint32_t height, bool coarse, uint8_t *seen)
{
	size_t total = 0, n;

	tiles_walk_init(&walk, damage, width, height);
	while ((n = tiles_walk_next(&walk, rects, coarse))) {
		assert_true(n <= TILES_BATCH);
		total += n;
		for (size_t i = 0; i < n; i++) {
			assert_true(rects[i].width && rects[i].height);
			assert_true(rects[i].x + rects[i].width <= width);
			assert_true(rects[i].y + rects[i].height <= height);
			for (uint32_t y = rects[i].y; y < rects[i].y + rects[i].height; y++)
				for (uint32_t x = rects[i].x; x < rects[i].x + rects[i].width; x++)
					seen[y * width + x]++;
		}
	}
	return total;
}

static void check_cover(uint32_t width, uint32_t height, const uint8_t *seen, bool exact)
{
	size_t words = KVMCAP_DAMAGE_WORDS(width);

	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++) {
			bool set = damage[y / 16 * words + x / 16 / 64] >> x / 16 % 64 & 1;

			assert_true(seen[y * width + x] <= 1);
			if (set || exact)
				assert_int_equal(seen[y * width + x], set);
		}
	}
}

static void random_damage_is_covered_exactly(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

	(void)state;
	print_message("seed: SEED=%u\n", seed);
	srand(seed);
	for (unsigned round = 0; round < 60; round++) {
		uint32_t width = 64 + (uint32_t)rand() % 1200, height = 64 + (uint32_t)rand() % 600;
		unsigned one_in = 1 + (unsigned)rand() % 30;
		uint8_t *seen = calloc(width, height);

		memset(damage, 0, sizeof(damage));
		for (uint32_t y = 0; y < height; y += 16)
			for (uint32_t x = 0; x < width; x += 16)
				if (rand() % one_in == 0)
					tiles_set_rect(damage, width, height, x, y, 1, 1);
		walk_all(width, height, false, seen);
		check_cover(width, height, seen, true);
		memset(seen, 0, (size_t)width * height);
		assert_true(walk_all(width, height, true, seen) <= KVMCAP_TILES(height));
		check_cover(width, height, seen, false);
		free(seen);
	}
}

/* A chess board has the most rectangles there can be. */
static void the_worst_case_comes_in_batches(void **state)
{
	uint32_t width = KVMCAP_MAX_WIDTH, height = KVMCAP_MAX_HEIGHT;
	uint8_t *seen = calloc(width, height);

	(void)state;
	memset(damage, 0, sizeof(damage));
	for (uint32_t row = 0; row < KVMCAP_TILES(height); row++)
		for (uint32_t word = 0; word < KVMCAP_DAMAGE_WORDS(width); word++)
			damage[row * KVMCAP_DAMAGE_WORDS(width) + word] =
				row % 2 ? 0x5555555555555555 : ~0x5555555555555555;
	assert_int_equal(walk_all(width, height, false, seen), 128 * 144);
	check_cover(width, height, seen, true);
	free(seen);
}

static void a_whole_screen_is_one_rectangle(void **state)
{
	uint8_t *seen = calloc(1921, 1081);

	(void)state;
	memset(damage, 0, sizeof(damage));
	tiles_set_rect(damage, 1921, 1081, 0, 0, 65535, 65535);
	assert_int_equal(walk_all(1921, 1081, false, seen), 1);
	assert_int_equal(rects[0].width, 1921);
	assert_int_equal(rects[0].height, 1081);
	free(seen);
}

static void rectangles_outside_set_nothing(void **state)
{
	(void)state;
	memset(damage, 0, sizeof(damage));
	tiles_set_rect(damage, 640, 480, 640, 0, 10, 10);
	tiles_set_rect(damage, 640, 480, 0, 480, 10, 10);
	tiles_set_rect(damage, 640, 480, 5, 5, 0, 10);
	assert_false(tiles_any(damage, TILES_MAX_WORDS));
	tiles_set_rect(damage, 640, 480, 639, 479, 1, 1);
	assert_true(tiles_any(damage, tiles_words(640, 480)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_damage_is_covered_exactly),
		cmocka_unit_test(the_worst_case_comes_in_batches),
		cmocka_unit_test(a_whole_screen_is_one_rectangle),
		cmocka_unit_test(rectangles_outside_set_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
