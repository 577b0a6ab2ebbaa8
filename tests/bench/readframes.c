/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Reader that believes nothing: takes Frames from /dev/kvmcapN and checks that
 * no pixel changed outside of the Damage. Not a viewer: pixels go nowhere.
 *
 * usage: readframes [--frames N] [--number] [--quiet] [/dev/kvmcapN]
 * --number: the engine's "full" pattern runs; a Frame's one colour must go with its hw_seq.
 * Ends with 0 after N Frames, 2 when the card went away, 1 on any violation.
 */
/* LINK: */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kmod/uapi/kvmcap.h"

#define PATIENCE_MS 30000
#define COLOUR_STEP 0x10307 /* engine_pattern.c, full() */

struct reader {
	int fd;
	uint32_t generation; /* that slots and copy belong to; 0: none */
	const uint8_t *slots;
	size_t slots_bytes, slot_bytes;
	uint32_t *copy; /* pixels of Frame copy_seq, without X bytes */
	uint64_t copy_seq;
	uint64_t frames, dirty;
	uint64_t damage[KVMCAP_MAX_DAMAGE_BYTES / 8];
	bool quiet, number;
	uint32_t colour_base; /* colour of the pattern at hw_seq 0 */
};

static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("readframes: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static void unmap(struct reader *r)
{
	if (r->generation)
		munmap((void *)r->slots, r->slots_bytes);
	free(r->copy);
	r->copy = NULL;
	r->generation = 0;
}

/* False: the Mode changed once more meanwhile. */
static bool follow_mode(struct reader *r, const struct kvmcap_frame *frame)
{
	struct kvmcap_meta meta;

	if (r->generation == frame->generation)
		return true;
	unmap(r);
	if (ioctl(r->fd, KVMCAP_IOC_STATE, &meta))
		fail("STATE: %s", strerror(errno));
	if (meta.magic != KVMCAP_META_MAGIC || meta.version != KVMCAP_ABI_VERSION)
		fail("magic %" PRIx64 " version %u", (uint64_t)meta.magic, meta.version);
	if (meta.generation != frame->generation || !meta.slot_count)
		return false;
	if (frame->slot >= meta.slot_count)
		fail("Slot %u of %u", frame->slot, meta.slot_count);
	r->slot_bytes = meta.slot_bytes;
	r->slots_bytes = meta.slot_bytes * meta.slot_count;
	void *at =
		mmap(NULL, r->slots_bytes, PROT_READ, MAP_SHARED, r->fd, KVMCAP_SLOT_OFFSET(meta.generation));
	if (at == MAP_FAILED && (errno == ESTALE || errno == ENODEV))
		return false;
	r->copy = calloc((size_t)frame->width * frame->height, 4);
	if (at == MAP_FAILED || !r->copy)
		fail("map of Slots: %s", strerror(errno));
	r->slots = at;
	r->generation = meta.generation;
	return true;
}

static bool is_dirty(const struct reader *r, const struct kvmcap_frame *f, uint32_t tx, uint32_t ty)
{
	return r->damage[ty * KVMCAP_DAMAGE_WORDS(f->width) + tx / 64] >> (tx % 64) & 1;
}

/* Whatever is not in the Damage must be as it was; returns a checksum of the pixels. */
static uint32_t compare(struct reader *r, const struct kvmcap_frame *f)
{
	const uint8_t *pixels = r->slots + f->slot * r->slot_bytes;
	uint32_t sum = 1;

	if (!f->base_seq) /* the engine may have begun anew */
		r->colour_base = *(const uint32_t *)pixels - (uint32_t)f->hw_seq * COLOUR_STEP;
	for (uint32_t y = 0; y < f->height; y++) {
		const uint32_t *row = (const uint32_t *)(pixels + (size_t)y * f->stride);
		uint32_t *mine = r->copy + (size_t)y * f->width;

		for (uint32_t x = 0; x < f->width; x++) {
			uint32_t pixel = row[x] & 0xffffff;

			if (pixel != mine[x] && !is_dirty(r, f, x / KVMCAP_TILE, y / KVMCAP_TILE))
				fail("Frame %" PRIu64 ": pixel %u,%u changed outside of the Damage",
				     (uint64_t)f->seq, x, y);
			if (r->number &&
			    pixel != ((r->colour_base + (uint32_t)f->hw_seq * COLOUR_STEP) & 0xffffff))
				fail("Frame %" PRIu64 " (hardware %" PRIu64 "): pixel %u,%u is %06x",
				     (uint64_t)f->seq, (uint64_t)f->hw_seq, x, y, pixel);
			mine[x] = pixel;
			sum = (sum ^ pixel) * 16777619u; /* FNV-1a */
		}
	}
	return sum;
}

static uint32_t count_dirty(const struct reader *r, const struct kvmcap_frame *f)
{
	uint32_t dirty = 0;

	for (uint32_t ty = 0; ty < KVMCAP_TILES(f->height); ty++)
		for (uint32_t tx = 0; tx < KVMCAP_TILES(f->width); tx++)
			dirty += is_dirty(r, f, tx, ty);
	return dirty;
}

static void check_frame(struct reader *r, const struct kvmcap_frame *f)
{
	const uint32_t tiles = KVMCAP_TILES(f->width) * KVMCAP_TILES(f->height);
	const uint32_t dirty = count_dirty(r, f);

	if (f->seq <= r->copy_seq)
		fail("Frame %" PRIu64 " after Frame %" PRIu64, (uint64_t)f->seq, r->copy_seq);
	if (f->base_seq && f->base_seq != r->copy_seq)
		fail("Frame %" PRIu64 " counts from %" PRIu64 ", not from mine, %" PRIu64, (uint64_t)f->seq,
		     (uint64_t)f->base_seq, r->copy_seq);
	if ((!f->base_seq || f->flags & KVMCAP_FRAME_FULL) && dirty != tiles)
		fail("Frame %" PRIu64 " is full, but only %u of %u Tiles are set", (uint64_t)f->seq, dirty,
		     tiles);
	if (f->flags & ~KVMCAP_FRAME_FULL || f->reserved[0] || f->reserved[1])
		fail("unknown flags %x", f->flags);
	const uint32_t sum = compare(r, f);
	r->copy_seq = f->seq;
	r->frames++;
	r->dirty += dirty;
	if (!r->quiet)
		printf("frame %" PRIu64 " hw %" PRIu64 " generation %u %ux%u dirty %u/%u sum %08x\n",
		       (uint64_t)f->seq, (uint64_t)f->hw_seq, f->generation, f->width, f->height, dirty,
		       tiles, sum);
}

/* 0, or 2 when the card is gone. */
static int take_frame(struct reader *r)
{
	struct kvmcap_frame frame = { .damage_ptr = (uintptr_t)r->damage, .damage_len = sizeof(r->damage) };

	if (ioctl(r->fd, KVMCAP_IOC_ACQUIRE, &frame)) {
		if (errno == EAGAIN || errno == EBUSY)
			return 0;
		if (errno == ENODEV)
			return 2;
		fail("ACQUIRE: %s", strerror(errno));
	}
	/* A Frame whose Mode went before it could be mapped is missed, its Damage too: the next one is full. */
	if (follow_mode(r, &frame))
		check_frame(r, &frame);
	else
		r->copy_seq = frame.seq;
	struct kvmcap_release release = { .generation = frame.generation, .slot = frame.slot };
	if (ioctl(r->fd, KVMCAP_IOC_RELEASE, &release))
		fail("RELEASE: %s", strerror(errno));
	return 0;
}

static void show_state(struct reader *r)
{
	struct kvmcap_meta meta;

	if (ioctl(r->fd, KVMCAP_IOC_STATE, &meta))
		fail("STATE: %s", strerror(errno));
	if (!r->quiet)
		printf("state: signal %u generation %u %ux%u slots %u\n", meta.signal, meta.generation,
		       meta.width, meta.height, meta.slot_count);
}

static int read_frames(struct reader *r, uint64_t frames)
{
	while (r->frames < frames) {
		struct pollfd fd = { .fd = r->fd, .events = POLLIN | POLLPRI };
		int ready = poll(&fd, 1, PATIENCE_MS);

		if (ready < 0)
			fail("poll: %s", strerror(errno));
		if (ready == 0)
			fail("nothing for %d s after Frame %" PRIu64, PATIENCE_MS / 1000, r->copy_seq);
		if (fd.revents & POLLPRI)
			show_state(r);
		if (fd.revents & POLLIN && take_frame(r))
			return 2;
		if (fd.revents & (POLLERR | POLLHUP))
			return 2;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "frames", required_argument, NULL, 'f' },
		{ "number", no_argument, NULL, 'n' },
		{ "quiet", no_argument, NULL, 'q' },
		{ 0 },
	};
	static struct reader r;
	uint64_t frames = UINT64_MAX;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'f':
			frames = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			r.number = true;
			break;
		case 'q':
			r.quiet = true;
			break;
		default:
			return 1;
		}
	}
	const char *path = optind < argc ? argv[optind] : "/dev/kvmcap0";
	setvbuf(stdout, NULL, _IOLBF, 0);
	r.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r.fd < 0)
		fail("%s: %s", path, strerror(errno));
	int status = read_frames(&r, frames);
	printf("readframes: %" PRIu64 " Frames, %" PRIu64 " dirty Tiles%s\n", r.frames, r.dirty,
	       status ? ", the card is gone" : "");
	unmap(&r);
	close(r.fd);
	return status;
}
