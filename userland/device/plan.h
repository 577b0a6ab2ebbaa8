/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one Client still lacks, and whether it may be sent now. Pure bookkeeping
 * on Damage: no sockets, no pixels.
 */
#ifndef KVMNET_DEVICE_PLAN_H
#define KVMNET_DEVICE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "device/capture.h"
#include "device/tiles.h"

/* What the follower knows, shared by all plans. */
struct plan_screen {
	bool picture; /* else the screen is black */
	uint32_t width, height;
	uint32_t generation;
	uint64_t seq, hw_seq;
	/* The last step of the follower: Tiles that differ between base_seq and seq. */
	uint64_t base_seq;
	uint64_t step[TILES_MAX_WORDS];
};

/* Things besides pixels that a Client has to be told; each is one pseudo-rectangle. */
enum plan_note {
	PLAN_SIZE = 1 << 0,    /* the framebuffer's size changed */
	PLAN_REFUSED = 1 << 1, /* SetDesktopSize is prohibited */
	PLAN_NAME = 1 << 2,
	PLAN_LEDS = 1 << 3,
	PLAN_KEYS = 1 << 4,	/* we take QEMU extended key events */
	PLAN_CHANNELS = 1 << 6, /* new tokens for channels of its own for keys and pointer */
	PLAN_BLANK = 1 << 5,	/* pixels after all: all black, before a picture of another size */
};

struct plan {
	uint32_t width, height; /* of the Client's framebuffer */
	bool requested;		/* a request for an update is unanswered */
	uint32_t notes;		/* enum plan_note */
	bool dirty;		/* pending is not empty */
	uint64_t hw_seq;	/* newest Frame the Client has in whole, once nothing is in flight */
	uint64_t taken_hw_seq;	/* the same, once what is in flight has arrived */
	uint64_t pending[TILES_MAX_WORDS];
};

/* A new Frame: the follower's step. True when size or Mode changed, or there was no picture before. */
bool plan_screen_frame(struct plan_screen *screen, const struct capture_frame *frame, const uint64_t *damage);
/* No picture any more. True when there was one. */
bool plan_screen_black(struct plan_screen *screen);

void plan_init(struct plan *plan, const struct plan_screen *screen);
/* After plan_screen_frame() or plan_screen_black(); changed is what it returned. can_resize: the Client
 * understands a new size, else its framebuffer shows what fits. */
void plan_follow(struct plan *plan, const struct plan_screen *screen, bool changed, bool can_resize);
/* FramebufferUpdateRequest (RFC 6143 7.5.3). */
void plan_request(struct plan *plan, bool incremental, uint32_t x, uint32_t y, uint32_t width,
		  uint32_t height);

/* Everything pending goes into damage and is answered by a Frame frame_seq: what the follower
 * saw after that Frame stays pending. */
void plan_take(struct plan *plan, const struct plan_screen *screen, uint64_t frame_seq, uint64_t *damage);
/* What was taken is in the Client's hands. */
void plan_sent(struct plan *plan);
/* Nothing is missing, and the Client waits for what comes next. */
bool plan_current(const struct plan *plan);

#endif
