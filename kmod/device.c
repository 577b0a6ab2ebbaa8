// SPDX-License-Identifier: GPL-2.0-only
/*
 * A capture device: its number, its state for Readers and netlink, and the
 * events about it. The engine calls in here; nothing here knows an engine.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include "driver.h"

#define MAX_DEVICES	32

static DEFINE_XARRAY_ALLOC(devices);
static DEFINE_MUTEX(kvmcap_registry);
static dev_t first_number;

static struct class kvmcap_class = {
	.name = "kvmcap",
};

/*
 * Readers of the mapped page see an odd count, or the same count before and
 * after, as with a seqcount_t; pairs with their acquire loads of it.
 */
static void meta_begin(struct kvmcap *cap)
{
	WRITE_ONCE(cap->meta->change, cap->meta->change + 1);
	smp_wmb(); /* the odd count is seen before any new field */
}

static void meta_end(struct kvmcap *cap)
{
	smp_wmb(); /* new fields are seen before the even count */
	WRITE_ONCE(cap->meta->change, cap->meta->change + 1);
}

static bool is_picture(u32 signal)
{
	return signal == KVMCAP_SIGNAL_OK;
}

static void wake_state(struct kvmcap *cap)
{
	cap->state_change++;
	wake_up_interruptible_poll(&cap->wait, EPOLLPRI | EPOLLIN | EPOLLRDNORM);
}

/**
 * kvmcap_device_signal() - say why there is, or is not, a picture
 * @cap: the device
 * @signal: enum kvmcap_signal
 * @reason: more for a person to read, or NULL
 */
void kvmcap_device_signal(struct kvmcap *cap, u32 signal, const char *reason)
{
	bool changed;

	if (!reason)
		reason = "";
	mutex_lock(&cap->lock);
	changed = cap->meta->signal != signal || strcmp(cap->reason, reason);
	if (changed) {
		meta_begin(cap);
		cap->meta->signal = signal;
		meta_end(cap);
		strscpy(cap->reason, reason, sizeof(cap->reason));
		wake_state(cap);
	}
	mutex_unlock(&cap->lock);
	if (!changed)
		return;
	dev_info_ratelimited(&cap->dev, "signal %u%s%s\n", signal, *reason ? ": " : "", reason);
	if (signal == KVMCAP_SIGNAL_QUARANTINED)
		kvmcap_genl_event(cap, KVMCAP_EVENT_QUARANTINED);
	else
		kvmcap_genl_event(cap, is_picture(signal) ? KVMCAP_EVENT_REGAINED :
							    KVMCAP_EVENT_LOST);
}

static void show_mode(struct kvmcap *cap, const struct kvmcap_mode *mode, u32 slots)
{
	struct kvmcap_meta *meta = cap->meta;

	meta_begin(cap);
	meta->generation = cap->ring.generation;
	meta->width = mode->geo.width;
	meta->height = mode->geo.height;
	meta->stride = mode->geo.stride;
	meta->fourcc = mode->fourcc;
	meta->refresh_mhz = mode->refresh_mhz;
	meta->slot_count = slots;
	meta->slot_bytes = slots ? cap->slots->bytes : 0;
	meta->seq = 0;
	meta_end(cap);
	wake_state(cap);
}

/**
 * kvmcap_device_mode() - start a new Mode
 * @cap: the device
 * @mode: its shape, within KVMCAP_MIN/MAX_*
 * @slots: its Slots; the device takes the reference over, unless there is an error
 *
 * The Slots of the Mode before must be unmapped already: they are dropped here.
 *
 * Return: 0 or -EINVAL.
 */
int kvmcap_device_mode(struct kvmcap *cap, const struct kvmcap_mode *mode,
		       struct kvmcap_slots *slots)
{
	struct kvmcap_slots *old = NULL;
	u32 generation;
	int err;

	mutex_lock(&cap->lock);
	generation = cap->ring.generation + 1;
	if (!generation) /* 0 means that there never was a Mode */
		generation = 1;
	err = kvmcap_ring_set_mode(&cap->ring, generation, slots->count, &mode->geo);
	if (!err) {
		old = cap->slots;
		cap->slots = slots;
		cap->mode = *mode;
		show_mode(cap, mode, slots->count);
	}
	mutex_unlock(&cap->lock);
	if (old)
		kvmcap_slots_put(old);
	if (!err)
		kvmcap_genl_event(cap, KVMCAP_EVENT_MODE_CHANGED);
	return err;
}

