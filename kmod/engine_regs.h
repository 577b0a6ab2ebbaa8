/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register interface of a kvmcap capture engine, version 1.0. What each
 * register means, and who writes it when, is in ENGINE.md. This header is
 * shared with engines that are written in C, so it knows nothing of Linux.
 */
#ifndef KVMCAP_ENGINE_REGS_H
#define KVMCAP_ENGINE_REGS_H

/* The register window; on PCIe it is BAR 2. All registers: 32 bits, little endian. */
#define ENG_WINDOW_BYTES	0x100000

/* Identification and capabilities; written by the engine. */
#define ENG_MAGIC		0x000	/* ENG_MAGIC_VALUE; all ones: the card is gone */
#define ENG_VERSION		0x004	/* major << 16 | minor */
#define ENG_CAPS		0x008	/* 0 in version 1.0 */
#define ENG_MAX_WIDTH		0x00c
#define ENG_MAX_HEIGHT		0x010
#define ENG_MAX_SLOTS		0x014	/* at most ENG_SLOTS */
#define ENG_MAX_SEGMENTS	0x018	/* segments in one Slot's list */
#define ENG_EPOCH		0x01c	/* another value after every (re)start */
#define ENG_HEARTBEAT		0x020	/* moves at least 4 times a second while alive */

/* Commands; written by the driver, each followed by a doorbell. */
#define ENG_CTRL		0x040	/* ENG_CTRL_* */
#define ENG_RING_LO		0x044	/* bus address of struct eng_ring, 4 KiB aligned */
#define ENG_RING_HI		0x048
#define ENG_RUN_GENERATION	0x04c	/* the timings generation the posted Slots are for */
#define ENG_FREE_PROD		0x050	/* free ring: entries posted so far (mod 2^32) */
#define ENG_DONE_CONS		0x054	/* done ring: entries taken so far */
#define ENG_RUN_EPOCH		0x058	/* the epoch that the driver programmed for */

/* Progress; written by the engine. */
#define ENG_STATUS		0x060	/* ENG_STATUS_* */
#define ENG_FREE_CONS		0x064	/* free ring: entries taken so far */
#define ENG_DONE_PROD		0x068	/* done ring: entries written so far */

/* Event counters; written by the engine, they only grow (mod 2^32). */
#define ENG_EV_OVERRUN		0x080	/* Frames lost because no Slot was free */
#define ENG_EV_DMA_FAULT	0x084	/* a segment could not be written */
#define ENG_EV_UNDERRUN		0x088	/* FIFO ran empty: a Frame was abandoned */
#define ENG_EV_BAD_DESC		0x08c	/* a descriptor made no sense */

/* Timings block; written by the engine under a sequence lock. */
#define ENG_TIM_GENERATION	0x100	/* odd: being written; even: stable */
#define ENG_TIM_SIGNAL		0x104	/* ENG_SIGNAL_* */
#define ENG_TIM_WIDTH		0x108
#define ENG_TIM_HEIGHT		0x10c
#define ENG_TIM_STRIDE		0x110	/* bytes, a multiple of 64 */
#define ENG_TIM_FOURCC		0x114
#define ENG_TIM_REFRESH_MHZ	0x118
#define ENG_TIM_PIXCLK_KHZ	0x11c
#define ENG_TIM_FLAGS		0x120	/* ENG_TIM_INTERLACED */

/* EDID window; written by the driver. */
#define ENG_EDID_BYTES		0x200	/* length, 0 or a multiple of 128, at most 512 */
#define ENG_EDID_PULSE		0x204	/* each increment asks for one hot-plug pulse */
#define ENG_EDID_DATA		0x400	/* up to 512 bytes */
#define ENG_EDID_MAX		512

#define ENG_MAGIC_VALUE		0x45564b43	/* "CKVE" */
#define ENG_VERSION_MAJOR	1
#define ENG_VERSION_VALUE	(ENG_VERSION_MAJOR << 16)

#define ENG_CTRL_RUN		0x1
#define ENG_STATUS_BUSY		0x1	/* the engine may write to guest memory */

#define ENG_SIGNAL_OK		0
#define ENG_SIGNAL_NO_CABLE	1
#define ENG_SIGNAL_NO_SIGNAL	2
#define ENG_SIGNAL_NO_SYNC	3
#define ENG_SIGNAL_UNSUPPORTED	4
#define ENG_SIGNAL_PROTECTED	5

#define ENG_TIM_INTERLACED	0x1

/* Doorbell on PCIe: any 32-bit write to BAR 0 at this offset, value 0. */
#define ENG_PCI_DOORBELL	0x00c

/* MSI-X vectors on PCIe. Both are hints: the counters are the truth. */
#define ENG_VEC_FRAME		0	/* ENG_DONE_PROD moved */
#define ENG_VEC_STATE		1	/* timings, events, epoch or status moved */
#define ENG_VECTORS		2

/*
 * Memory that driver and engine share, allocated by the driver. The driver
 * writes slot[] and free[], the engine writes done[].
 */
#define ENG_SLOTS		16	/* power of two: also the length of the free ring */
#define ENG_DONE		32	/* power of two */

struct eng_segment {		/* one piece of a Slot, in order */
	unsigned long long addr;	/* bus address */
	unsigned int bytes;
	unsigned int reserved;
};

struct eng_slot {		/* where a Slot is: a list of segments */
	unsigned long long list;	/* bus address of the first struct eng_segment */
	unsigned int segments;
	unsigned int bytes;		/* sum of the segments */
};

struct eng_free {		/* one posted Slot */
	unsigned int slot;
	unsigned int generation;
};

#define ENG_DONE_ABANDONED	0x1	/* not a whole Frame: take the Slot back only */

struct eng_done {		/* one completed Slot */
	unsigned int slot;
	unsigned int generation;
	unsigned long long seq;		/* Frames the hardware saw: grows, gaps are lost Frames */
	unsigned long long timestamp_ns;	/* the engine's own clock */
	unsigned int flags;		/* ENG_DONE_* */
	unsigned int reserved;
};

struct eng_ring {
	struct eng_slot slot[ENG_SLOTS];
	struct eng_free free[ENG_SLOTS];
	struct eng_done done[ENG_DONE];
};

#endif /* KVMCAP_ENGINE_REGS_H */
