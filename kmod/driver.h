/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the driver know of each other. User space knows
 * uapi/kvmcap.h instead, hardware engine_regs.h.
 *
 * Lock order, outermost first:
 *	kvmcap_registry (device.c)	which devices there are
 *	reader->lock (reader.c)		calls on one open file; may touch user memory
 *	mmap_lock (mm)			user memory, or an mmap() of ours
 *	cap->lock			ring, meta page, current Slots; never sleeps on
 *					user memory, hardware or allocation
 * The engine has no lock: only its work item touches it (engine.c).
 */
#ifndef KVMCAP_DRIVER_H
#define KVMCAP_DRIVER_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/wait.h>

#include "engine_regs.h"
#include "ring.h"
#include "uapi/kvmcap.h"

/* One Slot: pages that the hardware writes, the CPU compares and Readers map. */
struct kvmcap_slot {
	struct page **pages;
	struct sg_table sgt;
	void *pixels;			/* all pages, in the kernel's address space */
	struct eng_segment *list;	/* for the engine, in coherent memory */
	dma_addr_t list_bus;
	size_t list_bytes;
	bool mapped;			/* sgt is mapped for the device */
};

/*
 * All Slots of one Mode. A user mapping holds its pages, not this: it outlives
 * the Mode and the card.
 */
struct kvmcap_slots {
	struct kref ref;
	struct device *dma;
	u32 count;
	size_t bytes;			/* one Slot, whole pages */
	struct kvmcap_slot slot[KVMCAP_MAX_SLOTS];
};

struct kvmcap_mode {
	struct kvmcap_geometry geo;
	u32 fourcc;
	u32 refresh_mhz;
};

struct kvmcap_stats {
	u64 frames;
	u64 overruns;
	u64 dma_errors;
	u64 diff_ns;
};

/* One capture device, as Readers and netlink see it. */
struct kvmcap {
	struct device dev;
	struct cdev cdev;
	u32 index;			/* N of /dev/kvmcapN */
	wait_queue_head_t wait;
	struct kvmcap_meta *meta;	/* a page of its own: Readers map it */

	struct mutex lock;		/* everything below, and *meta */
	bool gone;
	u32 state_change;		/* moves with every field of meta but seq */
	char reason[96];		/* of the signal; empty when it says it all */
	struct kvmcap_slots *slots;
	struct kvmcap_mode mode;	/* of @slots */
	struct kvmcap_stats stats;
	struct kvmcap_ring ring;
};

/* A consistent copy, for netlink. */
struct kvmcap_state {
	struct kvmcap_meta meta;
	struct kvmcap_stats stats;
	char reason[96];
	u32 readers;
	u64 hw_seq;
	u64 busy;
	u64 memory;
};

/* device.c */
int kvmcap_device_init(void);
void kvmcap_device_exit(void);
struct kvmcap *kvmcap_device_add(struct device *parent);
void kvmcap_device_remove(struct kvmcap *cap);
struct kvmcap *kvmcap_device_get(u32 *index);
void kvmcap_device_state(struct kvmcap *cap, struct kvmcap_state *state);
void kvmcap_device_signal(struct kvmcap *cap, u32 signal, const char *reason);
int kvmcap_device_mode(struct kvmcap *cap, const struct kvmcap_mode *mode,
		       struct kvmcap_slots *slots);
void kvmcap_device_resume(struct kvmcap *cap);
void kvmcap_device_gap(struct kvmcap *cap);
void kvmcap_device_forget_mode(struct kvmcap *cap);
int kvmcap_device_publish(struct kvmcap *cap, u32 slot, const u64 *damage, u64 hw_seq,
			  u64 timestamp_ns, u64 diff_ns);
void kvmcap_device_count(struct kvmcap *cap, u32 overruns, u32 dma_errors);

/* slots.c */
u32 kvmcap_slots_fit(u64 slot_bytes, u32 max);
struct kvmcap_slots *kvmcap_slots_create(struct device *dma, size_t bytes, u32 count,
					 u32 max_segments);
void kvmcap_slots_unmap(struct kvmcap_slots *slots);
void kvmcap_slots_put(struct kvmcap_slots *slots);
void kvmcap_slot_for_cpu(struct kvmcap_slots *slots, u32 slot);
void kvmcap_slot_for_device(struct kvmcap_slots *slots, u32 slot);

/* reader.c */
extern const struct file_operations kvmcap_reader_fops;

/* genl.c */
int kvmcap_genl_init(void);
void kvmcap_genl_exit(void);
void kvmcap_genl_event(struct kvmcap *cap, u32 event);

/* engine_pci.c */
int kvmcap_pci_init(void);
void kvmcap_pci_exit(void);

#endif
