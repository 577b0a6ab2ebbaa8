// SPDX-License-Identifier: GPL-2.0-or-later
/* The ring's rules, one by one. Their interplay is in test_ring_model.c. */
/* LINK: kmod/ring.c kmod/differ.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kmod/ring.h"

static const struct kvmcap_geometry small = { 64, 64, 256 };
static struct kvmcap_ring ring;

static int fresh(void **unused)
{
	(void)unused;
	memset(&ring, 0, sizeof(ring));
	assert_int_equal(kvmcap_ring_set_mode(&ring, 1, 6, &small), 0);
	return 0;
}

/* Publishes one Frame in which just these Tiles of the first row changed. */
static uint32_t frame(uint64_t tiles)
{
	__u64 damage[KVMCAP_DAMAGE_MAX] = { tiles };
	int slot = kvmcap_ring_take_free(&ring);

	assert_true(slot >= 0);
	assert_int_equal(kvmcap_ring_publish(&ring, slot, damage, 1000 + ring.seq, 5), 0);
	return slot;
}

static struct kvmcap_ring_frame acquire(int reader)
{
	struct kvmcap_ring_frame got;

	assert_int_equal(kvmcap_ring_acquire(&ring, reader, &got), 0);
	return got;
}

static void release(int reader, const struct kvmcap_ring_frame *got)
{
	assert_int_equal(kvmcap_ring_release(&ring, reader, got->generation, got->slot), 0);
}

static int reader_after_first_frame(void)
{
	int reader = kvmcap_ring_reader_open(&ring);

	assert_true(reader >= 0);
	frame(0);
	struct kvmcap_ring_frame got = acquire(reader);

	release(reader, &got);
	return reader;
}

static void first_frame_is_full(void **unused)
{
	int reader = kvmcap_ring_reader_open(&ring);
	uint32_t slot;

	(void)unused;
	assert_false(kvmcap_ring_ready(&ring, reader));
	slot = frame(0);
	assert_true(kvmcap_ring_ready(&ring, reader));
	struct kvmcap_ring_frame got = acquire(reader);

	assert_true(got.full);
	assert_int_equal(got.seq, 1);
	assert_int_equal(got.base_seq, 0);
	assert_int_equal(got.hw_seq, 1000);
	assert_int_equal(got.timestamp_ns, 5);
	assert_int_equal(got.generation, 1);
	assert_int_equal(got.slot, slot);
	for (int row = 0; row < 4; row++)
		assert_int_equal(got.damage[row], 0xf);
}

static void late_reader_begins_full(void **unused)
{
	(void)unused;
	frame(0);
	frame(1);
	int reader = kvmcap_ring_reader_open(&ring);
	struct kvmcap_ring_frame got = acquire(reader);

	assert_true(got.full);
	assert_int_equal(got.seq, 2);
}

static void unread_damage_is_ored(void **unused)
{
	int reader = reader_after_first_frame();

	(void)unused;
	frame(0x1);
	frame(0x4);
	struct kvmcap_ring_frame got = acquire(reader);

	assert_false(got.full);
	assert_int_equal(got.damage[0], 0x5);
	assert_int_equal(got.seq, 3);
	assert_int_equal(got.base_seq, 1);
	release(reader, &got);
	frame(0x2);
	got = acquire(reader);
	assert_int_equal(got.damage[0], 0x2);
	assert_int_equal(got.base_seq, 3);
}

static void each_reader_has_its_own_account(void **unused)
{
	int fast = reader_after_first_frame(), slow = reader_after_first_frame();
	struct kvmcap_ring_frame got;

	(void)unused;
	if (kvmcap_ring_ready(&ring, fast)) {
		got = acquire(fast);
		release(fast, &got);
	}
	frame(0x1);
	got = acquire(fast);
	assert_int_equal(got.damage[0], 0x1);
	release(fast, &got);
	frame(0x8);
	got = acquire(fast);
	assert_int_equal(got.damage[0], 0x8);
	got = acquire(slow);
	assert_int_equal(got.damage[0], 0x9);
}

