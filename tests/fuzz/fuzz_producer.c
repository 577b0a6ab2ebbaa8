// SPDX-License-Identifier: GPL-2.0-or-later
/* A producer's packets on the user-space ring, with Readers that acquire and release in between. */
/* LINK: userland/device/feed.c userland/lib/loop.c userland/lib/log.c kmod/ring.c kmod/differ.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device/feed.h"

static struct feed *feed;
static uint64_t damage[KVMCAP_MAX_DAMAGE_BYTES / 8];
static uint32_t generation;

static void on_send(void *arg, const struct producer_message *message, int fd)
{
	(void)arg;
	(void)fd;
	if (message->type == PRODUCER_SLOTS)
		generation = message->generation;
}

static void on_ready(void *arg)
{
	(void)arg;
}

static void on_mode(void *arg, const struct capture_mode *mode)
{
	(void)arg;
	if (mode->signal > KVMCAP_SIGNAL_GONE)
		abort();
}

static void touch(const struct kvmcap_frame *frame, const uint8_t *pixels)
{
	volatile uint8_t byte = pixels[(size_t)frame->stride * frame->height - 1];

	(void)byte;
}

/* Bit n: Reader n acquires; bit n + 4: it releases. */
static void readers(uint8_t bits, struct kvmcap_frame held[CAPTURE_READERS], bool holds[CAPTURE_READERS])
{
	for (unsigned i = 0; i < CAPTURE_READERS; i++) {
		const uint8_t *pixels = NULL;

		if (bits & 1u << i && !holds[i]) {
			holds[i] = !feed_acquire(feed, i, &held[i], i ? NULL : damage, i ? &pixels : NULL);
			if (holds[i] && pixels)
				touch(&held[i], pixels);
		}
		if (bits & 16u << i && holds[i]) {
			feed_release(feed, i, &held[i]);
			holds[i] = false;
		}
	}
}

/* 8 bytes an action: small values, so that right ones are found by chance. */
static const char *act(const uint8_t *a)
{
	struct producer_message m = {
		.type = a[0] % 9,
		.signal = a[1],
		.slot = a[2],
		.generation = a[3] % 4 ? generation : a[3],
		.width = 64 + a[4],
		.height = 64 + a[5] % 128u,
		.hw_seq = a[6] | (uint64_t)a[7] << 8,
	};

	if (a[1] == 255)
		m.width = (uint32_t)a[4] << 24 | a[5] << 8;
	return feed_packet(feed, &m, a[1] == 254 ? a[2] : sizeof(m));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct feed_output output = { .send = on_send };
	const struct capture_source_events events = { .ready = on_ready, .mode = on_mode };
	struct kvmcap_frame held[CAPTURE_READERS] = { 0 };
	bool holds[CAPTURE_READERS] = { 0 };

	feed = feed_new(&output, &events);
	for (size_t i = 0; i + 9 <= size && i < 9 * 64; i += 9) {
		if (act(data + i))
			feed_gone(feed);
		readers(data[i + 8], held, holds);
	}
	readers(0xf0, held, holds);
	feed_free(feed);
	return 0;
}
