// SPDX-License-Identifier: GPL-2.0-or-later
/* What a Client lacks: no Damage lost between follower and Frame, nothing sent twice, Mode changes. */
/* LINK: userland/device/plan.c userland/device/tiles.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "device/plan.h"

static struct plan_screen screen;
static struct plan plan;
static uint64_t damage[TILES_MAX_WORDS], taken[TILES_MAX_WORDS];

static void frame(uint64_t seq, uint64_t base, uint32_t width, uint32_t height, unsigned tile)
{
	struct capture_frame frame = {
		.seq = seq,
		.base_seq = base,
		.hw_seq = seq * 10,
		.generation = width,
		.width = width,
		.height = height,
		.full = !base,
	};
	bool changed;

	memset(damage, base ? 0 : 0xff, sizeof(damage));
	if (base)
		damage[0] = 1ull << tile;
	changed = plan_screen_frame(&screen, &frame, damage);
	plan_follow(&plan, &screen, changed, true);
}

static int start(void **state)
{
	(void)state;
	memset(&screen, 0, sizeof(screen));
	screen.width = 640;
	screen.height = 480;
	plan_init(&plan, &screen);
	frame(1, 0, 640, 480, 0);
	plan_request(&plan, true, 0, 0, 640, 480);
	plan_take(&plan, &screen, 1, taken);
	plan_sent(&plan);
	plan_request(&plan, true, 0, 0, 640, 480);
	return 0;
}

static void a_client_starts_with_everything(void **state)
{
	(void)state;
	plan_init(&plan, &screen);
	assert_true(plan.dirty);
	plan_request(&plan, true, 0, 0, 640, 480);
	plan_take(&plan, &screen, 1, taken);
	assert_int_equal(taken[0], (1ull << 40) - 1);
	assert_false(plan.dirty);
}

static void nothing_changed_is_nothing_to_send(void **state)
{
	struct capture_frame still = {
		.seq = 2, .base_seq = 1, .generation = 640, .width = 640, .height = 480
	};

	(void)state;
	memset(damage, 0, sizeof(damage));
	assert_false(plan_screen_frame(&screen, &still, damage));
	plan_follow(&plan, &screen, false, true);
	assert_false(plan.dirty);
	assert_true(plan_current(&plan));
}

static void damage_adds_up_until_it_is_taken(void **state)
{
	(void)state;
	frame(2, 1, 640, 480, 3);
	frame(3, 2, 640, 480, 5);
	assert_true(plan.dirty);
	assert_false(plan_current(&plan));
	plan_take(&plan, &screen, 3, taken);
	assert_int_equal(taken[0], 1 << 3 | 1 << 5);
	assert_false(plan.dirty || plan.requested);
	assert_int_equal(plan.hw_seq, 10);
	plan_sent(&plan);
	assert_int_equal(plan.hw_seq, 30);
}

/* The follower saw Frame 4 while Frame 3 is what gets encoded. */
static void what_is_newer_than_the_frame_stays_pending(void **state)
{
	(void)state;
	frame(2, 1, 640, 480, 3);
	frame(4, 2, 640, 480, 7);
	plan_take(&plan, &screen, 3, taken);
	assert_int_equal(taken[0], 1 << 3 | 1 << 7);
	assert_true(plan.dirty);
	assert_int_equal(plan.pending[0], 1 << 7);
	plan_sent(&plan);
	assert_int_equal(plan.hw_seq, 10);
	plan_request(&plan, true, 0, 0, 640, 480);
	plan_take(&plan, &screen, 4, taken);
	assert_int_equal(taken[0], 1 << 7);
	assert_false(plan.dirty);
}

/* More than one step ahead: which Tiles changed since is not known any more. */
static void far_ahead_everything_stays_pending(void **state)
{
	(void)state;
	frame(4, 1, 640, 480, 3);
	frame(5, 4, 640, 480, 7);
	plan_take(&plan, &screen, 3, taken);
	assert_int_equal(plan.pending[0], (1ull << 40) - 1);
}

static void a_new_mode_is_a_new_size_and_everything(void **state)
{
	(void)state;
	frame(2, 0, 800, 600, 0);
	assert_int_equal(plan.notes, PLAN_SIZE);
	assert_int_equal(plan.width, 800);
	plan_take(&plan, &screen, 2, taken);
	assert_int_equal(taken[0], (1ull << 50) - 1);
}

static void a_lost_picture_is_everything_and_so_is_its_return(void **state)
{
	(void)state;
	assert_true(plan_screen_black(&screen));
	plan_follow(&plan, &screen, true, true);
	assert_true(plan.dirty);
	assert_int_equal(plan.notes, 0);
	plan_take(&plan, &screen, screen.seq, taken);
	assert_false(plan.dirty);
	assert_false(plan_screen_black(&screen));
	frame(2, 1, 640, 480, 3);
	plan_take(&plan, &screen, 2, taken);
	assert_int_equal(taken[0], (1ull << 40) - 1);
}

static void a_client_that_cannot_resize_keeps_its_size(void **state)
{
	struct capture_frame large = { .seq = 2, .generation = 9, .width = 800, .height = 600, .full = true };

	(void)state;
	memset(damage, 0xff, sizeof(damage));
	assert_true(plan_screen_frame(&screen, &large, damage));
	plan_follow(&plan, &screen, true, false);
	assert_int_equal(plan.width, 640);
	assert_int_equal(plan.notes, PLAN_BLANK);
	assert_true(plan.dirty);
}

static void a_request_for_all_again_is_answered(void **state)
{
	(void)state;
	plan_request(&plan, false, 16, 0, 1, 1);
	assert_int_equal(plan.pending[0], 2);
	assert_true(plan.dirty);
	plan_take(&plan, &screen, 1, taken);
	plan_request(&plan, false, 65535, 65535, 65535, 65535);
	assert_false(plan.dirty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_client_starts_with_everything, start),
		cmocka_unit_test_setup(nothing_changed_is_nothing_to_send, start),
		cmocka_unit_test_setup(damage_adds_up_until_it_is_taken, start),
		cmocka_unit_test_setup(what_is_newer_than_the_frame_stays_pending, start),
		cmocka_unit_test_setup(far_ahead_everything_stays_pending, start),
		cmocka_unit_test_setup(a_new_mode_is_a_new_size_and_everything, start),
		cmocka_unit_test_setup(a_lost_picture_is_everything_and_so_is_its_return, start),
		cmocka_unit_test_setup(a_client_that_cannot_resize_keeps_its_size, start),
		cmocka_unit_test_setup(a_request_for_all_again_is_answered, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