static void nothing_new_is_eagain(void **unused)
{
	int reader = reader_after_first_frame();
	struct kvmcap_ring_frame got;

	(void)unused;
	assert_int_equal(kvmcap_ring_acquire(&ring, reader, &got), -EAGAIN);
	assert_false(kvmcap_ring_ready(&ring, reader));
}

static void unchanged_frame_is_new_all_the_same(void **unused)
{
	int reader = reader_after_first_frame();

	(void)unused;
	frame(0);
	struct kvmcap_ring_frame got = acquire(reader);

	assert_int_equal(got.seq, 2);
	assert_int_equal(got.damage[0], 0);
}

static void reader_holds_one_slot_at_most(void **unused)
{
	int reader = reader_after_first_frame();
	struct kvmcap_ring_frame got, second;

	(void)unused;
	frame(0x1);
	got = acquire(reader);
	frame(0x2);
	assert_int_equal(kvmcap_ring_acquire(&ring, reader, &second), -EBUSY);
	assert_int_equal(ring.busy, 0); /* its own fault, not the memory's */
	release(reader, &got);
	got = acquire(reader);
	assert_int_equal(got.damage[0], 0x2);
}

static void release_takes_just_what_is_held(void **unused)
{
	int reader = reader_after_first_frame(), other = kvmcap_ring_reader_open(&ring);

	(void)unused;
	frame(0x1);
	struct kvmcap_ring_frame got = acquire(reader);

	assert_int_equal(kvmcap_ring_release(&ring, reader, got.generation, got.slot + 1), -EINVAL);
	assert_int_equal(kvmcap_ring_release(&ring, reader, got.generation + 1, got.slot), -EINVAL);
	assert_int_equal(kvmcap_ring_release(&ring, other, got.generation, got.slot), -EINVAL);
	assert_int_equal(kvmcap_ring_release(&ring, KVMCAP_MAX_READERS, got.generation, got.slot), -EINVAL);
	release(reader, &got);
	assert_int_equal(kvmcap_ring_release(&ring, reader, got.generation, got.slot), -EINVAL);
}

static void held_slot_is_never_recycled(void **unused)
{
	int reader = reader_after_first_frame();

	(void)unused;
	frame(0x1);
	struct kvmcap_ring_frame got = acquire(reader);

	for (int i = 0; i < 50; i++)
		assert_int_not_equal(frame(0x1), got.slot);
	/* Nor while everything else is posted. */
	for (int slot; (slot = kvmcap_ring_take_free(&ring)) >= 0;)
		assert_int_not_equal(slot, got.slot);
	release(reader, &got);
	assert_int_equal(kvmcap_ring_take_free(&ring), got.slot);
	assert_int_equal(kvmcap_ring_take_free(&ring), -ENOBUFS);
}

static void newest_is_kept_for_comparison(void **unused)
{
	(void)unused;
	assert_int_equal(kvmcap_ring_previous(&ring), -ENOENT);
	uint32_t newest = frame(0);

	assert_int_equal(kvmcap_ring_previous(&ring), newest);
	for (int slot; (slot = kvmcap_ring_take_free(&ring)) >= 0;)
		assert_int_not_equal(slot, newest);
}

static void capture_keeps_three_slots(void **unused)
{
	struct kvmcap_ring_frame got[KVMCAP_MAX_READERS];

	(void)unused;
	for (uint32_t slots = KVMCAP_MIN_SLOTS; slots <= KVMCAP_MAX_SLOTS; slots++) {
		memset(&ring, 0, sizeof(ring));
		assert_int_equal(kvmcap_ring_set_mode(&ring, 1, slots, &small), 0);
		for (uint32_t i = 0; i < KVMCAP_MAX_READERS; i++) {
			int reader = kvmcap_ring_reader_open(&ring);

			frame(0x1);
			assert_int_equal(kvmcap_ring_acquire(&ring, reader, &got[i]),
					 i + KVMCAP_CAPTURE_SLOTS < slots ? 0 : -EBUSY);
			assert_int_equal(kvmcap_ring_ready(&ring, reader), 0);
		}
		assert_int_equal(ring.busy, KVMCAP_MAX_READERS + KVMCAP_CAPTURE_SLOTS - slots);
		frame(0x2);
		assert_true(kvmcap_ring_take_free(&ring) >= 0);
	}
}

