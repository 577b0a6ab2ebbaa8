// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Damage of Frames to Damage of each Client. Under-reporting here is a wrong
 * picture, over-reporting only bytes.
 */
#include "device/plan.h"

#include <string.h>

static size_t words_of(const struct plan *plan)
{
	return tiles_words(plan->width, plan->height);
}

static void set_all(struct plan *plan)
{
	tiles_set_rect(plan->pending, plan->width, plan->height, 0, 0, plan->width, plan->height);
	plan->dirty = true;
}

bool plan_screen_frame(struct plan_screen *screen, const struct capture_frame *frame, const uint64_t *damage)
{
	bool changed = !screen->picture || screen->generation != frame->generation ||
		       screen->width != frame->width || screen->height != frame->height;

	screen->picture = true;
	screen->generation = frame->generation;
	screen->width = frame->width;
	screen->height = frame->height;
	screen->base_seq = frame->full ? 0 : frame->base_seq;
	screen->seq = frame->seq;
	screen->hw_seq = frame->hw_seq;
	memcpy(screen->step, damage, KVMCAP_DAMAGE_BYTES(frame->width, frame->height));
	return changed;
}

bool plan_screen_black(struct plan_screen *screen)
{
	bool changed = screen->picture;

	screen->picture = false;
	screen->base_seq = screen->seq;
	memset(screen->step, 0, sizeof(screen->step));
	return changed;
}

void plan_init(struct plan *plan, const struct plan_screen *screen)
{
	memset(plan, 0, sizeof(*plan));
	plan->width = screen->width;
	plan->height = screen->height;
	set_all(plan);
	plan->hw_seq = plan->taken_hw_seq = 0;
}

static void add_step(struct plan *plan, const struct plan_screen *screen)
{
	uint64_t any = 0;

	/* A Client that cannot resize has another row length: everything, not Tiles in the wrong place. */
	if (plan->width != screen->width || plan->height != screen->height) {
		if (tiles_any(screen->step, tiles_words(screen->width, screen->height)))
			set_all(plan);
		return;
	}
	for (size_t i = 0; i < words_of(plan); i++) {
		plan->pending[i] |= screen->step[i];
		any |= screen->step[i];
	}
	if (any)
		plan->dirty = true;
}

void plan_follow(struct plan *plan, const struct plan_screen *screen, bool changed, bool can_resize)
{
	if (!changed) {
		add_step(plan, screen);
		return;
	}
	if (plan->width == screen->width && plan->height == screen->height) {
		set_all(plan);
		return;
	}
	plan->notes |= can_resize ? PLAN_SIZE : PLAN_BLANK;
	if (can_resize) {
		plan->width = screen->width;
		plan->height = screen->height;
		memset(plan->pending, 0, sizeof(plan->pending));
	}
	set_all(plan);
}

void plan_request(struct plan *plan, bool incremental, uint32_t x, uint32_t y, uint32_t width,
		  uint32_t height)
{
	plan->requested = true;
	if (incremental)
		return;
	tiles_set_rect(plan->pending, plan->width, plan->height, x, y, width, height);
	plan->dirty = tiles_any(plan->pending, words_of(plan));
}

void plan_take(struct plan *plan, const struct plan_screen *screen, uint64_t frame_seq, uint64_t *damage)
{
	size_t words = words_of(plan);

	memcpy(damage, plan->pending, words * 8);
	memset(plan->pending, 0, words * 8);
	plan->dirty = false;
	plan->requested = false;
	plan->taken_hw_seq = screen->hw_seq;
	if (!screen->picture || screen->seq <= frame_seq)
		return;
	/* The follower is ahead of the Frame: its last step alone may hold what the Frame lacks. */
	plan->taken_hw_seq = plan->hw_seq;
	if (screen->base_seq <= frame_seq)
		add_step(plan, screen);
	else
		set_all(plan);
}

void plan_sent(struct plan *plan)
{
	plan->hw_seq = plan->taken_hw_seq;
}

bool plan_current(const struct plan *plan)
{
	return plan->requested && !plan->dirty && !plan->notes;
}
