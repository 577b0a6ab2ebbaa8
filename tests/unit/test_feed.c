// SPDX-License-Identifier: GPL-2.0-or-later
/* The user-space ring as a producer and the capture's Readers see it: Slots, Damage, Modes, breaches. */
/* LINK: userland/device/feed.c userland/lib/loop.c userland/lib/log.c kmod/ring.c kmod/differ.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/feed.h"

static struct feed *feed;
static uint8_t *slots;
static size_t slots_bytes;
static struct producer_message offer; /* the last SLOTS */
static uint32_t free_slots[64];
static unsigned free_count, ready_count;
static struct capture_mode mode;
static uint64_t damage[KVMCAP_MAX_DAMAGE_BYTES / 8];
static uint64_t hw_seq;

static void on_send(void *arg, const struct producer_message *message, int fd)
{
	(void)arg;
	if (message->type == PRODUCER_SLOTS) {
		offer = *message;
		slots_bytes = offer.slot_bytes * offer.slot_count;
		slots = mmap(NULL, slots_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		assert_ptr_not_equal(slots, MAP_FAILED);
		assert_int_equal(ftruncate(fd, 0), -1);
		free_count = 0;
	}
	if (message->type == PRODUCER_FREE) {
		assert_int_equal(message->generation, offer.generation);
		free_slots[free_count++] = message->slot;
	}
}

static void on_ready(void *arg)
{
	(void)arg;
	ready_count++;
}

static void on_mode(void *arg, const struct capture_mode *now)
{
	(void)arg;
	mode = *now;
}

static const char *tell(uint32_t type, uint32_t slot, uint32_t generation, uint32_t width, uint32_t height,
			uint32_t signal)
{
	struct producer_message m = {
		.type = type,
		.slot = slot,
		.generation = generation,
		.width = width,
		.height = height,
		.signal = signal,
		.hw_seq = hw_seq,
	};

	return feed_packet(feed, &m, sizeof(m));
}

static void frame(uint32_t pixel, uint32_t value)
{
	uint32_t slot = free_slots[0];

	assert_true(free_count);
	memmove(free_slots, free_slots + 1, --free_count * sizeof(slot));
	memset(slots + slot * offer.slot_bytes, 0, offer.slot_bytes);
	((uint32_t *)(slots + slot * offer.slot_bytes))[pixel] = value;
	hw_seq++;
	assert_null(tell(PRODUCER_DONE, slot, offer.generation, 0, 0, 0));
}

static int start(void **state)
{
	const struct feed_output output = { .send = on_send };
	const struct capture_source_events events = { .ready = on_ready, .mode = on_mode };

	(void)state;
	hw_seq = ready_count = 0;
	feed = feed_new(&output, &events);
	assert_null(tell(PRODUCER_HELLO, 0, 0, 0, 0, PRODUCER_VERSION));
	assert_null(tell(PRODUCER_MODE, 0, 0, 100, 80, 0));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	munmap(slots, slots_bytes);
	feed_free(feed);
	return 0;
}

static void a_mode_gives_slots_and_a_signal(void **state)
{
	(void)state;
	assert_int_equal(mode.signal, KVMCAP_SIGNAL_OK);
	assert_int_equal(offer.stride, 448);
	assert_int_equal(offer.slot_count, FEED_SLOTS);
	assert_true(free_count > 0);
}

static void damage_is_exact_and_adds_up(void **state)
{
	struct kvmcap_frame got;

	(void)state;
	assert_int_equal(feed_acquire(feed, CAPTURE_FOLLOWER, &got, damage, NULL), -EAGAIN);
	frame(0, 0);
	assert_int_equal(feed_acquire(feed, CAPTURE_FOLLOWER, &got, damage, NULL), 0);
	assert_true(got.flags & KVMCAP_FRAME_FULL);
	assert_int_equal(damage[0], 0x7f);
	feed_release(feed, CAPTURE_FOLLOWER, &got);
	frame(0, 1);
	frame(17, 1);
	frame(17, 0xff000001); /* dirt in X alone */
	assert_int_equal(feed_acquire(feed, CAPTURE_FOLLOWER, &got, damage, NULL), 0);
	assert_int_equal(got.base_seq, 1);
	assert_int_equal(got.seq, 4);
	assert_int_equal(got.hw_seq, 4);
	assert_int_equal(damage[0], 3);
	feed_release(feed, CAPTURE_FOLLOWER, &got);
	assert_int_equal(feed_acquire(feed, CAPTURE_FOLLOWER, &got, damage, NULL), -EAGAIN);
}

static void a_held_slot_survives_frames_and_modes(void **state)
{
	struct kvmcap_frame got, other;
	const uint8_t *pixels, *others;

	(void)state;
	frame(5, 0xabcdef);
	assert_int_equal(feed_acquire(feed, 1, &got, NULL, &pixels), 0);
	for (int i = 0; i < 20; i++)
		frame(6, (uint32_t)i);
	assert_int_equal(((const uint32_t *)pixels)[5], 0xabcdef);
	munmap(slots, slots_bytes);
	assert_null(tell(PRODUCER_MODE, 0, 0, 64, 64, 0));
	frame(7, 9);
	assert_int_equal(((const uint32_t *)pixels)[5], 0xabcdef);
	assert_int_equal(feed_acquire(feed, 2, &other, NULL, &others), 0);
	assert_int_not_equal(other.generation, got.generation);
	assert_int_equal(((const uint32_t *)others)[7], 9);
	feed_release(feed, 1, &got);
	feed_release(feed, 2, &other);
}

static void a_lost_signal_takes_everything_back(void **state)
{
	struct kvmcap_frame got;
	uint32_t old = free_slots[0];

	(void)state;
	frame(0, 0);
	assert_null(tell(PRODUCER_SIGNAL, 0, 0, 0, 0, KVMCAP_SIGNAL_NO_SYNC));
	assert_int_equal(mode.signal, KVMCAP_SIGNAL_NO_SYNC);
	assert_int_equal(feed_acquire(feed, CAPTURE_FOLLOWER, &got, damage, NULL), -EAGAIN);
	hw_seq++;
	assert_null(tell(PRODUCER_DONE, old, offer.generation, 0, 0, 0)); /* late, not wrong */
	assert_int_equal(feed_acquire(feed, CAPTURE_FOLLOWER, &got, damage, NULL), -EAGAIN);
	munmap(slots, slots_bytes);
	assert_null(tell(PRODUCER_MODE, 0, 0, 100, 80, 0));
	frame(0, 0);
	assert_int_equal(feed_acquire(feed, CAPTURE_FOLLOWER, &got, damage, NULL), 0);
	assert_true(got.flags & KVMCAP_FRAME_FULL);
	feed_release(feed, CAPTURE_FOLLOWER, &got);
}

static void lost_frames_are_counted(void **state)
{
	struct capture_mode now;

	(void)state;
	frame(0, 0);
	hw_seq += 3;
	frame(0, 0);
	feed_state(feed, &now);
	assert_int_equal(now.overruns, 3);
	assert_int_equal(now.frames, 2);
}

static void breaches_are_named(void **state)
{
	struct producer_message m = { .type = PRODUCER_DONE };

	(void)state;
	assert_non_null(feed_packet(feed, &m, sizeof(m) - 1));
	assert_non_null(feed_packet(feed, &m, sizeof(m) + 1));
	assert_non_null(tell(PRODUCER_HELLO, 0, 0, 0, 0, PRODUCER_VERSION));
	assert_non_null(tell(PRODUCER_MODE, 0, 0, 63, 64, 0));
	assert_non_null(tell(PRODUCER_MODE, 0, 0, 4097, 64, 0));
	assert_non_null(tell(PRODUCER_SIGNAL, 0, 0, 0, 0, KVMCAP_SIGNAL_OK));
	assert_non_null(tell(PRODUCER_SIGNAL, 0, 0, 0, 0, 99));
	assert_non_null(tell(PRODUCER_FREE, 0, 0, 0, 0, 0));
	hw_seq++;
	assert_non_null(tell(PRODUCER_DONE, 0xffffffff, offer.generation, 0, 0, 0));
	hw_seq = 0;
	assert_non_null(tell(PRODUCER_DONE, free_slots[0], offer.generation, 0, 0, 0));
	feed_gone(feed);
	assert_int_equal(mode.signal, KVMCAP_SIGNAL_NO_SIGNAL);
	assert_non_null(tell(PRODUCER_MODE, 0, 0, 64, 64, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_mode_gives_slots_and_a_signal, start, stop),
		cmocka_unit_test_setup_teardown(damage_is_exact_and_adds_up, start, stop),
		cmocka_unit_test_setup_teardown(a_held_slot_survives_frames_and_modes, start, stop),
		cmocka_unit_test_setup_teardown(a_lost_signal_takes_everything_back, start, stop),
		cmocka_unit_test_setup_teardown(lost_frames_are_counted, start, stop),
		cmocka_unit_test_setup_teardown(breaches_are_named, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
