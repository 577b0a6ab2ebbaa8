// SPDX-License-Identifier: GPL-2.0-or-later
/* Follower and lanes over a source that can be told what happens: no Damage after its Frame, no lane lost. */
/* LINK: userland/device/capture.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/capture_source.h"

static struct {
	struct capture_source source;
	struct capture_source_events events;
	uint64_t newest, last[CAPTURE_READERS], held[CAPTURE_READERS];
	uint32_t generation;
	unsigned slots;		  /* Readers that may hold one at once */
	uint64_t arrives_between; /* published right after the follower's step */
	uint64_t arrives_behind;  /* published right after a lane's acquire */
} fake;

static uint64_t followed, damage_calls;

static unsigned holders(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CAPTURE_READERS; i++)
		n += fake.held[i] != 0;
	return n;
}

static int fake_acquire(struct capture_source *source, unsigned reader, struct kvmcap_frame *frame,
			uint64_t *damage, const uint8_t **pixels)
{
	(void)source;
	assert_int_equal(fake.held[reader], 0);
	if (!fake.newest || fake.newest == fake.last[reader])
		return -EAGAIN;
	if (holders() >= fake.slots)
		return -EBUSY;
	*frame = (struct kvmcap_frame){
		.seq = fake.newest,
		.base_seq = fake.last[reader],
		.generation = fake.generation,
		.width = 64,
		.height = 64,
		.stride = 256,
	};
	fake.held[reader] = fake.last[reader] = fake.newest;
	if (damage)
		memset(damage, 0, 32);
	if (pixels)
		*pixels = (const uint8_t *)&fake;
	if (reader != CAPTURE_FOLLOWER && fake.arrives_behind)
		fake.newest = fake.arrives_behind;
	return 0;
}

static void fake_release(struct capture_source *source, unsigned reader, const struct kvmcap_frame *frame)
{
	(void)source;
	assert_int_equal(fake.held[reader], frame->seq);
	fake.held[reader] = 0;
	if (reader == CAPTURE_FOLLOWER && fake.arrives_between)
		fake.newest = fake.arrives_between;
}

static void fake_state(struct capture_source *source, struct capture_mode *mode)
{
	(void)source;
	memset(mode, 0, sizeof(*mode));
}

static void fake_close(struct capture_source *source)
{
	(void)source;
	assert_int_equal(holders(), 0);
}

static const struct capture_source_ops ops = { fake_acquire, fake_release, fake_state, fake_close };

static struct capture_source *open_fake(const struct capture_source_events *events)
{
	memset(&fake, 0, sizeof(fake));
	fake.source.ops = &ops;
	fake.events = *events;
	fake.slots = CAPTURE_READERS;
	fake.generation = 1;
	return &fake.source;
}

struct capture_source *capture_kernel_open(struct loop *loop, const char *path,
					   const struct capture_source_events *events)
{
	(void)loop;
	assert_string_equal(path, "/dev/kvmcap0");
	return open_fake(events);
}

struct capture_source *capture_ring_open(struct loop *loop, const char *path,
					 const struct capture_source_events *events)
{
	(void)loop;
	assert_string_equal(path, "/x");
	return open_fake(events);
}

static void on_damage(void *arg, const struct capture_frame *frame, const uint64_t *damage)
{
	(void)arg;
	(void)damage;
	followed = frame->seq;
	damage_calls++;
}

static void on_mode(void *arg, const struct capture_mode *mode)
{
	(void)arg;
	(void)mode;
}

static struct capture *capture;
static struct capture_frame a, b, c;

static void set_mode(bool spare)
{
	const struct capture_mode mode = { .generation = fake.generation, .spare = spare };

	fake.events.mode(fake.events.arg, &mode);
}

/* As a driver: the follower hears of a Frame only if it can have it. */
static void publish(uint64_t seq)
{
	fake.newest = seq;
	if (holders() < fake.slots)
		fake.events.ready(fake.events.arg);
}

static int start(void **state)
{
	const struct capture_events events = { .damage = on_damage, .mode = on_mode };

	(void)state;
	followed = damage_calls = 0;
	capture = capture_open(NULL, "/dev/kvmcap0", &events);
	set_mode(true);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	capture_close(capture);
	return 0;
}

static void damage_comes_before_its_frame(void **state)
{
	(void)state;
	assert_int_equal(capture_acquire(capture, &a), -EAGAIN);
	fake.newest = 3;
	assert_int_equal(capture_acquire(capture, &a), 0);
	assert_int_equal(a.seq, 3);
	assert_int_equal(followed, 3);
	capture_release(capture, &a);
}

