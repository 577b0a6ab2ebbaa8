// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of Slots: pages, their DMA mapping and the engine's segment lists.
 * Which Slot is used for what is decided in ring.c, never here.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "driver.h"

static unsigned int memory_cap_mb = 256;
module_param(memory_cap_mb, uint, 0444);
MODULE_PARM_DESC(memory_cap_mb, "Most memory for the Slots of one device, in MiB (default 256)");

#define LARGEST_ORDER	9	/* 2 MiB with 4 KiB pages */

/**
 * kvmcap_slots_fit() - how many Slots the memory cap allows
 * @slot_bytes: size of one
 * @max: as many as there is use for
 *
 * Return: up to @max; 0 when not even KVMCAP_MIN_SLOTS fit.
 */
u32 kvmcap_slots_fit(u64 slot_bytes, u32 max)
{
	u64 fit = div64_u64((u64)memory_cap_mb << 20, slot_bytes);

	if (fit < KVMCAP_MIN_SLOTS)
		return 0;
	return min_t(u64, fit, max);
}

/* Memory beyond a narrow device's reach would be copied twice, through a small pool. */
static gfp_t zone_for(struct device *dma)
{
	if (IS_ENABLED(CONFIG_ZONE_DMA32) && dma_get_mask(dma) <= DMA_BIT_MASK(32))
		return GFP_DMA32;
	return 0;
}

/* Large pieces make short segment lists and fewer TLB misses; single pages always do. */
static int fill_pages(struct page **pages, unsigned long count, gfp_t zone)
{
	const gfp_t quick = GFP_KERNEL | __GFP_ZERO | __GFP_NORETRY | __GFP_NOWARN | zone;
	unsigned int order = LARGEST_ORDER;
	unsigned long done = 0;

	while (done < count) {
		struct page *page;
		unsigned long i;

		while (order && (1UL << order) > count - done)
			order--;
		if (order) {
			page = alloc_pages(quick, order);
			if (!page) {
				order--;
				continue;
			}
			split_page(page, order);
		} else {
			page = alloc_page(GFP_KERNEL | __GFP_ZERO | __GFP_RETRY_MAYFAIL |
					  __GFP_NOWARN | zone);
			if (!page)
				return -ENOMEM;
		}
		for (i = 0; i < 1UL << order; i++)
			pages[done++] = page + i;
	}
	return 0;
}

static int map_slot(struct device *dma, struct kvmcap_slot *slot, size_t bytes)
{
	const size_t longest = min_t(size_t, dma_max_mapping_size(dma), SZ_1G) & PAGE_MASK;
	const unsigned int count = bytes >> PAGE_SHIFT;
	int err;

	err = sg_alloc_table_from_pages_segment(&slot->sgt, slot->pages, count, 0, bytes,
						longest, GFP_KERNEL);
	if (err)
		return err;
	err = dma_map_sgtable(dma, &slot->sgt, DMA_FROM_DEVICE, 0);
	if (err) {
		sg_free_table(&slot->sgt);
		return err;
	}
	slot->mapped = true;
	slot->pixels = vmap(slot->pages, count, VM_MAP, PAGE_KERNEL);
	return slot->pixels ? 0 : -ENOMEM;
}

/*
 * The engine reads the list by DMA: little endian, whatever the CPU. These
 * structures are shared with engines written in C, so they have no __le types.
 */
static int write_list(struct device *dma, struct kvmcap_slot *slot, u32 max_segments)
{
	struct scatterlist *sg;
	unsigned int i;

	if (slot->sgt.nents > max_segments)
		return -E2BIG;
	slot->list_bytes = slot->sgt.nents * sizeof(*slot->list);
	slot->list = dma_alloc_coherent(dma, slot->list_bytes, &slot->list_bus, GFP_KERNEL);
	if (!slot->list)
		return -ENOMEM;
	for_each_sgtable_dma_sg(&slot->sgt, sg, i) {
		slot->list[i].addr = (__force u64)cpu_to_le64(sg_dma_address(sg));
		slot->list[i].bytes = (__force u32)cpu_to_le32(sg_dma_len(sg));
		slot->list[i].reserved = 0;
	}
	return 0;
}

