// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A producer's messages checked and turned into Frames. The socket they come
 * from is capture_ring.c's; the rules of Slots and Damage are kmod/ring.c's.
 */
#include "device/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kmod/differ.h"
#include "kmod/ring.h"
#include "lib/log.h"

#define FOURCC_XRGB8888 0x34325258u
#define PAGE 4096u
#define POSTED 2

/* Slots of one Mode; Readers that hold one keep it. */
struct memory {
	uint8_t *pixels;
	size_t bytes;
	unsigned users;
};

struct feed {
	struct feed_output output;
	struct capture_source_events events;
	bool greeted;
	unsigned posted;
	uint32_t generation; /* counts on over signal losses */
	uint64_t slot_bytes;
	uint64_t last_hw_seq;
	struct capture_mode mode;
	struct memory *memory; /* of the current Mode */
	struct memory *held[CAPTURE_READERS];
	unsigned reader[CAPTURE_READERS];
	struct kvmcap_ring ring;
	struct kvmcap_differ differ;
	__u64 damage[KVMCAP_DAMAGE_MAX];
};

static void memory_put(struct memory *memory)
{
	if (!memory || --memory->users)
		return;
	munmap(memory->pixels, memory->bytes);
	free(memory);
}

/* Sealed: a producer that cut it short would kill us with SIGBUS. */
static int memory_make(struct memory **made, size_t bytes)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	int fd = memfd_create("kvmnet-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (!memory || fd < 0 || ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		goto fail;
	memory->pixels = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (memory->pixels == MAP_FAILED)
		goto fail;
	memory->bytes = bytes;
	memory->users = 1;
	*made = memory;
	return fd;
fail:
	free(memory);
	if (fd >= 0)
		close(fd);
	return -1;
}

struct feed *feed_new(const struct feed_output *output, const struct capture_source_events *events)
{
	struct feed *feed = calloc(1, sizeof(*feed));

	if (!feed)
		return NULL;
	feed->output = *output;
	feed->events = *events;
	feed->mode.signal = KVMCAP_SIGNAL_NO_CABLE;
	feed->mode.spare = true;
	for (unsigned i = 0; i < CAPTURE_READERS; i++)
		feed->reader[i] = (unsigned)kvmcap_ring_reader_open(&feed->ring);
	return feed;
}

void feed_free(struct feed *feed)
{
	if (!feed)
		return;
	for (unsigned i = 0; i < CAPTURE_READERS; i++)
		memory_put(feed->held[i]);
	memory_put(feed->memory);
	free(feed);
}

static void post_slots(struct feed *feed)
{
	struct producer_message message = { .type = PRODUCER_FREE, .generation = feed->ring.generation };

	while (feed->mode.signal == KVMCAP_SIGNAL_OK && feed->posted < POSTED) {
		int slot = kvmcap_ring_take_free(&feed->ring);

		if (slot < 0)
			return;
		feed->posted++;
		message.slot = (uint32_t)slot;
		feed->output.send(feed->output.arg, &message, -1);
	}
}

static void set_signal(struct feed *feed, uint32_t signal)
{
	feed->mode.signal = signal;
	feed->events.mode(feed->events.arg, &feed->mode);
}

static void lose_picture(struct feed *feed, uint32_t signal)
{
	kvmcap_ring_gap(&feed->ring);
	feed->posted = 0;
	set_signal(feed, signal);
}

void feed_gone(struct feed *feed)
{
	feed->greeted = false;
	lose_picture(feed, KVMCAP_SIGNAL_NO_SIGNAL);
}

static const char *hello(struct feed *feed, const struct producer_message *in)
{
	if (in->signal != PRODUCER_VERSION)
		return "HELLO of another version";
	feed->greeted = true;
	feed->last_hw_seq = 0;
	return NULL;
}

/* A new Mode has new memory; old Slots are void at once, except to those who read them. */
static const char *new_mode(struct feed *feed, const struct producer_message *in)
{
	struct kvmcap_geometry geo = { in->width, in->height, (in->width * 4 + 63) / 64 * 64 };
	struct producer_message out = { .type = PRODUCER_SLOTS };
	struct memory *memory;
	int fd;

	if (in->width < KVMCAP_MIN_WIDTH || in->width > KVMCAP_MAX_WIDTH || in->height < KVMCAP_MIN_HEIGHT ||
	    in->height > KVMCAP_MAX_HEIGHT)
		return "MODE outside 64x64 to 4096x2304";
	feed->slot_bytes = ((uint64_t)geo.stride * geo.height + PAGE - 1) / PAGE * PAGE;
	fd = memory_make(&memory, feed->slot_bytes * FEED_SLOTS);
	if (fd < 0)
		return "no memory for Slots";
	memory_put(feed->memory);
	feed->memory = memory;
	kvmcap_ring_set_mode(&feed->ring, ++feed->generation, FEED_SLOTS, &geo);
	feed->posted = 0;
	out.generation = feed->mode.generation = feed->generation;
	out.width = feed->mode.width = geo.width;
	out.height = feed->mode.height = geo.height;
	out.stride = feed->mode.stride = geo.stride;
	feed->mode.fourcc = FOURCC_XRGB8888;
	feed->mode.refresh_mhz = in->refresh_mhz;
	out.slot_count = FEED_SLOTS;
	out.slot_bytes = feed->slot_bytes;
	feed->output.send(feed->output.arg, &out, fd);
	close(fd);
	set_signal(feed, KVMCAP_SIGNAL_OK);
	post_slots(feed);
	return NULL;
}