/**
 * kvmcap_device_resume() - the Mode that kvmcap_device_gap() ended is back
 * @cap: a device that has Slots
 *
 * The generation stays, and with it every mapping.
 */
void kvmcap_device_resume(struct kvmcap *cap)
{
	mutex_lock(&cap->lock);
	show_mode(cap, &cap->mode, cap->slots->count);
	mutex_unlock(&cap->lock);
}

/**
 * kvmcap_device_gap() - no Mode for now; nothing writes to Slots any more
 * @cap: the device
 */
void kvmcap_device_gap(struct kvmcap *cap)
{
	static const struct kvmcap_mode none;

	mutex_lock(&cap->lock);
	kvmcap_ring_gap(&cap->ring);
	show_mode(cap, &none, 0);
	mutex_unlock(&cap->lock);
}

/**
 * kvmcap_device_forget_mode() - drop the Slots after kvmcap_device_gap()
 * @cap: the device; its Slots are unmapped
 */
void kvmcap_device_forget_mode(struct kvmcap *cap)
{
	struct kvmcap_slots *old;

	mutex_lock(&cap->lock);
	old = cap->slots;
	cap->slots = NULL;
	mutex_unlock(&cap->lock);
	if (old)
		kvmcap_slots_put(old);
}

/**
 * kvmcap_device_publish() - make a posted Slot the newest Frame
 * @cap: the device
 * @slot: index
 * @damage: as for kvmcap_ring_publish()
 * @hw_seq: the hardware's count
 * @timestamp_ns: CLOCK_MONOTONIC when the last pixel was known to be in memory
 * @diff_ns: time that the comparison took
 *
 * Return: 0 or -EINVAL.
 */
int kvmcap_device_publish(struct kvmcap *cap, u32 slot, const u64 *damage, u64 hw_seq,
			  u64 timestamp_ns, u64 diff_ns)
{
	int err;

	mutex_lock(&cap->lock);
	err = kvmcap_ring_publish(&cap->ring, slot, damage, hw_seq, timestamp_ns);
	if (!err) {
		meta_begin(cap);
		cap->meta->seq = cap->ring.seq;
		meta_end(cap);
		cap->stats.frames++;
		cap->stats.diff_ns += diff_ns;
		wake_up_interruptible_poll(&cap->wait, EPOLLIN | EPOLLRDNORM);
	}
	mutex_unlock(&cap->lock);
	return err;
}

/**
 * kvmcap_device_count() - add to the counters of lost Frames, say so
 * @cap: the device
 * @overruns: Frames lost since the last call
 * @dma_errors: faults since the last call
 */
void kvmcap_device_count(struct kvmcap *cap, u32 overruns, u32 dma_errors)
{
	mutex_lock(&cap->lock);
	cap->stats.overruns += overruns;
	cap->stats.dma_errors += dma_errors;
	mutex_unlock(&cap->lock);
	if (overruns)
		kvmcap_genl_event(cap, KVMCAP_EVENT_OVERRUN);
	if (dma_errors)
		kvmcap_genl_event(cap, KVMCAP_EVENT_DMA_ERROR);
}

/**
 * kvmcap_device_state() - copy everything that netlink tells
 * @cap: the device
 * @state: filled in, also for a device that is gone
 */
void kvmcap_device_state(struct kvmcap *cap, struct kvmcap_state *state)
{
	mutex_lock(&cap->lock);
	state->meta = *cap->meta;
	state->stats = cap->stats;
	state->readers = kvmcap_ring_readers(&cap->ring);
	state->hw_seq = state->meta.seq ? cap->ring.hw_seq : 0;
	state->busy = cap->ring.busy;
	state->memory = cap->slots ? (u64)cap->slots->count * cap->slots->bytes : 0;
	strscpy(state->reason, cap->reason, sizeof(state->reason));
	mutex_unlock(&cap->lock);
}

/**
 * kvmcap_device_get() - find a device
 * @index: in: the lowest index wanted; out: the index found
 *
 * Return: the device with a reference for put_device(), or NULL.
 */
struct kvmcap *kvmcap_device_get(u32 *index)
{
	unsigned long at = *index;
	struct kvmcap *cap;

