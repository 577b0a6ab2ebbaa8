/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kvmcap: captured Frames of a Target's screen, with exact Damage.
 *
 * The one contract between kvmcap.ko and its Readers. One open file of
 * /dev/kvmcapN is one Reader. A Reader waits with poll(), takes the newest
 * Frame with KVMCAP_IOC_ACQUIRE, reads its pixels through a read-only mapping
 * and gives the Slot back with KVMCAP_IOC_RELEASE.
 *
 * Rules that every field below follows: fixed width, natural alignment, host
 * byte order, the same layout for 32-bit and 64-bit Readers. Reserved fields
 * and unknown flags must be zero; the driver answers -EINVAL otherwise.
 */
#ifndef _UAPI_KVMCAP_H
#define _UAPI_KVMCAP_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Bounds of what the driver captures. Odd sizes are legal. */
#define KVMCAP_MIN_WIDTH	64
#define KVMCAP_MAX_WIDTH	4096
#define KVMCAP_MIN_HEIGHT	64
#define KVMCAP_MAX_HEIGHT	2304

#define KVMCAP_MAX_READERS	8
#define KVMCAP_MAX_SLOTS	(KVMCAP_MAX_READERS + 3)

/* A Tile is 16x16 pixels; those at the right and bottom edge may be smaller. */
#define KVMCAP_TILE_SHIFT	4
#define KVMCAP_TILE		16

/*
 * A Damage bitmap: one row of 64-bit words for each row of Tiles, top to
 * bottom. Tile column x of a row is bit (x % 64) of word (x / 64). Bits past
 * the last Tile column are zero.
 */
#define KVMCAP_TILES(pixels)	(((pixels) + KVMCAP_TILE - 1) >> KVMCAP_TILE_SHIFT)
#define KVMCAP_DAMAGE_WORDS(width) \
	((KVMCAP_TILES(width) + 63) / 64)
#define KVMCAP_DAMAGE_BYTES(width, height) \
	(KVMCAP_DAMAGE_WORDS(width) * 8 * KVMCAP_TILES(height))
#define KVMCAP_MAX_DAMAGE_BYTES \
	KVMCAP_DAMAGE_BYTES(KVMCAP_MAX_WIDTH, KVMCAP_MAX_HEIGHT)

/**
 * enum kvmcap_signal - why there is, or is not, a picture
 * @KVMCAP_SIGNAL_OK: stable signal of a supported Mode
 * @KVMCAP_SIGNAL_NO_CABLE: nothing is plugged in (no +5 V, no hot plug)
 * @KVMCAP_SIGNAL_NO_SIGNAL: a cable, but the Target sends nothing
 * @KVMCAP_SIGNAL_NO_SYNC: a signal that does not lock
 * @KVMCAP_SIGNAL_UNSUPPORTED: a locked signal outside of what can be captured
 * @KVMCAP_SIGNAL_PROTECTED: the Target demands copy protection
 * @KVMCAP_SIGNAL_STALLED: the capture hardware stopped answering
 * @KVMCAP_SIGNAL_QUARANTINED: the capture hardware misbehaved and was shut off
 * @KVMCAP_SIGNAL_GONE: the capture hardware was removed
 */
enum kvmcap_signal {
	KVMCAP_SIGNAL_OK = 0,
	KVMCAP_SIGNAL_NO_CABLE = 1,
	KVMCAP_SIGNAL_NO_SIGNAL = 2,
	KVMCAP_SIGNAL_NO_SYNC = 3,
	KVMCAP_SIGNAL_UNSUPPORTED = 4,
	KVMCAP_SIGNAL_PROTECTED = 5,
	KVMCAP_SIGNAL_STALLED = 6,
	KVMCAP_SIGNAL_QUARANTINED = 7,
	KVMCAP_SIGNAL_GONE = 8,
};

#define KVMCAP_META_MAGIC	0x5041434d564bULL /* "KVMCAP", little endian */
#define KVMCAP_ABI_VERSION	1

/* Feature bits of struct kvmcap_meta. None is defined in version 1. */

