/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's side of kmod/ENGINE.md: timings, and one Frame at a time through
 * a posted Slot's segments into guest RAM. What is in a Frame comes from elsewhere.
 */
#include "engine.h"

#include <signal.h>
#include <string.h>

#define FOUR_GIB (1ULL << 32)
#define XRGB8888 0x34325258 /* drm_fourcc.h */
#define REFRESH_MHZ 60000   /* what a monitor would be told; how often we look is another matter */
#define MAX_SEGMENTS 16384

/* A Slot while it is written. */
struct writer {
	const struct device *d;
	uint32_t generation;
	const struct eng_segment *list;
	uint32_t segments, next;
	uint8_t *at;
	uint64_t left; /* of the current segment */
};

/* A bus address to our mapping: RAM above 4 GiB lies behind the hole. NULL outside of RAM. */
static void *guest(const struct engine *e, uint64_t address, uint64_t bytes)
{
	uint64_t offset = address;

	if (address >= FOUR_GIB)
		offset = address - FOUR_GIB + e->low_bytes;
	else if (address > e->low_bytes || bytes > e->low_bytes - address)
		return NULL;
	if (offset > e->ram_bytes || bytes > e->ram_bytes - offset)
		return NULL;
	return e->ram + offset;
}

void device_start(struct device *d)
{
	const struct engine *e = d->e;

	reg_write(e, ENG_STATUS, 0);
	reg_write(e, ENG_VERSION, ENG_VERSION_VALUE);
	reg_write(e, ENG_CAPS, 0);
	reg_write(e, ENG_MAX_WIDTH, ENGINE_MAX_WIDTH);
	reg_write(e, ENG_MAX_HEIGHT, ENGINE_MAX_HEIGHT);
	reg_write(e, ENG_MAX_SLOTS, ENG_SLOTS);
	reg_write(e, ENG_MAX_SEGMENTS, MAX_SEGMENTS);
	d->epoch = reg_read(e, ENG_EPOCH) + 1;
	reg_write(e, ENG_EPOCH, d->epoch);
	d->seq = monotonic_ns() / 1000;
	d->signal = reg_read(e, ENG_TIM_SIGNAL);
	d->width = reg_read(e, ENG_TIM_WIDTH);
	d->height = reg_read(e, ENG_TIM_HEIGHT);
	d->stride = reg_read(e, ENG_TIM_STRIDE);
	/* Timings outlive the model; those it died in, and a new card's, start without a signal. */
	uint32_t generation = reg_read(e, ENG_TIM_GENERATION);
	if (generation == 0 || generation % 2) {
		reg_write(e, ENG_TIM_GENERATION, generation & ~1U);
		d->signal = ENG_SIGNAL_OK; /* so that it counts as a change */
		device_timings(d, ENG_SIGNAL_NO_SIGNAL, 0, 0);
	}
	reg_write(e, ENG_MAGIC, ENG_MAGIC_VALUE);
	event_raise(e->vector[ENG_VEC_STATE]);
}

void device_timings(struct device *d, uint32_t signal, uint32_t width, uint32_t height)
{
	const struct engine *e = d->e;

	if (signal != ENG_SIGNAL_OK)
		width = height = 0;
	if (signal == d->signal && width == d->width && height == d->height)
		return;
	d->signal = signal;
	d->width = width;
	d->height = height;
	d->stride = (width * 4 + 63) / 64 * 64;
	reg_add(e, ENG_TIM_GENERATION, 1);
	reg_write(e, ENG_TIM_SIGNAL, signal);
	reg_write(e, ENG_TIM_WIDTH, width);
	reg_write(e, ENG_TIM_HEIGHT, height);
	reg_write(e, ENG_TIM_STRIDE, d->stride);
	reg_write(e, ENG_TIM_FOURCC, width ? XRGB8888 : 0);
	reg_write(e, ENG_TIM_REFRESH_MHZ, width ? REFRESH_MHZ : 0);
	reg_write(e, ENG_TIM_PIXCLK_KHZ, (uint64_t)width * height * REFRESH_MHZ / 1000 / 1000);
	reg_write(e, ENG_TIM_FLAGS, 0);
	reg_add(e, ENG_TIM_GENERATION, 1);
	event_raise(e->vector[ENG_VEC_STATE]);
}

/* May we write what was posted for generation? Asked before each segment. */
static bool running(const struct device *d, uint32_t generation)
{
	const struct engine *e = d->e;

	return (reg_read(e, ENG_CTRL) & ENG_CTRL_RUN) && reg_read(e, ENG_RUN_EPOCH) == d->epoch &&
	       reg_read(e, ENG_RUN_GENERATION) == generation && reg_read(e, ENG_TIM_GENERATION) == generation;
}

static bool next_segment(struct writer *w)
{
	const struct engine *e = w->d->e;

	if (!running(w->d, w->generation))
		return false;
	if (w->next == w->segments) {
		reg_add(e, ENG_EV_BAD_DESC, 1); /* the list is shorter than the Frame */
		return false;
	}
	struct eng_segment segment = w->list[w->next++];
	w->at = guest(e, segment.addr, segment.bytes);
	w->left = segment.bytes;
	if (!w->at)
		reg_add(e, ENG_EV_DMA_FAULT, 1);
	return w->at;
}