static void refused_reader_keeps_its_damage(void **unused)
{
	memset(&ring, 0, sizeof(ring));
	assert_int_equal(kvmcap_ring_set_mode(&ring, 1, 4, &small), 0);
	int first = reader_after_first_frame(), second = reader_after_first_frame();
	struct kvmcap_ring_frame got, refused;

	(void)unused;
	got = acquire(first);
	frame(0x1);
	assert_int_equal(kvmcap_ring_acquire(&ring, second, &refused), -EBUSY);
	frame(0x2);
	assert_false(kvmcap_ring_ready(&ring, second));
	release(first, &got);
	assert_true(kvmcap_ring_ready(&ring, second));
	got = acquire(second);
	assert_int_equal(got.damage[0], 0x3);
}

static void shared_slot_counts_once(void **unused)
{
	memset(&ring, 0, sizeof(ring));
	assert_int_equal(kvmcap_ring_set_mode(&ring, 1, 4, &small), 0);
	int first = kvmcap_ring_reader_open(&ring), second = kvmcap_ring_reader_open(&ring);

	(void)unused;
	frame(0);
	struct kvmcap_ring_frame a = acquire(first), b = acquire(second);

	assert_int_equal(a.slot, b.slot);
	frame(0x1);
	release(first, &a);
	for (int slot; (slot = kvmcap_ring_take_free(&ring)) >= 0;)
		assert_int_not_equal(slot, b.slot);
	release(second, &b);
	assert_int_equal(kvmcap_ring_take_free(&ring), b.slot);
}

static void mode_change_is_full(void **unused)
{
	static const struct kvmcap_geometry other = { 80, 70, 320 };
	int reader = reader_after_first_frame();

	(void)unused;
	frame(0x1);
	assert_int_equal(kvmcap_ring_set_mode(&ring, 2, 5, &other), 0);
	assert_false(kvmcap_ring_ready(&ring, reader));
	assert_int_equal(kvmcap_ring_previous(&ring), -ENOENT);
	frame(0x1);
	struct kvmcap_ring_frame got = acquire(reader);

	assert_true(got.full);
	assert_int_equal(got.base_seq, 0);
	assert_int_equal(got.generation, 2);
	assert_int_equal(got.seq, 3);
	for (int row = 0; row < 5; row++)
		assert_int_equal(got.damage[row], 0x1f);
}

static void slot_of_an_old_mode_is_released(void **unused)
{
	int reader = reader_after_first_frame();
	struct kvmcap_ring_frame old, got;

	(void)unused;
	frame(0x1);
	old = acquire(reader);
	assert_int_equal(kvmcap_ring_set_mode(&ring, 2, 4, &small), 0);
	frame(0);
	assert_int_equal(kvmcap_ring_acquire(&ring, reader, &got), -EBUSY);
	release(reader, &old);
	got = acquire(reader);
	assert_int_equal(got.generation, 2);
	/* The same index now means another Slot, and nobody else's hold was dropped. */
	assert_int_equal(kvmcap_ring_release(&ring, reader, 1, got.slot), -EINVAL);
	release(reader, &got);
	/* Closing does the same as releasing. */
	frame(0);
	got = acquire(reader);
	assert_int_equal(kvmcap_ring_set_mode(&ring, 3, 4, &small), 0);
	kvmcap_ring_reader_close(&ring, reader);
	for (int i = 0; i < 4; i++)
		assert_int_equal(kvmcap_ring_take_free(&ring), i);
}

