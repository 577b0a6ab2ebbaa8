/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring: who owns which Slot, and what Damage each Reader has not seen yet.
 * A pure state machine: no locks (the caller serialises all calls on one ring),
 * no allocation (struct kvmcap_ring holds everything), no pixels.
 *
 * A Slot is free, posted (hardware may write it), newest (the last one
 * published, which the next Frame is compared with), or held by Readers; the
 * newest may be held too. Invariants:
 *  - A held Slot is never posted, whatever a Reader does or leaves undone.
 *  - At least 3 Slots are not held, so capture always goes on: one newest, one
 *    being written, one free.
 *  - A Reader's account is every Tile that changed since the Frame it acquired
 *    last, or everything. It is emptied by acquire only.
 */
#ifndef KVMCAP_RING_H
#define KVMCAP_RING_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#endif

#include "differ.h"

#define KVMCAP_MIN_SLOTS	4	/* one for Readers, three for capture */
#define KVMCAP_CAPTURE_SLOTS	3
#define KVMCAP_DAMAGE_MAX	(KVMCAP_MAX_DAMAGE_BYTES / 8)

/* Private to ring.c. */
struct kvmcap_account {
	bool full;
	__u64 base_seq;		/* the Frame that it counts from; 0: none */
	__u64 damage[KVMCAP_DAMAGE_MAX];
};

/* Private to ring.c. */
struct kvmcap_ring_reader {
	bool open;
	bool holds;
	__u32 generation;	/* of the held Slot */
	__u32 slot;
	struct kvmcap_account unread;	/* grows with each Frame */
	struct kvmcap_account taken;	/* what the last acquire handed out */
	__u64 taken_seq;
};

/* Private to ring.c. */
struct kvmcap_ring_slot {
	bool posted;
	__u32 holders;
};

/**
 * struct kvmcap_ring - one capture device's Slots and Readers, about 80 KiB
 * @geo: shape of the current Mode; read-only for callers
 * @generation: number of the current Mode; read-only for callers
 * @slot_count: Slots of the current Mode, 0 without one; read-only for callers
 * @seq: Frames published in all; read-only for callers
 * @hw_seq: the newest Frame, as the hardware counts; read-only for callers
 * @busy: acquires refused for lack of Slots; read-only for callers
 *
 * Zeroed memory is a ring without a Mode and without Readers.
 */
struct kvmcap_ring {
	struct kvmcap_geometry geo;
	__u32 generation;
	__u32 slot_count;
	__u64 seq;
	__u64 hw_seq;
	__u64 busy;
	/* private: */
	__u64 timestamp_ns;
	int newest;		/* meaningful while has_newest */
	bool has_newest;
	struct kvmcap_ring_slot slot[KVMCAP_MAX_SLOTS];
	struct kvmcap_ring_reader reader[KVMCAP_MAX_READERS];
};

/**
 * struct kvmcap_ring_frame - what acquire hands out
 * @seq: number of the Frame, from 1 without gaps
 * @base_seq: what @damage counts from; 0: there is none, and @full is set
 * @hw_seq: the same Frame as the hardware counts
 * @timestamp_ns: as published
 * @generation: Mode of the Frame
 * @slot: where the pixels are, until release
 * @full: every Tile is set
 * @damage: bitmap, valid until this Reader's next acquire or close
 */
struct kvmcap_ring_frame {
	__u64 seq;
	__u64 base_seq;
	__u64 hw_seq;
	__u64 timestamp_ns;
	__u32 generation;
	__u32 slot;
	bool full;
	const __u64 *damage;
};

/**
 * kvmcap_ring_set_mode() - start a Mode with Slots of its own
 * @ring: the ring
 * @generation: its number, another than the current one
 * @slots: KVMCAP_MIN_SLOTS to KVMCAP_MAX_SLOTS, all free
 * @geo: its shape
 *
 * Every account becomes full. Slots of the old Mode are forgotten, except that
 * a Reader that holds one still releases it by its old generation and index; the
 * caller keeps that memory.
 *
 * Return: 0, or -EINVAL for an argument out of bounds (nothing changes then).
 */
int kvmcap_ring_set_mode(struct kvmcap_ring *ring, __u32 generation, __u32 slots,
			 const struct kvmcap_geometry *geo);