static bool put(struct writer *w, const uint8_t *bytes, uint64_t count)
{
	while (count) {
		if (!w->left) {
			if (!next_segment(w))
				return false;
			continue;
		}
		uint64_t part = count < w->left ? count : w->left;

		memcpy(w->at, bytes, part);
		w->at += part;
		w->left -= part;
		bytes += part;
		count -= part;
	}
	return true;
}

/* Rows in order. Padding and X bytes are different rubbish in each Frame: nobody may look at them. */
static bool put_rows(struct writer *w, const struct picture *picture, uint32_t stride, uint32_t rubbish)
{
	static uint32_t row[ENGINE_MAX_WIDTH + 16];

	for (uint32_t y = 0; y < picture->height; y++) {
		const uint32_t *from = picture->pixels + (size_t)y * picture->width;

		if (y == picture->height / 2 && atomic_exchange(&w->d->e->shared->stop_in_frame, false))
			raise(SIGSTOP);
		/* Nothing cuts us off at the bus: what was stopped must not write once it goes on. */
		if (!running(w->d, w->generation))
			return false;

		for (uint32_t x = 0; x < picture->width; x++)
			row[x] = (from[x] & 0xffffff) | (x + y + rubbish) << 24;
		for (uint32_t x = picture->width; x < stride / 4; x++)
			row[x] = (x + y + rubbish) * 0x9e3779b1;
		if (!put(w, (const uint8_t *)row, stride))
			return false;
	}
	return true;
}

/* Finds the memory of the Slot that was posted next. */
static bool open_slot(struct writer *w, const struct eng_ring *ring, uint32_t slot)
{
	const struct engine *e = w->d->e;

	if (slot >= ENG_SLOTS || ring->slot[slot].segments > MAX_SEGMENTS) {
		reg_add(e, ENG_EV_BAD_DESC, 1);
		return false;
	}
	w->segments = ring->slot[slot].segments;
	w->list = guest(e, ring->slot[slot].list, w->segments * sizeof(*w->list));
	if (!w->list)
		reg_add(e, ENG_EV_DMA_FAULT, 1);
	return w->list;
}

static enum delivery write_frame(struct device *d, struct eng_ring *ring, uint32_t generation,
				 const struct picture *picture)
{
	const struct engine *e = d->e;
	uint32_t taken = reg_read(e, ENG_FREE_CONS);
	struct eng_free posted = ring->free[taken % ENG_SLOTS];
	struct writer w = { .d = d, .generation = generation };

	reg_write(e, ENG_FREE_CONS, taken + 1);
	bool whole = posted.generation == generation && open_slot(&w, ring, posted.slot) &&
		     put_rows(&w, picture, d->stride, (uint32_t)d->seq * 0x35);
	if (!running(d, generation))
		return NOT_RUNNING; /* the ring may be somebody else's by now */
	uint32_t done = reg_read(e, ENG_DONE_PROD);
	ring->done[done % ENG_DONE] = (struct eng_done){
		.slot = posted.slot,
		.generation = posted.generation,
		.seq = d->seq,
		.timestamp_ns = monotonic_ns(),
		.flags = whole ? 0 : ENG_DONE_ABANDONED,
	};
	/* reg_write is sequentially consistent: pixels, then the entry, then the index. */
	reg_write(e, ENG_DONE_PROD, done + 1);
	event_raise(e->vector[ENG_VEC_FRAME]);
	if (!whole)
		event_raise(e->vector[ENG_VEC_STATE]);
	return whole ? DELIVERED : ABANDONED;
}

/* The picture has the size of the timings block. */
enum delivery device_frame(struct device *d, const struct picture *picture)
{
	const struct engine *e = d->e;
	uint32_t generation = reg_read(e, ENG_TIM_GENERATION);
	enum delivery result = NOT_RUNNING;

	d->seq++;
	/* BUSY first, then the question: a driver that clears RUN and sees no BUSY may free its memory. */
	reg_write(e, ENG_STATUS, ENG_STATUS_BUSY);
	bool started = running(d, generation);
	if (started) {
		uint64_t bus = (uint64_t)reg_read(e, ENG_RING_HI) << 32 | reg_read(e, ENG_RING_LO);
		struct eng_ring *ring = guest(e, bus, sizeof(*ring));
		uint32_t posted = reg_read(e, ENG_FREE_PROD) - reg_read(e, ENG_FREE_CONS);
		uint32_t untaken = reg_read(e, ENG_DONE_PROD) - reg_read(e, ENG_DONE_CONS);

		result = NO_SLOT;
		if (!ring || posted > ENG_SLOTS)
			reg_add(e, ENG_EV_BAD_DESC, 1);
		else if (!posted || untaken >= ENG_DONE)
			reg_add(e, ENG_EV_OVERRUN, 1);
		else
			result = write_frame(d, ring, generation, picture);
		if (result == NO_SLOT)
			event_raise(e->vector[ENG_VEC_STATE]);
	}
	reg_write(e, ENG_STATUS, 0);
	if (started && result == NOT_RUNNING) /* stopped half way: the driver waits for BUSY to go */
		event_raise(e->vector[ENG_VEC_STATE]);
	return result;
}