	mutex_lock(&kvmcap_registry);
	cap = xa_find(&devices, &at, MAX_DEVICES - 1, XA_PRESENT);
	if (cap)
		get_device(&cap->dev);
	mutex_unlock(&kvmcap_registry);
	*index = at;
	return cap;
}

/* The last file is closed and the card is gone. */
static void release_device(struct device *dev)
{
	struct kvmcap *cap = container_of(dev, struct kvmcap, dev);

	free_page((unsigned long)cap->meta);
	mutex_destroy(&cap->lock);
	kvfree(cap);
}

static struct kvmcap *create_device(struct device *parent)
{
	struct kvmcap *cap = kvzalloc(sizeof(*cap), GFP_KERNEL);

	if (!cap)
		return NULL;
	cap->meta = (struct kvmcap_meta *)get_zeroed_page(GFP_KERNEL);
	if (!cap->meta) {
		kvfree(cap);
		return NULL;
	}
	cap->meta->magic = KVMCAP_META_MAGIC;
	cap->meta->version = KVMCAP_ABI_VERSION;
	cap->meta->length = sizeof(*cap->meta);
	cap->meta->signal = KVMCAP_SIGNAL_NO_SIGNAL;
	mutex_init(&cap->lock);
	init_waitqueue_head(&cap->wait);
	device_initialize(&cap->dev);
	cap->dev.class = &kvmcap_class;
	cap->dev.parent = parent;
	cap->dev.release = release_device;
	cdev_init(&cap->cdev, &kvmcap_reader_fops);
	cap->cdev.owner = THIS_MODULE;
	return cap;
}

/**
 * kvmcap_device_add() - make /dev/kvmcapN, N the lowest that is free
 * @parent: the card
 *
 * Return: the device, without a signal yet; or -ENOMEM, -ENOSPC, ...
 */
struct kvmcap *kvmcap_device_add(struct device *parent)
{
	struct kvmcap *cap = create_device(parent);
	int err;

	if (!cap)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&kvmcap_registry);
	err = xa_alloc(&devices, &cap->index, cap, XA_LIMIT(0, MAX_DEVICES - 1), GFP_KERNEL);
	mutex_unlock(&kvmcap_registry);
	if (err)
		goto put;
	cap->dev.devt = MKDEV(MAJOR(first_number), MINOR(first_number) + cap->index);
	err = dev_set_name(&cap->dev, "kvmcap%u", cap->index);
	if (!err)
		err = cdev_device_add(&cap->cdev, &cap->dev);
	if (err)
		goto erase;
	kvmcap_genl_event(cap, KVMCAP_EVENT_ADDED);
	return cap;

erase:
	mutex_lock(&kvmcap_registry);
	xa_erase(&devices, cap->index);
	mutex_unlock(&kvmcap_registry);
put:
	put_device(&cap->dev);
	return ERR_PTR(err);
}

/**
 * kvmcap_device_remove() - the card is gone; open files live on with POLLHUP
 * @cap: a device whose Slots are unmapped. Do not use it after this
 *
 * Its number is free again at once, so a card that is put back gets the same.
 */
void kvmcap_device_remove(struct kvmcap *cap)
{
	kvmcap_device_gap(cap);
	kvmcap_device_forget_mode(cap);
	mutex_lock(&cap->lock);
	cap->gone = true;
	meta_begin(cap);
	cap->meta->signal = KVMCAP_SIGNAL_GONE;
	meta_end(cap);
	cap->reason[0] = '\0';
	cap->state_change++;
	mutex_unlock(&cap->lock);
	wake_up_interruptible_poll(&cap->wait, EPOLLERR | EPOLLHUP | EPOLLPRI);
	cdev_device_del(&cap->cdev, &cap->dev);
	mutex_lock(&kvmcap_registry);
	xa_erase(&devices, cap->index);
	mutex_unlock(&kvmcap_registry);
	kvmcap_genl_event(cap, KVMCAP_EVENT_REMOVED);
	put_device(&cap->dev);
}

int kvmcap_device_init(void)
{
	int err = class_register(&kvmcap_class);

	if (err)
		return err;
	err = alloc_chrdev_region(&first_number, 0, MAX_DEVICES, "kvmcap");
	if (err)
		class_unregister(&kvmcap_class);
	return err;
}

void kvmcap_device_exit(void)
{
	unregister_chrdev_region(first_number, MAX_DEVICES);
	class_unregister(&kvmcap_class);
	xa_destroy(&devices);
}
