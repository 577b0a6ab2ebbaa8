/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Screens to measure with: a desktop with two text windows and a picture, and
 * what changes on it. Deterministic; nothing is read from the machine.
 */
#ifndef KVMNET_PERF_SCENE_H
#define KVMNET_PERF_SCENE_H

#include <stdint.h>

enum scene_kind { SCENE_STATIC, SCENE_TYPING, SCENE_SCROLL, SCENE_VIDEO, SCENE_FULL, SCENE_KINDS };

struct scene {
	uint32_t width, height; /* pixels; rows follow each other without padding */
};

extern const char *const scene_names[SCENE_KINDS];

/* XRGB8888 pixels of one moment: step is the time; seed makes another pair of moments. */
void scene_draw(const struct scene *scene, enum scene_kind kind, uint32_t step, uint32_t seed,
		uint32_t *pixels);

#endif
