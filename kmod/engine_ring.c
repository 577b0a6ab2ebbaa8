// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots go to the capture engine and come back with Frames: start, post,
 * complete, stop. When to start and what Mode there is, is engine.c's business.
 *
 * The hardware is not trusted: every value it wrote is copied once and the copy
 * is checked. A value that breaks ENGINE.md gets the engine quarantined.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>

#include "engine.h"

#define STOP_MS			200		/* ENGINE.md, Stop */

static void ring_doorbell(struct kvmcap_engine *eng)
{
	eng->bus->doorbell(eng->dev);
}

/**
 * kvmcap_engine_quarantine() - shut a broken engine off, until the card is removed
 * @eng: the engine
 * @why: what it did, for a person
 *
 * Slots stay mapped: it may still be writing, and only removal ends that. A card
 * that was pulled reads like a broken one: it is left to the next look.
 */
void kvmcap_engine_quarantine(struct kvmcap_engine *eng, const char *why)
{
	if (kvmcap_engine_is_gone(eng))
		return;
	kvmcap_engine_write(eng, ENG_CTRL, 0);
	ring_doorbell(eng);
	eng->bus->may_write(eng->dev, false);
	eng->state = KVMCAP_ENGINE_QUARANTINED;
	dev_err(eng->dev, "broke its contract and was shut off: %s\n", why);
	kvmcap_device_gap(eng->cap);
	kvmcap_device_signal(eng->cap, KVMCAP_SIGNAL_QUARANTINED, why);
}

/* Asks the engine to leave memory alone. Whether it does. */
static bool stop_writing(struct kvmcap_engine *eng)
{
	const unsigned long end = jiffies + msecs_to_jiffies(STOP_MS) + 1;

	kvmcap_engine_write(eng, ENG_CTRL, 0);
	ring_doorbell(eng);
	/*
	 * The engine sets BUSY and then looks at CTRL again before it writes; we
	 * clear CTRL and then look at BUSY. One of us sees the other.
	 */
	mb();
	while (kvmcap_engine_read(eng, ENG_STATUS) & ENG_STATUS_BUSY) {
		if (kvmcap_engine_is_gone(eng) || kvmcap_engine_read(eng, ENG_EPOCH) != eng->epoch)
			return true;
		if (time_after(jiffies, end))
			return false;
		usleep_range(500, 1000);
	}
	return true;
}

/**
 * kvmcap_engine_stop() - end a Mode; waits up to 200 ms
 * @eng: the engine; then idle, or stuck with its Slots
 */
void kvmcap_engine_stop(struct kvmcap_engine *eng)
{
	if (eng->state != KVMCAP_ENGINE_RUNNING)
		return;
	if (stop_writing(eng)) {
		eng->state = KVMCAP_ENGINE_IDLE;
	} else {
		eng->bus->may_write(eng->dev, false);
		eng->state = KVMCAP_ENGINE_STUCK;
		dev_warn(eng->dev, "did not stop within %u ms, its memory is kept\n", STOP_MS);
	}
	kvmcap_device_gap(eng->cap);
}

static void put64(unsigned long long *to, u64 value)
{
	*to = (__force u64)cpu_to_le64(value);
}

static void put32(unsigned int *to, u32 value)
{
	*to = (__force u32)cpu_to_le32(value);
}

static u64 take64(const unsigned long long *from)
{
	return le64_to_cpu((__force __le64)READ_ONCE(*from));
}

static u32 take32(const unsigned int *from)
{
	return le32_to_cpu((__force __le32)READ_ONCE(*from));
}

/* Gives every free Slot to the engine. */
static void post_slots(struct kvmcap_engine *eng)
{
	const u32 before = eng->free_prod;
	struct kvmcap *cap = eng->cap;
	struct eng_free *entry;
	int slot;

	for (;;) {
		mutex_lock(&cap->lock);
		slot = kvmcap_ring_take_free(&cap->ring);
		mutex_unlock(&cap->lock);
		if (slot < 0)
			break;
		kvmcap_slot_for_device(eng->slots, slot);
		entry = &eng->ring->free[eng->free_prod % ENG_SLOTS];
		put32(&entry->slot, slot);
		put32(&entry->generation, eng->timings.generation);
		eng->posted[eng->free_prod % ENG_SLOTS] = slot;
		eng->free_prod++;
	}
	if (eng->free_prod == before)
		return;
	dma_wmb(); /* entries are in memory before the index that announces them */
	kvmcap_engine_write(eng, ENG_FREE_PROD, eng->free_prod);
	ring_doorbell(eng);
}

/**
 * kvmcap_engine_start() - let an idle engine run in the Mode of its timings
 * @eng: the engine; it has Slots
 */
