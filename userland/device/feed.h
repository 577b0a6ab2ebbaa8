/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring in this process, without its socket: messages of a producer in,
 * Frames out, by the driver's own differ.c and ring.c.
 */
#ifndef KVMNET_DEVICE_FEED_H
#define KVMNET_DEVICE_FEED_H

#include <stddef.h>

#include "device/capture_source.h"
#include "device/producer.h"

#define FEED_SLOTS (CAPTURE_READERS + 3)

struct feed;

struct feed_output {
	/* A message to the producer; fd goes with it unless negative, and stays ours. */
	void (*send)(void *arg, const struct producer_message *message, int fd);
	void *arg;
};

struct feed *feed_new(const struct feed_output *output, const struct capture_source_events *events);
void feed_free(struct feed *feed);

/* One packet of the producer. NULL, or what is wrong with it: then call feed_gone() and drop the producer. */
const char *feed_packet(struct feed *feed, const void *packet, size_t len);
void feed_gone(struct feed *feed);

int feed_acquire(struct feed *feed, unsigned reader, struct kvmcap_frame *frame, uint64_t *damage,
		 const uint8_t **pixels);
void feed_release(struct feed *feed, unsigned reader, const struct kvmcap_frame *frame);
void feed_state(const struct feed *feed, struct capture_mode *mode);

#endif
