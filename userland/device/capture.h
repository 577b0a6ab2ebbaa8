/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames for the session thread. Behind it is either /dev/kvmcapN or, with
 * "unix:PATH", a ring in this process that runs the driver's own differ.c and
 * ring.c and is filled by a producer on that socket (see producer.h).
 *
 * A capture has one follower Reader, which sees the Damage of every Frame, and
 * one lane for each encoding thread, which holds a Slot while it is encoded.
 */
#ifndef KVMNET_DEVICE_CAPTURE_H
#define KVMNET_DEVICE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "kmod/uapi/kvmcap.h"

#define CAPTURE_LANES 2

struct capture;

struct capture_mode {
	uint32_t signal; /* enum kvmcap_signal */
	uint32_t generation, width, height, stride, fourcc, refresh_mhz;
	bool spare; /* Slots enough for every Reader there can be to keep one */
	uint64_t frames, overruns;
};

struct capture_frame {
	const uint8_t *pixels; /* height rows of stride bytes; valid until capture_release() */
	uint64_t seq, base_seq, hw_seq, timestamp_ns;
	uint32_t generation, width, height, stride, fourcc;
	uint32_t lane;
	bool full;
};

struct capture_events {
	/* New Damage since the last call, as KVMCAP_DAMAGE_* lay it out; frame->pixels is NULL here. */
	void (*damage)(void *arg, const struct capture_frame *frame, const uint64_t *damage);
	/* Signal or Mode changed; the device appeared or went. Also once before capture_open() returns. */
	void (*mode)(void *arg, const struct capture_mode *mode);
	void *arg;
};

/* NULL after logging why. A device that is not there yet, or went, is waited for: signal is then GONE. */
struct capture *capture_open(struct loop *loop, const char *source, const struct capture_events *events);
void capture_close(struct capture *capture);

/* Takes the newest Frame into a free lane. Before it returns, the follower has reported at least all
 * Damage up to frame->seq. 0; -EBUSY no lane or Slot free; -EAGAIN no Frame in this Mode yet; -ENODEV. */
int capture_acquire(struct capture *capture, struct capture_frame *frame);
void capture_release(struct capture *capture, const struct capture_frame *frame);
/* Signal and Mode as they are now, with fresh counters. */
void capture_state(struct capture *capture, struct capture_mode *mode);

#endif
