// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kvmcapN: one open file is one Reader. Checks what user space asks for;
 * the rules of Slots and Damage are in ring.c.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "driver.h"

struct kvmcap_reader {
	struct kvmcap *cap;
	u32 id;			/* in the ring */
	struct mutex lock;	/* one call at a time; guards what acquire handed out */
	u32 seen_change;	/* cap->state_change at the last STATE; under cap->lock */
};

static int reader_open(struct inode *inode, struct file *file)
{
	struct kvmcap *cap = container_of(inode->i_cdev, struct kvmcap, cdev);
	struct kvmcap_reader *reader = kzalloc(sizeof(*reader), GFP_KERNEL);
	int id;

	if (!reader)
		return -ENOMEM;
	mutex_lock(&cap->lock);
	id = cap->gone ? -ENODEV : kvmcap_ring_reader_open(&cap->ring);
	reader->seen_change = cap->state_change;
	mutex_unlock(&cap->lock);
	if (id < 0) {
		kfree(reader);
		return id;
	}
	get_device(&cap->dev);
	reader->cap = cap;
	reader->id = id;
	mutex_init(&reader->lock);
	file->private_data = reader;
	return stream_open(inode, file);
}

static int reader_close(struct inode *inode, struct file *file)
{
	struct kvmcap_reader *reader = file->private_data;
	struct kvmcap *cap = reader->cap;

	mutex_lock(&cap->lock);
	kvmcap_ring_reader_close(&cap->ring, reader->id);
	mutex_unlock(&cap->lock);
	/* One more Slot may be held now by those who were refused. */
	wake_up_interruptible_poll(&cap->wait, EPOLLIN | EPOLLRDNORM);
	mutex_destroy(&reader->lock);
	kfree(reader);
	put_device(&cap->dev);
	return 0;
}

static int try_acquire(struct kvmcap_reader *reader, struct kvmcap_frame *frame,
		       struct kvmcap_ring_frame *got)
{
	struct kvmcap *cap = reader->cap;
	const struct kvmcap_geometry *geo = &cap->ring.geo;
	u32 room;
	int err;

	mutex_lock(&cap->lock);
	room = frame->damage_ptr ? frame->damage_len : U32_MAX;
	frame->damage_len = KVMCAP_DAMAGE_BYTES(geo->width, geo->height);
	frame->width = geo->width;
	frame->height = geo->height;
	frame->stride = geo->stride;
	frame->fourcc = cap->mode.fourcc;
	if (cap->gone)
		err = -ENODEV;
	else if (room < frame->damage_len)
		err = -ENOSPC;
	else
		err = kvmcap_ring_acquire(&cap->ring, reader->id, got);
	mutex_unlock(&cap->lock);
	return err;
}

static void fill_frame(struct kvmcap_frame *frame, const struct kvmcap_ring_frame *got)
{
	frame->flags = got->full ? KVMCAP_FRAME_FULL : 0;
	frame->seq = got->seq;
	frame->base_seq = got->base_seq;
	frame->hw_seq = got->hw_seq;
	frame->timestamp_ns = got->timestamp_ns;
	frame->generation = got->generation;
	frame->slot = got->slot;
}

/*
 * User memory is touched without cap->lock: a page fault there must never stop
 * capture. reader->lock keeps got.damage as it is meanwhile.
 */
static int reader_acquire(struct kvmcap_reader *reader, struct kvmcap_frame __user *arg)
{
	struct kvmcap *cap = reader->cap;
	struct kvmcap_ring_frame got;
	struct kvmcap_frame frame;
	int err;

	if (copy_from_user(&frame, arg, sizeof(frame)))
		return -EFAULT;
	if (frame.flags || frame.reserved[0] || frame.reserved[1])
		return -EINVAL;
	err = try_acquire(reader, &frame, &got);
	if (err == -ENOSPC && put_user(frame.damage_len, &arg->damage_len))
		return -EFAULT;
	if (err)
		return err;
	fill_frame(&frame, &got);
	if (frame.damage_ptr &&
	    copy_to_user(u64_to_user_ptr(frame.damage_ptr), got.damage, frame.damage_len))
		err = -EFAULT;
	if (!err && copy_to_user(arg, &frame, sizeof(frame)))
		err = -EFAULT;
	if (err) {
		mutex_lock(&cap->lock);
		kvmcap_ring_undo(&cap->ring, reader->id);
		mutex_unlock(&cap->lock);
		/* One more Slot may be held now by those who were refused. */
		wake_up_interruptible_poll(&cap->wait, EPOLLIN | EPOLLRDNORM);
	}
	return err;
}