static const char *signal_lost(struct feed *feed, const struct producer_message *in)
{
	if (in->signal == KVMCAP_SIGNAL_OK || in->signal > KVMCAP_SIGNAL_GONE)
		return "SIGNAL with a state that is none";
	lose_picture(feed, in->signal);
	return NULL;
}

static const __u64 *compare(struct feed *feed, uint32_t slot)
{
	int previous = kvmcap_ring_previous(&feed->ring);
	const struct kvmcap_geometry *geo = &feed->ring.geo;

	if (previous < 0)
		return NULL;
	memset(feed->damage, 0, KVMCAP_DAMAGE_BYTES(geo->width, geo->height));
	kvmcap_differ_band(&feed->differ, geo, feed->memory->pixels + slot * feed->slot_bytes,
			   feed->memory->pixels + (uint64_t)previous * feed->slot_bytes, 0,
			   KVMCAP_TILES(geo->height), feed->damage);
	return feed->damage;
}

static const char *done(struct feed *feed, const struct producer_message *in)
{
	struct producer_message out = { .type = PRODUCER_TAKEN, .hw_seq = in->hw_seq };
	uint64_t now = loop_now_ns();

	/* What was under way when the Mode changed or the signal went is no error, only late. */
	if (in->generation != feed->ring.generation || feed->mode.signal != KVMCAP_SIGNAL_OK)
		return NULL;
	if (in->slot >= FEED_SLOTS || !feed->ring.slot[in->slot].posted)
		return "DONE for a Slot that was not FREE";
	if (in->hw_seq <= feed->last_hw_seq)
		return "DONE with a hw_seq that does not grow";
	feed->mode.overruns += feed->last_hw_seq ? in->hw_seq - feed->last_hw_seq - 1 : 0;
	feed->last_hw_seq = in->hw_seq;
	kvmcap_ring_publish(&feed->ring, in->slot, compare(feed, in->slot), in->hw_seq, now);
	feed->posted--;
	feed->mode.frames++;
	feed->events.ready(feed->events.arg);
	feed->output.send(feed->output.arg, &out, -1);
	post_slots(feed);
	return NULL;
}

const char *feed_packet(struct feed *feed, const void *packet, size_t len)
{
	struct producer_message in;

	if (len != sizeof(in))
		return "packet of a wrong length";
	memcpy(&in, packet, sizeof(in));
	if (!feed->greeted && in.type != PRODUCER_HELLO)
		return "no HELLO first";
	switch (in.type) {
	case PRODUCER_HELLO:
		return feed->greeted ? "a second HELLO" : hello(feed, &in);
	case PRODUCER_MODE:
		return new_mode(feed, &in);
	case PRODUCER_SIGNAL:
		return signal_lost(feed, &in);
	case PRODUCER_DONE:
		return done(feed, &in);
	default:
		return "message of an unknown type";
	}
}

int feed_acquire(struct feed *feed, unsigned reader, struct kvmcap_frame *frame, uint64_t *damage,
		 const uint8_t **pixels)
{
	const struct kvmcap_geometry *geo = &feed->ring.geo;
	struct kvmcap_ring_frame got;
	int err = kvmcap_ring_acquire(&feed->ring, feed->reader[reader], &got);

	if (err)
		return err;
	feed->held[reader] = feed->memory;
	feed->memory->users++;
	*frame = (struct kvmcap_frame){
		.flags = got.full ? KVMCAP_FRAME_FULL : 0,
		.seq = got.seq,
		.base_seq = got.base_seq,
		.hw_seq = got.hw_seq,
		.timestamp_ns = got.timestamp_ns,
		.generation = got.generation,
		.slot = got.slot,
		.width = geo->width,
		.height = geo->height,
		.stride = geo->stride,
		.fourcc = FOURCC_XRGB8888,
	};
	if (damage)
		memcpy(damage, got.damage, KVMCAP_DAMAGE_BYTES(geo->width, geo->height));
	if (pixels)
		*pixels = feed->memory->pixels + got.slot * feed->slot_bytes;
	return 0;
}

void feed_release(struct feed *feed, unsigned reader, const struct kvmcap_frame *frame)
{
	if (kvmcap_ring_release(&feed->ring, feed->reader[reader], frame->generation, frame->slot))
		return;
	memory_put(feed->held[reader]);
	feed->held[reader] = NULL;
	post_slots(feed);
}

void feed_state(const struct feed *feed, struct capture_mode *mode)
{
	*mode = feed->mode;
}