/**
 * struct kvmcap_meta - the first page of a mapping, read-only
 * @magic: KVMCAP_META_MAGIC
 * @version: KVMCAP_ABI_VERSION; a Reader refuses another
 * @length: bytes of this structure; grows at its end only
 * @features: what this driver can do beyond version 1
 * @change: odd while the driver writes the fields below, else even and higher
 *	than before (a sequence lock: read it, the fields, and it again)
 * @signal: enum kvmcap_signal
 * @generation: number of the current Mode; 0 when there never was one. It stays
 *	when a lost signal comes back in the same Mode: mappings stay good
 * @width: pixels of the current Mode; 0 when there is none
 * @height: rows of the current Mode
 * @stride: bytes from one row to the next, a multiple of 64
 * @fourcc: pixel format (drm_fourcc.h); XRGB8888 in version 1
 * @refresh_mhz: frames each 1000 seconds
 * @slot_count: Slots of the current Mode
 * @slot_bytes: bytes from one Slot to the next in the mapping, whole pages
 * @seq: number of the newest published Frame; 0 when none was in this Mode
 *
 * Offset 0 of the file maps this page. Slot i of generation g starts at
 * KVMCAP_SLOT_OFFSET(g) + i * slot_bytes; a stale generation is -ESTALE.
 */
struct kvmcap_meta {
	__u64 magic;
	__u32 version;
	__u32 length;
	__u64 features;
	__u32 change;
	__u32 signal;
	__u32 generation;
	__u32 width;
	__u32 height;
	__u32 stride;
	__u32 fourcc;
	__u32 refresh_mhz;
	__u32 slot_count;
	__u32 reserved;
	__u64 slot_bytes;
	__u64 seq;
};

/*
 * The low 8 bits of the generation choose the mapping, 4 GiB for each, so that
 * the offset fits a 32-bit Reader's mmap2 (pages in 32 bits).
 */
#define KVMCAP_SLOT_OFFSET(generation) \
	((((__u64)(generation) & 0xff) + 1) << 32)

/**
 * struct kvmcap_frame - one Frame, as ACQUIRE hands it out
 * @damage_ptr: in: where the Damage bitmap goes (a user address); 0 for none
 * @damage_len: in: bytes there; out: bytes of the bitmap of this Mode. Too
 *	short a buffer is -ENOSPC with the needed length here, and changes nothing
 * @flags: in: 0; out: KVMCAP_FRAME_* bits
 * @seq: out: this Frame, counted by the driver from 1 without gaps
 * @base_seq: out: the Frame that @damage counts from: this Reader's last one.
 *	0: there is none, and every Tile is set
 * @hw_seq: out: the same Frame, as the capture hardware counts
 * @timestamp_ns: out: CLOCK_MONOTONIC when the last pixel was known to be in memory
 * @generation: out: Mode the Frame belongs to
 * @slot: out: index of the Slot that holds the pixels until RELEASE
 * @width: out: pixels
 * @height: out: rows
 * @stride: out: bytes from one row to the next
 * @fourcc: out: pixel format (drm_fourcc.h)
 * @reserved: 0
 */
struct kvmcap_frame {
	__u64 damage_ptr;
	__u32 damage_len;
	__u32 flags;
	__u64 seq;
	__u64 base_seq;
	__u64 hw_seq;
	__u64 timestamp_ns;
	__u32 generation;
	__u32 slot;
	__u32 width;
	__u32 height;
	__u32 stride;
	__u32 fourcc;
	__u64 reserved[2];
};

/* Damage covers the whole Frame: first Frame, Mode change, gap or failure. */
#define KVMCAP_FRAME_FULL	0x1

/*
 * ACQUIRE: the newest Frame and all Damage since this Reader's last one.
 *   -EAGAIN  no Frame newer than this Reader's last one (poll says when)
 *   -EBUSY   this Reader holds a Slot already, or the memory cap leaves none;
 *            Damage goes on accumulating
 *   -ENOSPC  damage_len is too short
 *   -EFAULT  bad address; the Damage is kept for the next call
 *   -EINVAL  non-zero flags or reserved fields
 *   -ENODEV  the hardware is gone and the Frame with it
 * STATE: a consistent copy of the meta page, taken under the driver's lock.
 * RELEASE: gives the Slot of struct kvmcap_release back; -EINVAL when this
 * Reader does not hold just that one.
 *
 * poll(): POLLIN when ACQUIRE would succeed; POLLPRI when a field of meta other
 * than seq moved since this Reader's last KVMCAP_IOC_STATE (or its open);
 * POLLERR | POLLHUP once the hardware is gone.
 */
