/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What capture.c needs of a place that Frames come from: the driver, or the ring in this process. */
#ifndef KVMNET_DEVICE_CAPTURE_SOURCE_H
#define KVMNET_DEVICE_CAPTURE_SOURCE_H

#include "device/capture.h"

#define CAPTURE_FOLLOWER 0
#define CAPTURE_READERS (1 + CAPTURE_LANES)

struct capture_source;

struct capture_source_events {
	void (*ready)(void *arg); /* the follower may find a newer Frame */
	void (*mode)(void *arg, const struct capture_mode *mode);
	void *arg;
};

struct capture_source_ops {
	/* As KVMCAP_IOC_ACQUIRE. damage (KVMCAP_MAX_DAMAGE_BYTES) for the follower, else NULL; *pixels is set
	 * for lanes only. Every field of frame is checked. */
	int (*acquire)(struct capture_source *source, unsigned reader, struct kvmcap_frame *frame,
		       uint64_t *damage, const uint8_t **pixels);
	void (*release)(struct capture_source *source, unsigned reader, const struct kvmcap_frame *frame);
	/* The current state with fresh counters. */
	void (*state)(struct capture_source *source, struct capture_mode *mode);
	void (*close)(struct capture_source *source);
};

struct capture_source {
	const struct capture_source_ops *ops;
};

/* Both: NULL after logging why. */
struct capture_source *capture_kernel_open(struct loop *loop, const char *path,
					   const struct capture_source_events *events);
struct capture_source *capture_ring_open(struct loop *loop, const char *path,
					 const struct capture_source_events *events);

#endif
