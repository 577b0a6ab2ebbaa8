// SPDX-License-Identifier: GPL-2.0-or-later
/* The differ against a naive reference that looks at every pixel. SEED= repeats a run. */
/* LINK: kmod/differ.c */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "kmod/differ.h"

#define GUARD 0x5a5a5a5a5a5a5a5aULL

static uint64_t state;

/* splitmix64 (Vigna) */
static uint64_t any(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t below(uint32_t bound)
{
	return any() % bound;
}

/* Exactly as large as a Frame may be, so that the address sanitizer sees every byte too far. */
struct frames {
	struct kvmcap_geometry geo;
	uint32_t *now, *before;
	__u64 *damage, *expected;
	struct kvmcap_differ differ;
};

static uint32_t tiles(uint32_t pixels)
{
	return KVMCAP_TILES(pixels);
}

static size_t words(const struct frames *f)
{
	return KVMCAP_DAMAGE_BYTES(f->geo.width, f->geo.height) / 8;
}

static void frames_open(struct frames *f, uint32_t width, uint32_t height, uint32_t more_stride)
{
	f->geo = (struct kvmcap_geometry){ width, height, (width * 4 + 63) / 64 * 64 + more_stride };
	const size_t bytes = (size_t)f->geo.stride * height;

	f->now = malloc(bytes);
	f->before = malloc(bytes);
	f->damage = malloc(words(f) * 8);
	f->expected = calloc(words(f), 8);
	assert_true(f->now && f->before && f->damage && f->expected);
	for (size_t i = 0; i < bytes / 4; i++)
		f->now[i] = f->before[i] = any();
	memset(f->damage, 0x5a, words(f) * 8);
	memset(&f->differ, 0xff, sizeof(f->differ));
}

static void frames_close(struct frames *f)
{
	free(f->now);
	free(f->before);
	free(f->damage);
	free(f->expected);
}

static void flip(struct frames *f, uint32_t x, uint32_t y, uint32_t bits)
{
	f->now[(size_t)y * f->geo.stride / 4 + x] ^= bits;
}

/* The reference: what the uapi header says, and nothing clever. */
static uint32_t naive(struct frames *f)
{
	const uint32_t row_words = KVMCAP_DAMAGE_WORDS(f->geo.width);
	uint32_t dirty = 0;

	memset(f->expected, 0, words(f) * 8);
	for (uint32_t y = 0; y < f->geo.height; y++) {
		for (uint32_t x = 0; x < f->geo.width; x++) {
			const size_t at = (size_t)y * f->geo.stride / 4 + x;

			if ((f->now[at] & 0xffffff) != (f->before[at] & 0xffffff))
				f->expected[y / 16 * row_words + x / 16 / 64] |= 1ULL << (x / 16 % 64);
		}
	}
	for (size_t i = 0; i < words(f); i++)
		dirty += __builtin_popcountll(f->expected[i]);
	return dirty;
}

static void check(struct frames *f)
{
	const uint32_t dirty = naive(f);

	assert_int_equal(kvmcap_differ_band(&f->differ, &f->geo, f->now, f->before, 0, tiles(f->geo.height),
					    f->damage),
			 dirty);
	assert_memory_equal(f->damage, f->expected, words(f) * 8);
}

static void check_size(uint32_t width, uint32_t height)
{
	static struct frames f;

	frames_open(&f, width, height, below(3) * 64);
	check(&f); /* nothing changed */
	flip(&f, width - 1, height - 1, 0x000001);
	flip(&f, below(width), below(height), 0x800000);
	check(&f);
	flip(&f, 0, 0, 0x000100);
	flip(&f, width - 1, 0, 0x000080);
	check(&f);
	frames_close(&f);
}

static void test_every_width(void **unused)
{
	(void)unused;
	for (uint32_t width = KVMCAP_MIN_WIDTH; width <= 200; width++)
		check_size(width, 64 + below(40));
	for (uint32_t width = KVMCAP_MAX_WIDTH - 40; width <= KVMCAP_MAX_WIDTH; width++)
		check_size(width, 64 + below(20));
}

static void test_every_height(void **unused)
{
	(void)unused;
	for (uint32_t height = KVMCAP_MIN_HEIGHT; height <= 200; height++)
		check_size(64 + below(40), height);
	for (uint32_t height = KVMCAP_MAX_HEIGHT - 20; height <= KVMCAP_MAX_HEIGHT; height++)
		check_size(64 + below(20), height);
}

static void test_largest(void **unused)
{
	(void)unused;
	check_size(KVMCAP_MAX_WIDTH, KVMCAP_MAX_HEIGHT);
}

/* One changed bit of colour anywhere dirties its own Tile and no other. */
static void test_every_pixel_of_the_edge_tiles(void **unused)
{
	static struct frames f;

	(void)unused;
	frames_open(&f, 64 + 16 + 13, 64 + 7, 0);
	for (uint32_t y = 0; y < f.geo.height; y++) {
		for (uint32_t x = 48; x < f.geo.width; x++) {
			const uint32_t bit = 1u << below(24);

			flip(&f, x, y, bit);
			check(&f);
			flip(&f, x, y, bit);
		}
	}
	frames_close(&f);
}

static void test_x_bytes_never_count(void **unused)
{
	static struct frames f;

	(void)unused;
	for (uint32_t width = 64; width <= 96; width++) {
		frames_open(&f, width, 64, 0);
		for (uint32_t y = 0; y < 64; y++)
			for (uint32_t x = 0; x < width; x++)
				flip(&f, x, y, (uint32_t)any() << 24);
		assert_int_equal(naive(&f), 0);
		check(&f);
		/* Nor do they hide a change after the whole row of Tiles seemed dirty. */
		flip(&f, width - 1, 15, 0x10);
		check(&f);
		frames_close(&f);
	}
}

static void test_padding_never_counts(void **unused)
{
	static struct frames f;

	(void)unused;
	for (uint32_t width = 64; width <= 96; width++) {
		frames_open(&f, width, 70, 128);
		for (uint32_t y = 0; y < 70; y++)
			for (uint32_t x = width; x < f.geo.stride / 4; x++)
				flip(&f, x, y, any());
		assert_int_equal(naive(&f), 0);
		check(&f);
		frames_close(&f);
	}
}

static void test_band_leaves_other_rows_alone(void **unused)
{
	static struct frames f;

	(void)unused;
	frames_open(&f, 1100, 100, 0);
	const uint32_t row_words = KVMCAP_DAMAGE_WORDS(1100);

	for (uint32_t y = 0; y < 100; y++)
		flip(&f, below(1100), y, 0x1);
	naive(&f);
	const uint32_t dirty = kvmcap_differ_band(&f.differ, &f.geo, f.now, f.before, 2, 4, f.damage);
	uint32_t expected = 0;

	for (uint32_t i = 0; i < tiles(100) * row_words; i++) {
		const int in_band = i / row_words >= 2 && i / row_words < 4;

		assert_int_equal(f.damage[i], in_band ? f.expected[i] : GUARD);
		if (in_band)
			expected += __builtin_popcountll(f.expected[i]);
	}
	assert_int_equal(dirty, expected);
	assert_int_equal(kvmcap_differ_band(&f.differ, &f.geo, f.now, f.before, 3, 3, f.damage), 0);
	frames_close(&f);
}

/* However early all other Tiles of its row are known to be dirty. */
static void test_last_clean_tile_is_read_to_its_end(void **unused)
{
	static struct frames f;

	(void)unused;
	for (uint32_t clean = 0; clean < 5; clean++) {
		for (uint32_t last = 0; last < 16; last++) {
			frames_open(&f, 77, 64, 0);
			for (uint32_t tx = 0; tx < 5; tx++)
				flip(&f, tx * 16 + below(13), tx == clean ? last : below(4), 0x1);
			check(&f);
			frames_close(&f);
		}
	}
}

static void change_rectangle(struct frames *f)
{
	const uint32_t x0 = below(f->geo.width), y0 = below(f->geo.height);
	const uint32_t x1 = x0 + 1 + below(f->geo.width - x0), y1 = y0 + 1 + below(f->geo.height - y0);
	const int kind = below(3);

	for (uint32_t y = y0; y < y1; y++)
		for (uint32_t x = x0; x < x1; x++)
			flip(f, x, y, kind == 0 ? (uint32_t)any() : kind == 1 ? 0x1 : 0xff000000);
}

static void test_random_pictures(void **unused)
{
	static struct frames f;

	(void)unused;
	for (int i = 0; i < 400; i++) {
		frames_open(&f, 64 + below(i % 10 ? 200 : 1300), 64 + below(200), below(2) * 64);
		for (uint32_t n = below(5); n; n--)
			change_rectangle(&f);
		check(&f);
		frames_close(&f);
	}
}

static void test_fill_sets_just_the_tiles(void **unused)
{
	static struct frames f;

	(void)unused;
	for (uint32_t width = KVMCAP_MIN_WIDTH; width <= KVMCAP_MAX_WIDTH; width += 61 * 16 / 4 + 5) {
		frames_open(&f, width, 64 + below(40), 0);
		kvmcap_damage_fill(&f.geo, f.damage);
		for (uint32_t ty = 0; ty < tiles(f.geo.height); ty++) {
			for (uint32_t tx = 0; tx < KVMCAP_DAMAGE_WORDS(width) * 64; tx++) {
				const uint64_t word = f.damage[ty * KVMCAP_DAMAGE_WORDS(width) + tx / 64];

				assert_int_equal(word >> (tx % 64) & 1, tx < tiles(width));
			}
		}
		frames_close(&f);
	}
	check_size(KVMCAP_MAX_WIDTH, 64);
	frames_open(&f, KVMCAP_MAX_WIDTH, 64, 0); /* no unused bits at all */
	kvmcap_damage_fill(&f.geo, f.damage);
	assert_int_equal(f.damage[0], UINT64_MAX);
	assert_int_equal(f.damage[words(&f) - 1], UINT64_MAX);
	frames_close(&f);
}

static void test_or_adds_every_word(void **unused)
{
	static struct frames f;

	(void)unused;
	frames_open(&f, 2000, 300, 0);
	for (size_t i = 0; i < words(&f); i++) {
		f.damage[i] = any();
		f.expected[i] = f.damage[i];
	}
	__u64 *more = malloc(words(&f) * 8);

	assert_non_null(more);
	for (size_t i = 0; i < words(&f); i++) {
		more[i] = any();
		f.expected[i] |= more[i];
	}
	kvmcap_damage_or(&f.geo, f.damage, more);
	assert_memory_equal(f.damage, f.expected, words(&f) * 8);
	free(more);
	frames_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_width),
		cmocka_unit_test(test_every_height),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_every_pixel_of_the_edge_tiles),
		cmocka_unit_test(test_x_bytes_never_count),
		cmocka_unit_test(test_padding_never_counts),
		cmocka_unit_test(test_band_leaves_other_rows_alone),
		cmocka_unit_test(test_last_clean_tile_is_read_to_its_end),
		cmocka_unit_test(test_random_pictures),
		cmocka_unit_test(test_fill_sets_just_the_tiles),
		cmocka_unit_test(test_or_adds_every_word),
	};
	const char *seed = getenv("SEED");

	state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 1000003;
	printf("seed: SEED=%" PRIu64 "\n", state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
