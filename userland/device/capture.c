// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The follower and the lanes: Damage of every Frame to the sessions, the newest
 * Frame to an encoder. Where Frames come from is capture_kernel.c or capture_ring.c.
 */
#include "device/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device/capture_source.h"

/* Where Slots are spare a lane keeps its own when its encoder is done: the next Client may want the same Frame, and a
 * Reader cannot acquire a Frame twice. Where they are not, the next Frame could reach nobody. */
struct lane {
	bool holds, busy;
	uint32_t picture; /* capture->picture when it was filled */
	struct kvmcap_frame frame;
	const uint8_t *pixels;
};

struct capture {
	struct capture_events events;
	struct capture_source *source;
	struct lane lanes[CAPTURE_LANES];
	uint64_t followed;   /* seq of the follower's last Frame */
	uint32_t generation; /* of that Frame */
	bool spare;
	uint32_t picture; /* counts losses of the picture: another card may count its Frames from 1 again */
	uint64_t damage[KVMCAP_MAX_DAMAGE_BYTES / 8];
};

static void let_go(struct capture *capture, unsigned lane)
{
	capture->source->ops->release(capture->source, 1 + lane, &capture->lanes[lane].frame);
	capture->lanes[lane].holds = false;
}

/* Slots that nobody reads now. */
static void let_go_idle(struct capture *capture)
{
	for (unsigned i = 0; i < CAPTURE_LANES; i++)
		if (capture->lanes[i].holds && !capture->lanes[i].busy)
			let_go(capture, i);
}

static void describe(struct capture_frame *to, const struct kvmcap_frame *from, const uint8_t *pixels,
		     uint32_t lane)
{
	*to = (struct capture_frame){
		.pixels = pixels,
		.seq = from->seq,
		.base_seq = from->base_seq,
		.hw_seq = from->hw_seq,
		.timestamp_ns = from->timestamp_ns,
		.generation = from->generation,
		.width = from->width,
		.height = from->height,
		.stride = from->stride,
		.fourcc = from->fourcc,
		.lane = lane,
		.full = from->flags & KVMCAP_FRAME_FULL,
	};
}

static int follow(struct capture *capture)
{
	struct capture_source *source = capture->source;
	struct kvmcap_frame frame;
	struct capture_frame shown;
	int err = source->ops->acquire(source, CAPTURE_FOLLOWER, &frame, capture->damage, NULL);

	if (err)
		return err;
	source->ops->release(source, CAPTURE_FOLLOWER, &frame);
	capture->followed = frame.seq;
	capture->generation = frame.generation;
	describe(&shown, &frame, NULL, CAPTURE_LANES);
	capture->events.damage(capture->events.arg, &shown, capture->damage);
	return 0;
}

static bool is_followed(const struct capture *capture, const struct lane *lane)
{
	return lane->picture == capture->picture && lane->frame.seq == capture->followed &&
	       lane->frame.generation == capture->generation;
}

/* An idle lane that has the newest Frame, else one without a Slot, else the other idle one. */
static struct lane *choose_lane(struct capture *capture)
{
	struct lane *best = NULL;

	for (unsigned i = 0; i < CAPTURE_LANES; i++) {
		struct lane *lane = &capture->lanes[i];

		if (lane->busy)
			continue;
		if (lane->holds && is_followed(capture, lane))
			return lane;
		if (!best || !lane->holds)
			best = lane;
	}
	return best;
}

static int fill_lane(struct capture *capture, struct lane *lane)
{
	struct capture_source *source = capture->source;
	unsigned index = (unsigned)(lane - capture->lanes);
	int err;

	if (lane->holds)
		let_go(capture, index);
	err = source->ops->acquire(source, 1 + index, &lane->frame, NULL, &lane->pixels);
	if (err)
		return err;
	lane->holds = true;
	lane->picture = capture->picture;
	/* The follower must not be behind what is encoded; it may be ahead. */
	if (lane->frame.seq > capture->followed)
		err = follow(capture);
	if (err && err != -EAGAIN) {
		let_go(capture, index); /* the follower may want its place */
		return err;
	}
	return lane->frame.generation == capture->generation ? 0 : -EAGAIN;
}

int capture_acquire(struct capture *capture, struct capture_frame *frame)
{
	struct lane *lane;
	int err = follow(capture);

	if (err && err != -EAGAIN)
		return err;
	lane = choose_lane(capture);
	if (!lane)
		return -EBUSY;
	if (!lane->holds || !is_followed(capture, lane)) {
		err = fill_lane(capture, lane);
		if (err)
			return err;
	}
	lane->busy = true;
	describe(frame, &lane->frame, lane->pixels, (uint32_t)(lane - capture->lanes));
	return 0;
}

void capture_release(struct capture *capture, const struct capture_frame *frame)
{
	struct lane *lane = &capture->lanes[frame->lane];

	lane->busy = false;
	/* A Slot of an old Mode or card is of no use to anyone, and its memory waits for us. */
	if (lane->holds && (!capture->spare || lane->frame.generation != capture->generation ||
			    lane->picture != capture->picture))
		let_go(capture, frame->lane);
}

static void source_ready(void *arg)
{
	follow(arg);
}

static void source_mode(void *arg, const struct capture_mode *mode)
{
	struct capture *capture = arg;
	bool lost = mode->signal != KVMCAP_SIGNAL_OK && mode->signal != KVMCAP_SIGNAL_STALLED;

	capture->picture += lost;
	capture->spare = mode->spare;
	if (lost || !mode->spare || mode->generation != capture->generation)
		let_go_idle(capture);
	capture->events.mode(capture->events.arg, mode);
}

struct capture *capture_open(struct loop *loop, const char *source, const struct capture_events *events)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	struct capture_source_events up = { .ready = source_ready, .mode = source_mode, .arg = capture };

	if (!capture)
		return NULL;
	capture->events = *events;
	capture->source = !strncmp(source, "unix:", 5) ? capture_ring_open(loop, source + 5, &up) :
							 capture_kernel_open(loop, source, &up);
	if (!capture->source) {
		free(capture);
		return NULL;
	}
	return capture;
}

void capture_state(struct capture *capture, struct capture_mode *mode)
{
	capture->source->ops->state(capture->source, mode);
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	for (unsigned i = 0; i < CAPTURE_LANES; i++)
		if (capture->lanes[i].holds)
			let_go(capture, i);
	capture->source->ops->close(capture->source);
	free(capture);
}
