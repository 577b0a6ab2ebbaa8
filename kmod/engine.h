/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The capture engine: what its bus drivers call, and what its own two files
 * share. The registers are in engine_regs.h, their meaning in ENGINE.md.
 */
#ifndef KVMCAP_ENGINE_H
#define KVMCAP_ENGINE_H

#include <linux/device.h>
#include <linux/io.h>
#include <linux/workqueue.h>

#include "driver.h"

/**
 * struct kvmcap_engine_bus - what differs from bus to bus
 * @doorbell: tell the engine that registers changed
 * @may_write: let the engine write to memory, or cut it off
 */
struct kvmcap_engine_bus {
	void (*doorbell)(struct device *dev);
	void (*may_write)(struct device *dev, bool allowed);
};

enum kvmcap_engine_state {
	KVMCAP_ENGINE_IDLE,		/* it owns no memory */
	KVMCAP_ENGINE_RUNNING,
	KVMCAP_ENGINE_STUCK,		/* told to stop, but BUSY: Slots are kept, the bus is off */
	KVMCAP_ENGINE_QUARANTINED,	/* until the card is removed */
	KVMCAP_ENGINE_GONE,
};

/* The timings block, as copied from the window. */
struct kvmcap_timings {
	u32 generation;
	u32 signal;
	u32 flags;
	struct kvmcap_mode mode;
};

struct kvmcap_engine_events {
	u32 overrun;
	u32 fault;
	u32 underrun;
	u32 bad_desc;
};

struct kvmcap_engine {
	struct device *dev;
	void __iomem *regs;
	const struct kvmcap_engine_bus *bus;
	struct kvmcap *cap;
	struct workqueue_struct *queue;
	struct delayed_work work;

	struct eng_ring *ring;
	dma_addr_t ring_bus;

	u32 max_width, max_height, max_slots, max_segments;

	enum kvmcap_engine_state state;
	u32 epoch;
	struct kvmcap_timings timings;	/* that the state follows; generation odd: none yet */
	u32 signal;			/* of those timings, as KVMCAP_SIGNAL_* */
	const char *reason;
	bool stalled;

	struct kvmcap_slots *slots;	/* mapped for the engine; the same as cap->slots */
	u8 posted[ENG_SLOTS];		/* Slots posted, by position in the free ring */
	u32 free_prod;
	u32 free_done;			/* posted entries that came back */
	u32 done_cons;
	u64 hw_seq;

	struct kvmcap_engine_events events;
	u32 heartbeat;
	unsigned long heartbeat_at;	/* jiffies */
	unsigned long watched_at;

	struct kvmcap_differ differ;
	u64 damage[KVMCAP_DAMAGE_MAX];
};

static inline u32 kvmcap_engine_read(struct kvmcap_engine *eng, u32 reg)
{
	return readl(eng->regs + reg);
}

static inline void kvmcap_engine_write(struct kvmcap_engine *eng, u32 reg, u32 value)
{
	writel(value, eng->regs + reg);
}

/* A card that was pulled reads all ones. */
static inline bool kvmcap_engine_is_gone(struct kvmcap_engine *eng)
{
	return kvmcap_engine_read(eng, ENG_MAGIC) == U32_MAX;
}

/* engine.c */
struct kvmcap_engine *kvmcap_engine_attach(struct device *dev, void __iomem *regs,
					   const struct kvmcap_engine_bus *bus);
void kvmcap_engine_kick(struct kvmcap_engine *eng);
void kvmcap_engine_detach(struct kvmcap_engine *eng);

/* engine_ring.c */
void kvmcap_engine_start(struct kvmcap_engine *eng);
void kvmcap_engine_stop(struct kvmcap_engine *eng);
void kvmcap_engine_quarantine(struct kvmcap_engine *eng, const char *why);
void kvmcap_engine_take_completions(struct kvmcap_engine *eng);

#endif
