// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ring's rules: newest Frame wins, no Damage is lost, no held Slot is
 * recycled. Memory of Slots, locks and waiting belong to the caller.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/string.h>
#else
#include <errno.h>
#include <string.h>
#endif

#include "ring.h"

static void account_fill(struct kvmcap_account *account)
{
	account->full = true;
	account->base_seq = 0;
}

static void account_add(const struct kvmcap_ring *ring, struct kvmcap_account *account,
			const __u64 *damage)
{
	if (account->full)
		return;
	if (damage)
		kvmcap_damage_or(&ring->geo, account->damage, damage);
	else
		account->full = true;
}

static bool slot_is_newest(const struct kvmcap_ring *ring, __u32 slot)
{
	return ring->has_newest && (__u32)ring->newest == slot;
}

static bool slot_is_free(const struct kvmcap_ring *ring, __u32 slot)
{
	return !ring->slot[slot].posted && !ring->slot[slot].holders &&
	       !slot_is_newest(ring, slot);
}

static bool slot_is_posted(const struct kvmcap_ring *ring, __u32 slot)
{
	return slot < ring->slot_count && ring->slot[slot].posted;
}

static __u32 held_slots(const struct kvmcap_ring *ring)
{
	__u32 held = 0;
	__u32 i;

	for (i = 0; i < ring->slot_count; i++)
		held += ring->slot[i].holders != 0;
	return held;
}

/* The Frame before a gap and the one after it have nothing to do with each other. */
static void forget_newest(struct kvmcap_ring *ring)
{
	__u32 i;

	ring->has_newest = false;
	for (i = 0; i < KVMCAP_MAX_READERS; i++)
		account_fill(&ring->reader[i].unread);
}

static bool geometry_is_sane(const struct kvmcap_geometry *geo)
{
	return geo->width >= KVMCAP_MIN_WIDTH && geo->width <= KVMCAP_MAX_WIDTH &&
	       geo->height >= KVMCAP_MIN_HEIGHT && geo->height <= KVMCAP_MAX_HEIGHT &&
	       geo->stride % 64 == 0 && geo->stride >= geo->width * 4;
}

int kvmcap_ring_set_mode(struct kvmcap_ring *ring, __u32 generation, __u32 slots,
			 const struct kvmcap_geometry *geo)
{
	if (generation == ring->generation || slots < KVMCAP_MIN_SLOTS ||
	    slots > KVMCAP_MAX_SLOTS || !geometry_is_sane(geo))
		return -EINVAL;
	ring->generation = generation;
	ring->slot_count = slots;
	ring->geo = *geo;
	memset(ring->slot, 0, sizeof(ring->slot));
	forget_newest(ring);
	return 0;
}

void kvmcap_ring_gap(struct kvmcap_ring *ring)
{
	__u32 i;

	for (i = 0; i < ring->slot_count; i++)
		ring->slot[i].posted = false;
	forget_newest(ring);
}

int kvmcap_ring_take_free(struct kvmcap_ring *ring)
{
	__u32 i;

	for (i = 0; i < ring->slot_count; i++) {
		if (slot_is_free(ring, i)) {
			ring->slot[i].posted = true;
			return (int)i;
		}
	}
	return -ENOBUFS;
}

int kvmcap_ring_give_back(struct kvmcap_ring *ring, __u32 slot)
{
	if (!slot_is_posted(ring, slot))
		return -EINVAL;
	ring->slot[slot].posted = false;
	return 0;
}

int kvmcap_ring_previous(const struct kvmcap_ring *ring)
{
	return ring->has_newest ? ring->newest : -ENOENT;
}

int kvmcap_ring_publish(struct kvmcap_ring *ring, __u32 slot, const __u64 *damage,
			__u64 hw_seq, __u64 timestamp_ns)
{
	__u32 i;

	if (!slot_is_posted(ring, slot))
		return -EINVAL;
	if (!ring->has_newest)
		damage = NULL;
	ring->slot[slot].posted = false;
	ring->newest = (int)slot;
	ring->has_newest = true;
	ring->seq++;
	ring->hw_seq = hw_seq;
	ring->timestamp_ns = timestamp_ns;
	for (i = 0; i < KVMCAP_MAX_READERS; i++) {
		if (ring->reader[i].open)
			account_add(ring, &ring->reader[i].unread, damage);
	}
	return 0;
}