static void gap_takes_posted_slots_back(void **unused)
{
	int reader = reader_after_first_frame();
	struct kvmcap_ring_frame got;
	int free = 0;

	(void)unused;
	frame(0x1);
	got = acquire(reader);
	while (kvmcap_ring_take_free(&ring) >= 0)
		;
	kvmcap_ring_gap(&ring);
	assert_int_equal(kvmcap_ring_previous(&ring), -ENOENT);
	for (int slot; (slot = kvmcap_ring_take_free(&ring)) >= 0; free++)
		assert_int_not_equal(slot, got.slot);
	assert_int_equal(free, 5);
	release(reader, &got);
	assert_int_equal(kvmcap_ring_acquire(&ring, reader, &got), -EAGAIN);
	frame(0);
	got = acquire(reader);
	assert_true(got.full);
}

static void abandoned_slot_is_free_again(void **unused)
{
	(void)unused;
	int slot = kvmcap_ring_take_free(&ring);

	assert_int_equal(kvmcap_ring_give_back(&ring, slot), 0);
	assert_int_equal(kvmcap_ring_give_back(&ring, slot), -EINVAL);
	assert_int_equal(kvmcap_ring_publish(&ring, slot, NULL, 1, 1), -EINVAL);
	assert_int_equal(kvmcap_ring_take_free(&ring), slot);
	assert_int_equal(kvmcap_ring_give_back(&ring, 6), -EINVAL);
	assert_int_equal(kvmcap_ring_publish(&ring, UINT32_MAX, NULL, 1, 1), -EINVAL);
	assert_int_equal(ring.seq, 0);
}

static void failed_comparison_is_full(void **unused)
{
	int reader = reader_after_first_frame();
	int slot = kvmcap_ring_take_free(&ring);

	(void)unused;
	assert_int_equal(kvmcap_ring_publish(&ring, slot, NULL, 1, 1), 0);
	frame(0x1);
	struct kvmcap_ring_frame got = acquire(reader);

	assert_true(got.full);
	assert_int_equal(got.base_seq, 1);
	assert_int_equal(got.damage[3], 0xf);
}

static void undo_gives_damage_back(void **unused)
{
	int reader = reader_after_first_frame();

	(void)unused;
	frame(0x1);
	struct kvmcap_ring_frame got = acquire(reader);

	frame(0x4);
	kvmcap_ring_undo(&ring, reader);
	kvmcap_ring_undo(&ring, reader); /* nothing is held: nothing happens */
	kvmcap_ring_undo(&ring, KVMCAP_MAX_READERS);
	assert_int_equal(kvmcap_ring_release(&ring, reader, got.generation, got.slot), -EINVAL);
	got = acquire(reader);
	assert_int_equal(got.damage[0], 0x5);
	assert_int_equal(got.base_seq, 1);
	assert_false(got.full);
}

static void undo_of_a_full_one_stays_full(void **unused)
{
	int reader = kvmcap_ring_reader_open(&ring);

	(void)unused;
	frame(0);
	acquire(reader);
	kvmcap_ring_undo(&ring, reader);
	frame(0);
	struct kvmcap_ring_frame got = acquire(reader);

	assert_true(got.full);
	assert_int_equal(got.base_seq, 0);
}

/* The account is full by then, and counts from no Frame of the old Mode. */
static void mode_change_is_not_undone(void **unused)
{
	int reader = reader_after_first_frame();
	struct kvmcap_ring_frame got;

	(void)unused;
	frame(1);
	got = acquire(reader);
	assert_int_not_equal(got.base_seq, 0);
	assert_int_equal(kvmcap_ring_set_mode(&ring, 2, 4, &small), 0);
	kvmcap_ring_undo(&ring, reader);
	frame(0);
	got = acquire(reader);
	assert_true(got.full);
	assert_int_equal(got.base_seq, 0);
}

