/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the uapi header promises about wrong use of /dev/kvmcapN, tried one by
 * one against a running driver with a steady picture. Not about pixels:
 * readframes.c is.
 *
 * usage: checkreader [--refused] [/dev/kvmcapN]     ends with 0 when every promise holds
 *	--refused: another Reader holds all that the memory cap allows
 */
/* LINK: */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kmod/uapi/kvmcap.h"

#define PATIENCE_MS 30000

static const char *path = "/dev/kvmcap0";
static int failures;

static void expect(bool holds, const char *promise)
{
	if (!holds) {
		printf("broken: %s (%s)\n", promise, strerror(errno));
		failures++;
	}
}

#define REFUSES(call, error, promise) expect((errno = 0, (call) < 0 && errno == (error)), promise)

static uint64_t damage[KVMCAP_MAX_DAMAGE_BYTES / 8];

static struct kvmcap_frame request(void)
{
	return (struct kvmcap_frame){ .damage_ptr = (uintptr_t)damage, .damage_len = sizeof(damage) };
}

static bool await_frame(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	return poll(&ready, 1, PATIENCE_MS) == 1 && ready.revents == POLLIN;
}

static int release(int fd, uint32_t generation, uint32_t slot)
{
	struct kvmcap_release held = { .generation = generation, .slot = slot };

	return ioctl(fd, KVMCAP_IOC_RELEASE, &held);
}

static struct kvmcap_frame take(int fd)
{
	struct kvmcap_frame frame = request();

	expect(await_frame(fd), "poll says when there is a Frame");
	expect(!ioctl(fd, KVMCAP_IOC_ACQUIRE, &frame), "ACQUIRE after POLLIN succeeds");
	return frame;
}

static void acquire_refuses(int fd)
{
	struct kvmcap_frame frame = request();
	uint64_t seq;

	frame.flags = 1;
	REFUSES(ioctl(fd, KVMCAP_IOC_ACQUIRE, &frame), EINVAL, "unknown flags are refused");
	for (int i = 0; i < 2; i++) {
		frame = request();
		frame.reserved[i] = 1;
		REFUSES(ioctl(fd, KVMCAP_IOC_ACQUIRE, &frame), EINVAL, "reserved fields are zero");
	}
	REFUSES(ioctl(fd, KVMCAP_IOC_ACQUIRE, (void *)8), EFAULT, "a bad address is EFAULT");
	REFUSES(ioctl(fd, _IO(KVMCAP_IOC_MAGIC, 99), 0), ENOTTY, "an unknown call is ENOTTY");

	/* What did not reach us must be in the next answer. */
	frame = take(fd);
	release(fd, frame.generation, frame.slot);
	seq = frame.seq;
	expect(await_frame(fd), "Frames go on");
	frame = request();
	frame.damage_ptr = 8;
	REFUSES(ioctl(fd, KVMCAP_IOC_ACQUIRE, &frame), EFAULT, "a bad Damage address is EFAULT");
	frame = request();
	frame.damage_len = 8;
	REFUSES(ioctl(fd, KVMCAP_IOC_ACQUIRE, &frame), ENOSPC, "a short buffer is ENOSPC");
	expect(frame.damage_len > 8 && frame.damage_len <= KVMCAP_MAX_DAMAGE_BYTES,
	       "ENOSPC says how much is needed");
	frame = request();
	expect(!ioctl(fd, KVMCAP_IOC_ACQUIRE, &frame), "after EFAULT nothing is held");
	expect(frame.base_seq == seq, "Damage that did not arrive is kept");
	release(fd, frame.generation, frame.slot);
}

