/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Reader that holds one Frame until the Mode changes or the card goes away,
 * and then finds it untouched and still its own. Prints "holding" once it does.
 *
 * usage: holdframe [/dev/kvmcapN]     ends with 0 when the Frame outlived its Mode or card
 */
/* LINK: */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kmod/uapi/kvmcap.h"

#define PATIENCE_MS 60000

static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("holdframe: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* FNV-1a over every byte of the Slot. */
static uint64_t sum(const uint8_t *pixels, size_t bytes)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ pixels[i]) * 1099511628211u;
	return hash;
}

static void acquire(int fd, struct kvmcap_frame *frame, struct kvmcap_meta *meta)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	*frame = (struct kvmcap_frame){ 0 };
	if (poll(&ready, 1, PATIENCE_MS) != 1 || ioctl(fd, KVMCAP_IOC_ACQUIRE, frame))
		fail("no Frame: %s", strerror(errno));
	if (ioctl(fd, KVMCAP_IOC_STATE, meta) || meta->generation != frame->generation)
		fail("the Mode changed too early");
}

/* Until the Frame's Mode is over; whether the card went with it. */
static bool await_end(int fd, uint32_t generation)
{
	struct pollfd change = { .fd = fd, .events = POLLPRI };
	struct kvmcap_meta meta;

	for (;;) {
		if (poll(&change, 1, PATIENCE_MS) != 1)
			fail("neither the Mode nor the card went away");
		if (ioctl(fd, KVMCAP_IOC_STATE, &meta))
			fail("STATE: %s", strerror(errno));
		if (change.revents & (POLLERR | POLLHUP))
			return true;
		if (meta.generation != generation)
			return false;
	}
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/dev/kvmcap0";
	struct kvmcap_frame frame, next = { 0 };
	struct kvmcap_meta meta;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	acquire(fd, &frame, &meta);
	const uint8_t *slot = mmap(NULL, meta.slot_bytes, PROT_READ, MAP_SHARED, fd,
				   KVMCAP_SLOT_OFFSET(frame.generation) + frame.slot * meta.slot_bytes);
	const struct kvmcap_meta *page = mmap(NULL, sizeof(*page), PROT_READ, MAP_SHARED, fd, 0);

	if (slot == MAP_FAILED || page == MAP_FAILED)
		fail("map: %s", strerror(errno));
	const uint64_t before = sum(slot, meta.slot_bytes);

	puts("holding");
	fflush(stdout);
	const bool gone = await_end(fd, frame.generation);

	if (sum(slot, meta.slot_bytes) != before)
		fail("the held Frame was overwritten");
	if (gone && page->signal != KVMCAP_SIGNAL_GONE)
		fail("the meta page says %u, not that the card is gone", page->signal);
	if (gone && (ioctl(fd, KVMCAP_IOC_ACQUIRE, &next) == 0 || errno != ENODEV))
		fail("ACQUIRE without a card: %s", strerror(errno));
	struct kvmcap_release held = { .generation = frame.generation, .slot = frame.slot };

	if (ioctl(fd, KVMCAP_IOC_RELEASE, &held))
		fail("RELEASE of the old Slot: %s", strerror(errno));
	if (sum(slot, meta.slot_bytes) != before)
		fail("the mapping did not outlive its Mode");
	printf("kept through %s\n", gone ? "removal" : "a Mode change");
	return 0;
}
