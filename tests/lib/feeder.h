/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plays the capture hardware for a kvmnetd on the user-space ring: draws
 * scenes into Slots. Blocking; for tests and benchmarks only.
 */
#ifndef KVMNET_TESTS_FEEDER_H
#define KVMNET_TESTS_FEEDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/producer.h"

#define FEEDER_QUEUE 8

enum feeder_scene { FEEDER_STILL, FEEDER_TYPING, FEEDER_SCROLL, FEEDER_VIDEO, FEEDER_FULL };

struct feeder {
	int fd;
	uint32_t width, height, stride, generation;
	uint64_t slot_bytes, hw_seq, taken;
	uint32_t free_slots[FEEDER_QUEUE], free_count;
	uint8_t *slots;
	size_t slots_bytes;
	uint32_t *image; /* width x height, X byte 0: what the Target shows */
	uint32_t random, step;
};

/* All return 0, or -1 with errno. */
int feeder_connect(struct feeder *feeder, const char *path, uint32_t seed);
void feeder_close(struct feeder *feeder);
int feeder_mode(struct feeder *feeder, uint32_t width, uint32_t height);
int feeder_signal(struct feeder *feeder, uint32_t signal);
bool feeder_parse_scene(const char *name, enum feeder_scene *scene);
/* Changes the image by one step of the scene. */
void feeder_draw(struct feeder *feeder, enum feeder_scene scene);
/* Writes the image into a free Slot: everything of a Frame but the DONE. */
int feeder_write(struct feeder *feeder, uint32_t *slot);
/* DONE; with wait, returns once the daemon has published the Frame. */
int feeder_done(struct feeder *feeder, uint32_t slot, bool wait);
bool feeder_parse_signal(const char *name, uint32_t *signal);

#endif