static void slots_are_owned(int fd)
{
	struct kvmcap_frame frame = take(fd), second = request();
	struct kvmcap_release held = { .generation = frame.generation, .slot = frame.slot, .reserved = 1 };

	REFUSES(ioctl(fd, KVMCAP_IOC_ACQUIRE, &second), EBUSY, "one Slot a Reader");
	REFUSES(ioctl(fd, KVMCAP_IOC_RELEASE, &held), EINVAL, "RELEASE has a zero reserved field");
	REFUSES(release(fd, frame.generation, frame.slot ^ 1), EINVAL, "another Slot is not released");
	REFUSES(release(fd, frame.generation + 1, frame.slot), EINVAL, "another Mode's Slot is not released");
	REFUSES(release(fd, frame.generation, UINT32_MAX), EINVAL, "no such Slot");
	REFUSES(ioctl(fd, KVMCAP_IOC_RELEASE, (void *)8), EFAULT, "a bad address is EFAULT");
	expect(!release(fd, frame.generation, frame.slot), "the held Slot is released");
	REFUSES(release(fd, frame.generation, frame.slot), EINVAL, "and just once");
}

static int map_fails(int fd, size_t bytes, int protection, int flags, uint64_t offset)
{
	void *at = mmap(NULL, bytes, protection, flags, fd, offset);

	if (at == MAP_FAILED)
		return -1;
	munmap(at, bytes);
	return 0;
}

static void mappings_are_read_only(int fd, const struct kvmcap_meta *meta)
{
	const size_t page = sysconf(_SC_PAGESIZE), all = meta->slot_bytes * meta->slot_count;
	const uint64_t slots = KVMCAP_SLOT_OFFSET(meta->generation);
	int both = open(path, O_RDWR | O_CLOEXEC);

	REFUSES(map_fails(fd, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0), EPERM,
		"no private writable map");
	REFUSES(map_fails(fd, page, PROT_READ | PROT_WRITE, MAP_SHARED, 0), EACCES,
		"no writable map of a read-only file");
	REFUSES(map_fails(both, page, PROT_READ | PROT_WRITE, MAP_SHARED, 0), EPERM,
		"no writable map of meta");
	REFUSES(map_fails(both, all, PROT_READ | PROT_WRITE, MAP_SHARED, slots), EPERM,
		"no writable map of Slots");
	void *at = mmap(NULL, all, PROT_READ, MAP_SHARED, both, slots);

	expect(at != MAP_FAILED, "all Slots map at once");
	REFUSES(mprotect(at, all, PROT_READ | PROT_WRITE), EACCES, "a map never becomes writable");
	munmap(at, all);
	close(both);
	REFUSES(map_fails(fd, all, PROT_READ | PROT_EXEC, MAP_SHARED, slots), EPERM,
		"no map that can be run");
}

static void mappings_have_bounds(int fd, const struct kvmcap_meta *meta)
{
	const size_t page = sysconf(_SC_PAGESIZE), all = meta->slot_bytes * meta->slot_count;
	const uint64_t slots = KVMCAP_SLOT_OFFSET(meta->generation);

	expect(!map_fails(fd, page, PROT_READ, MAP_SHARED, slots + all - page), "the last page maps");
	expect(!map_fails(fd, page * 3, PROT_READ, MAP_SHARED, slots + meta->slot_bytes - page),
	       "a map may cross from Slot to Slot");
	REFUSES(map_fails(fd, page * 2, PROT_READ, MAP_SHARED, slots + all - page), EINVAL,
		"no page after the last");
	REFUSES(map_fails(fd, page, PROT_READ, MAP_SHARED, slots + all), EINVAL,
		"nothing after the last Slot");
	REFUSES(map_fails(fd, page, PROT_READ, MAP_SHARED, slots + 0xfffff000), EINVAL,
		"nothing at the window's end");
	REFUSES(map_fails(fd, page, PROT_READ, MAP_SHARED, KVMCAP_SLOT_OFFSET(meta->generation + 1)), ESTALE,
		"another Mode is ESTALE");
	REFUSES(map_fails(fd, page, PROT_READ, MAP_SHARED, KVMCAP_SLOT_OFFSET(meta->generation) << 10),
		ESTALE, "nor a Mode that cannot be");
	REFUSES(map_fails(fd, page * 2, PROT_READ, MAP_SHARED, 0), EINVAL, "meta is one page");
	REFUSES(map_fails(fd, page, PROT_READ, MAP_SHARED, page), ESTALE, "nothing between meta and Slots");
}