static int reader_release(struct kvmcap_reader *reader, struct kvmcap_release __user *arg)
{
	struct kvmcap *cap = reader->cap;
	struct kvmcap_release release;
	int err;

	if (copy_from_user(&release, arg, sizeof(release)))
		return -EFAULT;
	if (release.reserved)
		return -EINVAL;
	mutex_lock(&cap->lock);
	err = kvmcap_ring_release(&cap->ring, reader->id, release.generation, release.slot);
	mutex_unlock(&cap->lock);
	/* One more Slot may be held now by those who were refused. */
	if (!err)
		wake_up_interruptible_poll(&cap->wait, EPOLLIN | EPOLLRDNORM);
	return err;
}

static int reader_state(struct kvmcap_reader *reader, struct kvmcap_meta __user *arg)
{
	struct kvmcap *cap = reader->cap;
	struct kvmcap_meta meta;
	u32 change;

	mutex_lock(&cap->lock);
	meta = *cap->meta;
	change = cap->state_change;
	mutex_unlock(&cap->lock);
	if (copy_to_user(arg, &meta, sizeof(meta)))
		return -EFAULT;
	mutex_lock(&cap->lock);
	reader->seen_change = change;
	mutex_unlock(&cap->lock);
	return 0;
}

static long reader_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct kvmcap_reader *reader = file->private_data;
	void __user *user = (void __user *)arg;
	long err;

	mutex_lock(&reader->lock);
	switch (cmd) {
	case KVMCAP_IOC_ACQUIRE:
		err = reader_acquire(reader, user);
		break;
	case KVMCAP_IOC_RELEASE:
		err = reader_release(reader, user);
		break;
	case KVMCAP_IOC_STATE:
		err = reader_state(reader, user);
		break;
	default:
		err = -ENOTTY;
	}
	mutex_unlock(&reader->lock);
	return err;
}

static __poll_t reader_poll(struct file *file, poll_table *wait)
{
	struct kvmcap_reader *reader = file->private_data;
	struct kvmcap *cap = reader->cap;
	__poll_t ready = 0;

	poll_wait(file, &cap->wait, wait);
	mutex_lock(&cap->lock);
	if (cap->gone)
		ready |= EPOLLERR | EPOLLHUP;
	else if (kvmcap_ring_ready(&cap->ring, reader->id))
		ready |= EPOLLIN | EPOLLRDNORM;
	if (reader->seen_change != cap->state_change)
		ready |= EPOLLPRI;
	mutex_unlock(&cap->lock);
	return ready;
}

static int map_meta(struct kvmcap *cap, struct vm_area_struct *vma)
{
	if (vma_pages(vma) != 1)
		return -EINVAL;
	return vm_insert_page(vma, vma->vm_start, virt_to_page(cap->meta));
}

/* Each inserted page is referenced by the mapping itself and so outlives the Mode. */
static int map_pages(const struct kvmcap_slots *slots, struct vm_area_struct *vma, u64 first)
{
	const u64 slot_pages = slots->bytes >> PAGE_SHIFT;
	unsigned long left = vma_pages(vma);
	unsigned long at = vma->vm_start;
	int err = 0;

	while (left && !err) {
		const u32 slot = div64_u64(first, slot_pages);
		const u64 offset = first - slot * slot_pages;
		const unsigned long count = min_t(u64, left, slot_pages - offset);
		unsigned long todo = count;

		err = vm_insert_pages(vma, at, slots->slot[slot].pages + offset, &todo);
		at += count << PAGE_SHIFT;
		first += count;
		left -= count;
	}
	return err;
}

/* @vma->vm_pgoff is 20 bits of page number in the Slots, and the generation above. */
static int map_slots(struct kvmcap *cap, struct vm_area_struct *vma)
{
	const u64 chosen = (u64)vma->vm_pgoff >> (32 - PAGE_SHIFT);
	const u64 first = vma->vm_pgoff & ((1UL << (32 - PAGE_SHIFT)) - 1);
	struct kvmcap_slots *slots = NULL;
	int err = -ESTALE;

	mutex_lock(&cap->lock);
	if (cap->gone) {
		err = -ENODEV;
	} else if (cap->slots && chosen == (cap->ring.generation & 0xff) + 1) {
		slots = cap->slots;
		kref_get(&slots->ref);
	}
	mutex_unlock(&cap->lock);
	if (!slots)
		return err;
	err = -EINVAL;
	if (first + vma_pages(vma) <= slots->count * (u64)(slots->bytes >> PAGE_SHIFT))
		err = map_pages(slots, vma, first);
	kvmcap_slots_put(slots);
	return err;
}

static int reader_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct kvmcap_reader *reader = file->private_data;

	/* Pixels are what a Target paints: to be looked at, never to be run. */
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
	kvmcap_vm_flags_clear(vma, VM_MAYWRITE | VM_MAYEXEC);
	kvmcap_vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	if (vma->vm_pgoff == 0)
		return map_meta(reader->cap, vma);
	return map_slots(reader->cap, vma);
}

const struct file_operations kvmcap_reader_fops = {
	.owner = THIS_MODULE,
	.open = reader_open,
	.release = reader_close,
	.unlocked_ioctl = reader_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = reader_poll,
	.mmap = reader_mmap,
};