static void readers_are_limited(void **unused)
{
	struct kvmcap_ring_frame got;
	int last = -1;

	(void)unused;
	frame(0);
	for (uint32_t i = 0; i < KVMCAP_MAX_READERS; i++) {
		last = kvmcap_ring_reader_open(&ring);
		assert_true(last >= 0);
	}
	assert_int_equal(kvmcap_ring_readers(&ring), KVMCAP_MAX_READERS);
	assert_int_equal(kvmcap_ring_reader_open(&ring), -EBUSY);
	kvmcap_ring_reader_close(&ring, KVMCAP_MAX_READERS);
	kvmcap_ring_reader_close(&ring, last);
	assert_int_equal(kvmcap_ring_acquire(&ring, last, &got), -EINVAL);
	assert_int_equal(kvmcap_ring_acquire(&ring, KVMCAP_MAX_READERS, &got), -EINVAL);
	assert_int_equal(kvmcap_ring_reader_open(&ring), last);
}

static void place_of_a_closed_reader_starts_anew(void **unused)
{
	int reader = reader_after_first_frame();

	(void)unused;
	frame(0x1);
	struct kvmcap_ring_frame got = acquire(reader);

	kvmcap_ring_reader_close(&ring, reader);
	assert_int_equal(kvmcap_ring_reader_open(&ring), reader);
	assert_int_equal(kvmcap_ring_release(&ring, reader, got.generation, got.slot), -EINVAL);
	got = acquire(reader);
	assert_true(got.full);
	assert_int_equal(got.base_seq, 0);
}

static void bad_modes_change_nothing(void **unused)
{
	static const struct kvmcap_geometry bad[] = {
		{ 63, 64, 256 },   { 4097, 64, 16448 }, { 64, 63, 256 },
		{ 64, 2305, 256 }, { 64, 64, 260 },	{ 80, 64, 256 },
	};
	static const struct kvmcap_geometry largest = { 4096, 2304, 16384 };

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(kvmcap_ring_set_mode(&ring, 2, 4, &bad[i]), -EINVAL);
	assert_int_equal(kvmcap_ring_set_mode(&ring, 1, 4, &small), -EINVAL);
	assert_int_equal(kvmcap_ring_set_mode(&ring, 2, 3, &small), -EINVAL);
	assert_int_equal(kvmcap_ring_set_mode(&ring, 2, KVMCAP_MAX_SLOTS + 1, &small), -EINVAL);
	assert_int_equal(ring.generation, 1);
	assert_int_equal(ring.slot_count, 6);
	assert_int_equal(kvmcap_ring_set_mode(&ring, 2, KVMCAP_MAX_SLOTS, &largest), 0);
	int reader = kvmcap_ring_reader_open(&ring);

	frame(0);
	struct kvmcap_ring_frame got = acquire(reader);

	assert_int_equal(got.damage[KVMCAP_DAMAGE_MAX - 1], UINT64_MAX);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_frame_is_full),
		TEST(late_reader_begins_full),
		TEST(unread_damage_is_ored),
		TEST(each_reader_has_its_own_account),
		TEST(nothing_new_is_eagain),
		TEST(unchanged_frame_is_new_all_the_same),
		TEST(reader_holds_one_slot_at_most),
		TEST(release_takes_just_what_is_held),
		TEST(held_slot_is_never_recycled),
		TEST(newest_is_kept_for_comparison),
		TEST(capture_keeps_three_slots),
		TEST(refused_reader_keeps_its_damage),
		TEST(shared_slot_counts_once),
		TEST(mode_change_is_full),
		TEST(slot_of_an_old_mode_is_released),
		TEST(gap_takes_posted_slots_back),
		TEST(abandoned_slot_is_free_again),
		TEST(failed_comparison_is_full),
		TEST(undo_gives_damage_back),
		TEST(undo_of_a_full_one_stays_full),
		TEST(mode_change_is_not_undone),
		TEST(readers_are_limited),
		TEST(place_of_a_closed_reader_starts_anew),
		TEST(bad_modes_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