/* A Frame that arrives between the follower's step and the lane's. */
static void a_frame_in_between_is_followed_too(void **state)
{
	(void)state;
	fake.newest = 3;
	assert_int_equal(capture_acquire(capture, &a), 0);
	capture_release(capture, &a);
	fake.newest = 4;
	fake.arrives_behind = 5;
	assert_int_equal(capture_acquire(capture, &a), 0);
	assert_int_equal(a.seq, 4);
	assert_true(followed >= a.seq);
	capture_release(capture, &a);
}

static void the_same_frame_can_be_had_again(void **state)
{
	(void)state;
	fake.newest = 3;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(capture_acquire(capture, &a), 0);
		assert_int_equal(capture_acquire(capture, &b), 0);
		assert_int_equal(a.seq, 3);
		assert_int_equal(b.seq, 3);
		assert_int_not_equal(a.lane, b.lane);
		assert_int_equal(capture_acquire(capture, &c), -EBUSY);
		capture_release(capture, &a);
		capture_release(capture, &b);
	}
	assert_int_equal(damage_calls, 1);
}

static void with_one_slot_only_everything_goes_on(void **state)
{
	(void)state;
	fake.slots = 1;
	set_mode(false);
	for (uint64_t seq = 1; seq < 10; seq++) {
		publish(seq);
		assert_int_equal(followed, seq);
		assert_int_equal(capture_acquire(capture, &a), 0);
		assert_int_equal(a.seq, seq);
		assert_int_not_equal(capture_acquire(capture, &b), 0);
		capture_release(capture, &a);
		assert_int_equal(holders(), 0);
	}
}

/* The lane has the only Slot when the follower wants to catch up. */
static void a_lane_gives_way_to_the_follower(void **state)
{
	(void)state;
	fake.slots = 1;
	set_mode(false);
	fake.newest = 3;
	fake.arrives_between = 4;
	fake.arrives_behind = 5;
	assert_int_equal(capture_acquire(capture, &a), -EBUSY);
	assert_int_equal(holders(), 0);
	fake.arrives_between = fake.arrives_behind = 0;
	assert_int_equal(capture_acquire(capture, &a), 0);
	assert_int_equal(a.seq, 5);
	assert_int_equal(followed, 5);
	capture_release(capture, &a);
}

static void slots_of_an_old_mode_are_let_go(void **state)
{
	const struct capture_mode lost = { .signal = KVMCAP_SIGNAL_NO_SYNC };

	(void)state;
	fake.newest = 3;
	assert_int_equal(capture_acquire(capture, &a), 0);
	assert_int_equal(capture_acquire(capture, &b), 0);
	capture_release(capture, &a);
	fake.generation = 2;
	fake.newest = 4;
	fake.events.ready(fake.events.arg);
	capture_release(capture, &b);
	assert_int_equal(fake.held[1 + b.lane], 0);
	fake.events.mode(fake.events.arg, &lost);
	assert_int_equal(holders(), 0);
	assert_int_equal(capture_acquire(capture, &a), 0);
	assert_int_equal(a.generation, 2);
	capture_release(capture, &a);
}

/* A card that was put back counts its Frames from 1 again, in a Mode of the same number. */
static void a_frame_of_a_card_that_went_is_not_had_again(void **state)
{
	const struct capture_mode gone = { .signal = KVMCAP_SIGNAL_GONE };

	(void)state;
	fake.newest = 1;
	assert_int_equal(capture_acquire(capture, &a), 0);
	fake.events.mode(fake.events.arg, &gone);
	memset(fake.last, 0, sizeof(fake.last));
	assert_int_equal(capture_acquire(capture, &b), 0);
	assert_int_not_equal(a.lane, b.lane);
	capture_release(capture, &b);
	capture_release(capture, &a);
	assert_int_equal(fake.held[1 + a.lane], 0);
}

static void sources_are_told_apart(void **state)
{
	const struct capture_events events = { .damage = on_damage, .mode = on_mode };
	struct capture *other = capture_open(NULL, "unix:/x", &events);

	(void)state;
	assert_non_null(other);
	capture_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(damage_comes_before_its_frame, start, stop),
		cmocka_unit_test_setup_teardown(a_frame_in_between_is_followed_too, start, stop),
		cmocka_unit_test_setup_teardown(the_same_frame_can_be_had_again, start, stop),
		cmocka_unit_test_setup_teardown(with_one_slot_only_everything_goes_on, start, stop),
		cmocka_unit_test_setup_teardown(a_lane_gives_way_to_the_follower, start, stop),
		cmocka_unit_test_setup_teardown(slots_of_an_old_mode_are_let_go, start, stop),
		cmocka_unit_test_setup_teardown(a_frame_of_a_card_that_went_is_not_had_again, start, stop),
		cmocka_unit_test(sources_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