/* The mapped page against the call, by the sequence lock that the header describes. */
static void meta_page_is_consistent(int fd, const struct kvmcap_meta *meta)
{
	const struct kvmcap_meta *page = mmap(NULL, sizeof(*page), PROT_READ, MAP_SHARED, fd, 0);
	struct kvmcap_meta copy = { 0 };

	expect(page != MAP_FAILED, "meta maps");
	if (page == MAP_FAILED)
		return;
	do {
		copy.change = __atomic_load_n(&page->change, __ATOMIC_ACQUIRE);
		memcpy(&copy.signal, (const uint8_t *)page + offsetof(struct kvmcap_meta, signal),
		       sizeof(copy) - offsetof(struct kvmcap_meta, signal));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (copy.change & 1 || __atomic_load_n(&page->change, __ATOMIC_RELAXED) != copy.change);
	expect(page->magic == KVMCAP_META_MAGIC && page->version == KVMCAP_ABI_VERSION &&
		       page->length == sizeof(*page),
	       "meta begins as described");
	expect(copy.generation == meta->generation && copy.width == meta->width &&
		       copy.slot_bytes == meta->slot_bytes && copy.seq >= meta->seq,
	       "meta and STATE agree");
	munmap((void *)page, sizeof(*page));
}

static void readers_are_limited(void)
{
	int fds[KVMCAP_MAX_READERS], count = 0;

	/* One is open already. */
	while (count < KVMCAP_MAX_READERS && (fds[count] = open(path, O_RDONLY | O_CLOEXEC)) >= 0)
		count++;
	expect(count == KVMCAP_MAX_READERS - 1 && errno == EBUSY, "the ninth Reader is EBUSY");
	for (int i = 0; i < count; i++) {
		struct kvmcap_frame frame = take(fds[i]);

		expect(!frame.base_seq && frame.flags & KVMCAP_FRAME_FULL,
		       "a Reader begins with full Damage");
	}
	/* Closing gives the Slot back; the next to come knows nothing of it. */
	for (int i = 0; i < count; i++)
		close(fds[i]);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct kvmcap_frame frame = take(fd);

	expect(!frame.base_seq && frame.flags & KVMCAP_FRAME_FULL, "a place that was used begins anew");
	expect(!release(fd, frame.generation, frame.slot), "and holds what it took");
	close(fd);
}

/* Frames go on, and each time there is none for us: also poll says so, or a Reader would spin. */
static void refused_without_slots(int fd)
{
	struct kvmcap_frame frame = request();
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	struct kvmcap_meta before, now;

	expect(!ioctl(fd, KVMCAP_IOC_STATE, &before), "STATE");
	do {
		REFUSES(ioctl(fd, KVMCAP_IOC_ACQUIRE, &frame), EBUSY, "the memory cap leaves no Slot");
		expect(!poll(&ready, 1, 0), "poll tells of no Frame that ACQUIRE refuses");
		expect(!ioctl(fd, KVMCAP_IOC_STATE, &now), "STATE");
	} while (!failures && now.seq < before.seq + 10);
}

int main(int argc, char **argv)
{
	struct kvmcap_meta meta;
	bool refused = argc > 1 && !strcmp(argv[1], "--refused");

	if (argc > 1 + refused)
		path = argv[1 + refused];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "checkreader: %s: %s\n", path, strerror(errno));
		return 1;
	}
	if (refused) {
		refused_without_slots(fd);
		return failures != 0;
	}
	acquire_refuses(fd);
	slots_are_owned(fd);
	expect(!ioctl(fd, KVMCAP_IOC_STATE, &meta), "STATE");
	REFUSES(ioctl(fd, KVMCAP_IOC_STATE, (void *)8), EFAULT, "a bad address is EFAULT");
	mappings_are_read_only(fd, &meta);
	mappings_have_bounds(fd, &meta);
	meta_page_is_consistent(fd, &meta);
	readers_are_limited();
	close(fd);
	printf("checkreader: %d broken promises\n", failures);
	return failures != 0;
}