static int create_slot(struct device *dma, struct kvmcap_slot *slot, size_t bytes,
		       u32 max_segments)
{
	const unsigned long count = bytes >> PAGE_SHIFT;
	int err;

	slot->pages = kvcalloc(count, sizeof(*slot->pages), GFP_KERNEL);
	if (!slot->pages)
		return -ENOMEM;
	err = fill_pages(slot->pages, count, zone_for(dma));
	if (err)
		return err;
	err = map_slot(dma, slot, bytes);
	if (err)
		return err;
	return write_list(dma, slot, max_segments);
}

/* Also for a Slot that create_slot() left half made. */
static void destroy_slot(struct kvmcap_slot *slot, size_t bytes)
{
	unsigned long i;

	if (!slot->pages)
		return;
	vunmap(slot->pixels);
	for (i = 0; i < bytes >> PAGE_SHIFT && slot->pages[i]; i++)
		__free_page(slot->pages[i]);
	kvfree(slot->pages);
}

static void release_slots(struct kref *ref)
{
	struct kvmcap_slots *slots = container_of(ref, struct kvmcap_slots, ref);
	u32 i;

	for (i = 0; i < slots->count; i++)
		destroy_slot(&slots->slot[i], slots->bytes);
	kfree(slots);
}

/**
 * kvmcap_slots_create() - allocate and map the Slots of a Mode
 * @dma: the device that writes them
 * @bytes: of one Slot, whole pages
 * @count: how many, at most KVMCAP_MAX_SLOTS
 * @max_segments: what the engine takes for one Slot
 *
 * Return: the Slots, or -ENOMEM, -E2BIG (too many segments) or what the DMA
 * layer says.
 */
struct kvmcap_slots *kvmcap_slots_create(struct device *dma, size_t bytes, u32 count,
					 u32 max_segments)
{
	struct kvmcap_slots *slots = kzalloc(sizeof(*slots), GFP_KERNEL);
	int err;
	u32 i;

	if (!slots)
		return ERR_PTR(-ENOMEM);
	kref_init(&slots->ref);
	slots->dma = dma;
	slots->count = count;
	slots->bytes = bytes;
	for (i = 0; i < count; i++) {
		err = create_slot(dma, &slots->slot[i], bytes, max_segments);
		if (err) {
			kvmcap_slots_unmap(slots);
			kvmcap_slots_put(slots);
			return ERR_PTR(err);
		}
	}
	return slots;
}

/**
 * kvmcap_slots_unmap() - take Slots away from the device
 * @slots: Slots that nothing writes any more
 *
 * Must come before the device is gone for good. A Reader may still look at
 * these pixels, so nothing is copied into them here.
 */
void kvmcap_slots_unmap(struct kvmcap_slots *slots)
{
	u32 i;

	for (i = 0; i < slots->count; i++) {
		struct kvmcap_slot *slot = &slots->slot[i];

		if (slot->list)
			dma_free_coherent(slots->dma, slot->list_bytes, slot->list,
					  slot->list_bus);
		slot->list = NULL;
		if (slot->mapped) {
			dma_unmap_sgtable(slots->dma, &slot->sgt, DMA_FROM_DEVICE,
					  DMA_ATTR_SKIP_CPU_SYNC);
			sg_free_table(&slot->sgt);
		}
		slot->mapped = false;
	}
}

/**
 * kvmcap_slots_put() - drop a reference
 * @slots: Slots; the last reference must come after kvmcap_slots_unmap()
 */
void kvmcap_slots_put(struct kvmcap_slots *slots)
{
	kref_put(&slots->ref, release_slots);
}

/**
 * kvmcap_slot_for_cpu() - make what the device wrote visible to the CPU
 * @slots: Slots that are mapped
 * @slot: index
 */
void kvmcap_slot_for_cpu(struct kvmcap_slots *slots, u32 slot)
{
	dma_sync_sgtable_for_cpu(slots->dma, &slots->slot[slot].sgt, DMA_FROM_DEVICE);
}

/**
 * kvmcap_slot_for_device() - give a Slot to the device, before it is posted
 * @slots: Slots that are mapped
 * @slot: index
 */
void kvmcap_slot_for_device(struct kvmcap_slots *slots, u32 slot)
{
	dma_sync_sgtable_for_device(slots->dma, &slots->slot[slot].sgt, DMA_FROM_DEVICE);
}