int kvmcap_ring_reader_open(struct kvmcap_ring *ring)
{
	__u32 i;

	for (i = 0; i < KVMCAP_MAX_READERS; i++) {
		struct kvmcap_ring_reader *reader = &ring->reader[i];

		if (!reader->open) {
			/* Nothing of the one who had this place before. */
			memset(reader, 0, sizeof(*reader));
			reader->open = true;
			account_fill(&reader->unread);
			return (int)i;
		}
	}
	return -EBUSY;
}

/* A Slot of an old Mode has no place in the ring any more: only the Reader knows it. */
static void drop_hold(struct kvmcap_ring *ring, struct kvmcap_ring_reader *reader)
{
	if (reader->holds && reader->generation == ring->generation)
		ring->slot[reader->slot].holders--;
	reader->holds = false;
}

void kvmcap_ring_reader_close(struct kvmcap_ring *ring, __u32 reader)
{
	if (reader >= KVMCAP_MAX_READERS)
		return;
	drop_hold(ring, &ring->reader[reader]);
	ring->reader[reader].open = false;
}

static int acquire_check(const struct kvmcap_ring *ring, __u32 index)
{
	const struct kvmcap_ring_reader *reader;
	__u32 held;

	if (index >= KVMCAP_MAX_READERS || !ring->reader[index].open)
		return -EINVAL;
	reader = &ring->reader[index];
	if (reader->holds)
		return -EBUSY;
	if (!ring->has_newest || reader->unread.base_seq == ring->seq)
		return -EAGAIN;
	held = held_slots(ring);
	if (!ring->slot[ring->newest].holders)
		held++;
	return held + KVMCAP_CAPTURE_SLOTS > ring->slot_count ? -EBUSY : 0;
}

/* Moves the account to what the Reader is shown, and starts a new one. */
static void take_account(const struct kvmcap_ring *ring, struct kvmcap_ring_reader *reader)
{
	const size_t bytes = KVMCAP_DAMAGE_BYTES(ring->geo.width, ring->geo.height);

	reader->taken.full = reader->unread.full;
	reader->taken.base_seq = reader->unread.base_seq;
	if (reader->unread.full)
		kvmcap_damage_fill(&ring->geo, reader->taken.damage);
	else
		memcpy(reader->taken.damage, reader->unread.damage, bytes);
	reader->taken_seq = ring->seq;
	reader->unread.full = false;
	reader->unread.base_seq = ring->seq;
	memset(reader->unread.damage, 0, bytes);
}

int kvmcap_ring_acquire(struct kvmcap_ring *ring, __u32 reader,
			struct kvmcap_ring_frame *frame)
{
	struct kvmcap_ring_reader *r;
	int err = acquire_check(ring, reader);

	if (err) {
		ring->busy += err == -EBUSY && !ring->reader[reader].holds;
		return err;
	}
	r = &ring->reader[reader];
	r->holds = true;
	r->generation = ring->generation;
	r->slot = (__u32)ring->newest;
	ring->slot[r->slot].holders++;
	take_account(ring, r);

	frame->seq = ring->seq;
	frame->base_seq = r->taken.base_seq;
	frame->hw_seq = ring->hw_seq;
	frame->timestamp_ns = ring->timestamp_ns;
	frame->generation = ring->generation;
	frame->slot = r->slot;
	frame->full = r->taken.full;
	frame->damage = r->taken.damage;
	return 0;
}

void kvmcap_ring_undo(struct kvmcap_ring *ring, __u32 reader)
{
	struct kvmcap_ring_reader *r;

	if (reader >= KVMCAP_MAX_READERS || !ring->reader[reader].holds)
		return;
	r = &ring->reader[reader];
	drop_hold(ring, r);
	/* After a gap or a new Mode the account is full already. */
	if (r->unread.base_seq != r->taken_seq)
		return;
	r->unread.base_seq = r->taken.base_seq;
	account_add(ring, &r->unread, r->taken.full ? NULL : r->taken.damage);
}

int kvmcap_ring_release(struct kvmcap_ring *ring, __u32 reader, __u32 generation, __u32 slot)
{
	struct kvmcap_ring_reader *r;

	if (reader >= KVMCAP_MAX_READERS)
		return -EINVAL;
	r = &ring->reader[reader];
	if (!r->holds || r->generation != generation || r->slot != slot)
		return -EINVAL;
	drop_hold(ring, r);
	return 0;
}

bool kvmcap_ring_ready(const struct kvmcap_ring *ring, __u32 reader)
{
	return acquire_check(ring, reader) == 0;
}

__u32 kvmcap_ring_readers(const struct kvmcap_ring *ring)
{
	__u32 open = 0;
	__u32 i;

	for (i = 0; i < KVMCAP_MAX_READERS; i++)
		open += ring->reader[i].open;
	return open;
}