struct kvmcap_release {
	__u32 generation;
	__u32 slot;
	__u64 reserved;
};

#define KVMCAP_IOC_MAGIC	0xCA
#define KVMCAP_IOC_ACQUIRE	_IOWR(KVMCAP_IOC_MAGIC, 0, struct kvmcap_frame)
#define KVMCAP_IOC_RELEASE	_IOW(KVMCAP_IOC_MAGIC, 1, struct kvmcap_release)
#define KVMCAP_IOC_STATE	_IOR(KVMCAP_IOC_MAGIC, 2, struct kvmcap_meta)

/* Generic netlink family "kvmcap": see kmod/kvmcap.yaml, its contract. */
#define KVMCAP_GENL_NAME	"kvmcap"
#define KVMCAP_GENL_VERSION	1
#define KVMCAP_GENL_MCGRP	"events"

enum kvmcap_cmd {
	KVMCAP_CMD_UNSPEC,
	KVMCAP_CMD_GET,		/* do: one device by KVMCAP_A_INDEX; dump: all */
	KVMCAP_CMD_EVENT,	/* multicast: KVMCAP_A_EVENT and the state after it */
	__KVMCAP_CMD_LAST,
};

enum kvmcap_event {
	KVMCAP_EVENT_UNSPEC,
	KVMCAP_EVENT_LOST,		/* no picture any more: SIGNAL says why */
	KVMCAP_EVENT_REGAINED,		/* signal OK again */
	KVMCAP_EVENT_MODE_CHANGED,	/* GENERATION, WIDTH, ... are new */
	KVMCAP_EVENT_OVERRUN,		/* the hardware lost Frames: no Slot was free in time */
	KVMCAP_EVENT_DMA_ERROR,		/* the hardware reported a DMA fault */
	KVMCAP_EVENT_QUARANTINED,	/* the hardware broke its contract: REASON says how */
	KVMCAP_EVENT_ADDED,		/* a capture device appeared */
	KVMCAP_EVENT_REMOVED,		/* a capture device is gone */
};

enum kvmcap_attr {
	KVMCAP_A_UNSPEC,
	KVMCAP_A_INDEX,		/* u32: N of /dev/kvmcapN */
	KVMCAP_A_EVENT,		/* u32: enum kvmcap_event */
	KVMCAP_A_SIGNAL,	/* u32: enum kvmcap_signal */
	KVMCAP_A_GENERATION,	/* u32 */
	KVMCAP_A_WIDTH,		/* u32 */
	KVMCAP_A_HEIGHT,	/* u32 */
	KVMCAP_A_STRIDE,	/* u32 */
	KVMCAP_A_FOURCC,	/* u32 */
	KVMCAP_A_REFRESH_MHZ,	/* u32 */
	KVMCAP_A_REASON,	/* string */
	KVMCAP_A_SLOTS,		/* u32 */
	KVMCAP_A_READERS,	/* u32: open now */
	KVMCAP_A_SEQ,		/* u64: newest published Frame */
	KVMCAP_A_HW_SEQ,	/* u64: the same, as the hardware counts */
	KVMCAP_A_FRAMES,	/* u64: Frames published since the device appeared */
	KVMCAP_A_OVERRUNS,	/* u64: Frames the hardware could not deliver */
	KVMCAP_A_DMA_ERRORS,	/* u64 */
	KVMCAP_A_BUSY,		/* u64: ACQUIRE answered -EBUSY for lack of Slots */
	KVMCAP_A_DIFF_NS,	/* u64: time spent comparing, in all */
	KVMCAP_A_MEMORY,	/* u64: bytes of Slots */
	KVMCAP_A_PAD,
	__KVMCAP_A_LAST,
};

#define KVMCAP_A_MAX (__KVMCAP_A_LAST - 1)

/* Layout, asserted for both word sizes. */
#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Static_assert(sizeof(struct kvmcap_meta) == 80, "kvmcap_meta");
_Static_assert(sizeof(struct kvmcap_frame) == 88, "kvmcap_frame");
_Static_assert(sizeof(struct kvmcap_release) == 16, "kvmcap_release");
#endif

#endif /* _UAPI_KVMCAP_H */