/**
 * kvmcap_ring_gap() - forget the newest Frame and take posted Slots back
 * @ring: the ring
 *
 * For a lost signal or restarted hardware, once nothing can write to posted
 * Slots any more. Held Slots stay held. Every account becomes full, and the next
 * Frame has no previous one.
 */
void kvmcap_ring_gap(struct kvmcap_ring *ring);

/**
 * kvmcap_ring_take_free() - choose a Slot for the hardware to write
 * @ring: the ring
 *
 * Return: its index, now posted; -ENOBUFS when none is free.
 */
int kvmcap_ring_take_free(struct kvmcap_ring *ring);

/**
 * kvmcap_ring_give_back() - a posted Slot came back without a Frame worth showing
 * @ring: the ring
 * @slot: its index
 *
 * Return: 0, or -EINVAL if the Slot is not posted.
 */
int kvmcap_ring_give_back(struct kvmcap_ring *ring, __u32 slot);

/**
 * kvmcap_ring_previous() - the Slot to compare the next Frame with
 * @ring: the ring
 *
 * Its pixels stay until the next publish, gap or set_mode.
 *
 * Return: its index, or -ENOENT: the next Frame is full Damage.
 */
int kvmcap_ring_previous(const struct kvmcap_ring *ring);

/**
 * kvmcap_ring_publish() - a posted Slot holds a whole Frame: make it the newest
 * @ring: the ring
 * @slot: its index
 * @damage: Tiles that differ from kvmcap_ring_previous(), or NULL for all;
 *	all are taken when there is no previous Slot
 * @hw_seq: the hardware's count
 * @timestamp_ns: CLOCK_MONOTONIC
 *
 * Return: 0, or -EINVAL if the Slot is not posted.
 */
int kvmcap_ring_publish(struct kvmcap_ring *ring, __u32 slot, const __u64 *damage,
			__u64 hw_seq, __u64 timestamp_ns);

/**
 * kvmcap_ring_reader_open() - add a Reader, with a full account
 * @ring: the ring
 *
 * Return: its number, or -EBUSY when KVMCAP_MAX_READERS are open.
 */
int kvmcap_ring_reader_open(struct kvmcap_ring *ring);

/**
 * kvmcap_ring_reader_close() - remove a Reader; a Slot that it holds is released
 * @ring: the ring
 * @reader: its number
 */
void kvmcap_ring_reader_close(struct kvmcap_ring *ring, __u32 reader);

/**
 * kvmcap_ring_acquire() - hand the newest Frame and the account to a Reader
 * @ring: the ring
 * @reader: its number
 * @frame: filled in on success
 *
 * Return: 0; -EAGAIN: no Frame newer than its last one; -EBUSY: it holds a Slot
 * already, or holding this one would leave too few for capture. Its account is
 * kept on errors.
 */
int kvmcap_ring_acquire(struct kvmcap_ring *ring, __u32 reader,
			struct kvmcap_ring_frame *frame);

/**
 * kvmcap_ring_undo() - take the last acquire back: it never reached the Reader
 * @ring: the ring
 * @reader: its number
 *
 * Releases the Slot and returns its Damage to the account.
 */
void kvmcap_ring_undo(struct kvmcap_ring *ring, __u32 reader);

/**
 * kvmcap_ring_release() - a Reader gives its Slot back
 * @ring: the ring
 * @reader: its number
 * @generation: Mode of the Slot, perhaps an old one
 * @slot: its index
 *
 * Return: 0, or -EINVAL if the Reader does not hold just that one.
 */
int kvmcap_ring_release(struct kvmcap_ring *ring, __u32 reader, __u32 generation,
			__u32 slot);

/**
 * kvmcap_ring_ready() - whether acquire would succeed now
 * @ring: the ring
 * @reader: its number
 *
 * Changes with publish, gap, set_mode and with any Reader's release, undo or close.
 */
bool kvmcap_ring_ready(const struct kvmcap_ring *ring, __u32 reader);

/**
 * kvmcap_ring_readers() - how many Readers are open
 * @ring: the ring
 */
__u32 kvmcap_ring_readers(const struct kvmcap_ring *ring);

#endif