void kvmcap_engine_start(struct kvmcap_engine *eng)
{
	u32 i;

	for (i = 0; i < eng->slots->count; i++) {
		const struct kvmcap_slot *slot = &eng->slots->slot[i];
		struct eng_slot *entry = &eng->ring->slot[i];

		put64(&entry->list, slot->list_bus);
		put32(&entry->segments, slot->sgt.nents);
		put32(&entry->bytes, eng->slots->bytes);
	}
	eng->free_prod = kvmcap_engine_read(eng, ENG_FREE_CONS);
	eng->free_done = eng->free_prod;
	eng->done_cons = kvmcap_engine_read(eng, ENG_DONE_PROD);
	eng->hw_seq = 0;
	kvmcap_engine_write(eng, ENG_RING_LO, lower_32_bits(eng->ring_bus));
	kvmcap_engine_write(eng, ENG_RING_HI, upper_32_bits(eng->ring_bus));
	kvmcap_engine_write(eng, ENG_RUN_GENERATION, eng->timings.generation);
	kvmcap_engine_write(eng, ENG_RUN_EPOCH, eng->epoch);
	kvmcap_engine_write(eng, ENG_FREE_PROD, eng->free_prod);
	kvmcap_engine_write(eng, ENG_DONE_CONS, eng->done_cons);
	eng->state = KVMCAP_ENGINE_RUNNING;
	post_slots(eng);
	dma_wmb(); /* the whole ring is in memory before the engine may read it */
	kvmcap_engine_write(eng, ENG_CTRL, ENG_CTRL_RUN);
	ring_doorbell(eng);
}

/* Compares a Frame with the one before, and hands it to Readers. */
static bool publish(struct kvmcap_engine *eng, u32 slot, u64 hw_seq)
{
	const struct kvmcap_geometry *geo = &eng->timings.mode.geo;
	struct kvmcap *cap = eng->cap;
	const ktime_t complete = ktime_get();
	const u64 *damage = NULL;
	ktime_t begun;
	int previous;

	mutex_lock(&cap->lock);
	previous = kvmcap_ring_previous(&cap->ring);
	mutex_unlock(&cap->lock);

	kvmcap_slot_for_cpu(eng->slots, slot);
	begun = ktime_get();
	if (previous >= 0) {
		kvmcap_differ_band(&eng->differ, geo, eng->slots->slot[slot].pixels,
				   eng->slots->slot[previous].pixels, 0,
				   KVMCAP_TILES(geo->height), eng->damage);
		damage = eng->damage;
	}
	return !kvmcap_device_publish(cap, slot, damage, hw_seq, ktime_to_ns(complete),
				      ktime_to_ns(ktime_sub(ktime_get(), begun)));
}

/* Takes one entry of the done ring. NULL, or how it breaks the contract. */
static const char *take_done(struct kvmcap_engine *eng, bool newest)
{
	const struct eng_done *entry = &eng->ring->done[eng->done_cons % ENG_DONE];
	const u32 slot = take32(&entry->slot);
	const u32 generation = take32(&entry->generation);
	const u32 flags = take32(&entry->flags);
	const u64 seq = take64(&entry->seq);
	const bool whole = !(flags & ENG_DONE_ABANDONED);
	struct kvmcap *cap = eng->cap;

	if (slot != eng->posted[eng->free_done % ENG_SLOTS])
		return "completed a Slot out of order";
	if (generation != eng->timings.generation)
		return "completed a Slot of another Mode";
	if (flags & ~ENG_DONE_ABANDONED)
		return "unknown completion flags";
	if (whole && seq <= eng->hw_seq)
		return "Frame number does not grow";
	eng->done_cons++;
	eng->free_done++;
	if (whole)
		eng->hw_seq = seq;
	/* Newest Frame wins: those it overtook here are not worth comparing. */
	if (whole && newest)
		return publish(eng, slot, seq) ? NULL : "completed a Slot twice";
	mutex_lock(&cap->lock);
	kvmcap_ring_give_back(&cap->ring, slot);
	mutex_unlock(&cap->lock);
	return NULL;
}

/*
 * How many of @count entries to take so that the last one is a whole Frame.
 * Only a hint: take_done() reads and checks the flags itself.
 */
static u32 last_whole(struct kvmcap_engine *eng, u32 count)
{
	while (count) {
		const u32 at = (eng->done_cons + count - 1) % ENG_DONE;

		if (!(take32(&eng->ring->done[at].flags) & ENG_DONE_ABANDONED))
			break;
		count--;
	}
	return count;
}

/**
 * kvmcap_engine_take_completions() - hand finished Frames on, post Slots again
 * @eng: the engine; it is running
 */
void kvmcap_engine_take_completions(struct kvmcap_engine *eng)
{
	const u32 count = kvmcap_engine_read(eng, ENG_DONE_PROD) - eng->done_cons;
	const char *why = NULL;
	u32 newest, i;

	if (!count)
		return;
	/* At most ENG_SLOTS are posted, so this bounds the loop as well. */
	if (count > eng->free_prod - eng->free_done) {
		kvmcap_engine_quarantine(eng, "completed more Slots than were posted");
		return;
	}
	dma_rmb(); /* entries are read after the index that announced them */
	newest = last_whole(eng, count);
	for (i = 1; i <= count && !why; i++)
		why = take_done(eng, i == newest);
	if (why) {
		kvmcap_engine_quarantine(eng, why);
		return;
	}
	kvmcap_engine_write(eng, ENG_DONE_CONS, eng->done_cons);
	post_slots(eng);
}

