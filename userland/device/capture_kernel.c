// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /dev/kvmcapN: one open file for the follower, one for each lane, each lane
 * with its own mapping of a Mode's Slots. Absent or unplugged: waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/capture_source.h"
#include "device/signal.h"
#include "lib/log.h"

#define FOURCC_XRGB8888 0x34325258u

/* A Reader of a card that went keeps its file and mapping until it releases. */
struct reader {
	int fd; /* -1: not open */
	bool holds;
	bool orphan;	     /* its card is gone */
	uint32_t generation; /* of the mapping */
	uint32_t slot_count;
	uint64_t slot_bytes;
	uint8_t *map; /* NULL: none */
};

struct capture_kernel {
	struct capture_source source;
	struct capture_source_events events;
	struct loop *loop;
	struct signal *signal;
	struct loop_source follower; /* readers[0].fd while that is open */
	struct loop_source inotify;
	struct capture_mode mode;
	struct reader readers[CAPTURE_READERS];
	char path[PATH_MAX];
	bool barred; /* EPERM */
};

static struct capture_kernel *kernel_of(struct capture_source *source)
{
	return (struct capture_kernel *)((char *)source - offsetof(struct capture_kernel, source));
}

static void unmap(struct reader *reader)
{
	if (reader->map)
		munmap(reader->map, reader->slot_count * reader->slot_bytes);
	reader->map = NULL;
	reader->generation = 0;
}

static void reader_close(struct reader *reader)
{
	unmap(reader);
	if (reader->fd >= 0)
		close(reader->fd);
	*reader = (struct reader){ .fd = -1 };
}

static int reader_open(struct capture_kernel *kernel, struct reader *reader)
{
	if (reader->fd >= 0)
		return 0;
	reader->fd = open(kernel->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return reader->fd < 0 ? -errno : 0;
}

/* kvmnetd.service: a device whose driver came after our start, only a new process may use. One that was
 * barred at our start already would be again. */
static void barred(struct capture_kernel *kernel)
{
	if (!kernel->barred) {
		log_warn("capture: %s: %s", kernel->path, strerror(EPERM));
		loop_fail(kernel->loop, EPERM);
	}
	kernel->barred = true;
}

static bool meta_is_sane(const struct kvmcap_meta *meta)
{
	return meta->magic == KVMCAP_META_MAGIC && meta->version == KVMCAP_ABI_VERSION &&
	       meta->length >= sizeof(*meta) && meta->slot_count <= KVMCAP_MAX_SLOTS &&
	       meta->slot_bytes <= 64u << 20;
}

static int read_meta(struct reader *reader, struct kvmcap_meta *meta)
{
	memset(meta, 0, sizeof(*meta));
	if (ioctl(reader->fd, KVMCAP_IOC_STATE, meta) < 0)
		return -errno;
	return meta_is_sane(meta) ? 0 : -EPROTO;
}

/* A mapping keeps all Slots of its Mode in memory. */
static void unmap_old(const struct capture_kernel *kernel, struct reader *reader)
{
	if (reader->generation != kernel->mode.generation)
		unmap(reader);
}

static void report(struct capture_kernel *kernel)
{
	kernel->events.mode(kernel->events.arg, &kernel->mode);
}

static void refresh(struct capture_kernel *kernel)
{
	struct kvmcap_meta meta;
	struct capture_mode mode;

	if (kernel->readers[CAPTURE_FOLLOWER].fd < 0 || read_meta(&kernel->readers[CAPTURE_FOLLOWER], &meta))
		return;
	memset(&mode, 0, sizeof(mode)); /* padding too: it is compared */
	mode.signal = meta.signal;
	mode.generation = meta.generation;
	mode.width = meta.width;
	mode.height = meta.height;
	mode.stride = meta.stride;
	mode.fourcc = meta.fourcc;
	mode.refresh_mhz = meta.refresh_mhz;
	mode.spare = meta.slot_count == KVMCAP_MAX_SLOTS;
	if (!memcmp(&mode, &kernel->mode, sizeof(mode)))
		return;
	kernel->mode = mode;
	report(kernel);
	for (unsigned i = 0; i < CAPTURE_READERS; i++)
		if (!kernel->readers[i].holds)
			unmap_old(kernel, &kernel->readers[i]);
}

static int attach(struct capture_kernel *kernel);

static void card_gone(struct capture_kernel *kernel)
{
	if (kernel->readers[CAPTURE_FOLLOWER].fd < 0)
		return;
	log_warn("capture: %s is gone", kernel->path);
	loop_unwatch(kernel->loop, &kernel->follower);
	for (unsigned i = 0; i < CAPTURE_READERS; i++) {
		struct reader *reader = &kernel->readers[i];

		if (reader->holds)
			reader->orphan = true;
		else
			reader_close(reader);
	}
	kernel->mode = (struct capture_mode){ .signal = KVMCAP_SIGNAL_GONE };
	report(kernel);
	/* The next card may be there already: its events came before we closed this one. */
	attach(kernel);
}

static void follower_ready(struct loop_source *source, uint32_t events)
{
	struct capture_kernel *kernel =
		(struct capture_kernel *)((char *)source - offsetof(struct capture_kernel, follower));

	if (events & EPOLLPRI)
		refresh(kernel);
	if (events & EPOLLIN)
		kernel->events.ready(kernel->events.arg);
	if (events & (EPOLLERR | EPOLLHUP))
		card_gone(kernel);
}

/* 0, or why the device cannot be followed yet. */
static int attach(struct capture_kernel *kernel)
{
	struct reader *reader = &kernel->readers[CAPTURE_FOLLOWER];
	struct kvmcap_meta meta;
	int err;

	if (reader->fd >= 0)
		return 0;
	err = reader_open(kernel, reader);
	if (err == -EPERM)
		barred(kernel);
	if (err)
		return err;
	err = read_meta(reader, &meta);
	if (err == -EPROTO)
		log_error("capture: %s is of another version than this program: update both", kernel->path);
	if (!err) {
		kernel->follower = (struct loop_source){
			.fd = reader->fd,
			.events = EPOLLIN | EPOLLPRI,
			.ready = follower_ready,
		};
		err = loop_watch(kernel->loop, &kernel->follower);
	}
	if (err) {
		reader_close(reader);
		return err;
	}
	log_info("capture: following %s", kernel->path);
	refresh(kernel);
	return 0;
}

/* Names come and get their owner later: any event makes us try. */
static void inotify_ready(struct loop_source *source, uint32_t events)
{
	struct capture_kernel *kernel =
		(struct capture_kernel *)((char *)source - offsetof(struct capture_kernel, inotify));
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	(void)events;
	while (read(source->fd, buf, sizeof(buf)) > 0)
		;
	attach(kernel);
}

static void driver_changed(void *arg)
{
	refresh(arg);
}

static bool frame_is_sane(const struct kvmcap_frame *frame)
{
	return frame->width >= KVMCAP_MIN_WIDTH && frame->width <= KVMCAP_MAX_WIDTH &&
	       frame->height >= KVMCAP_MIN_HEIGHT && frame->height <= KVMCAP_MAX_HEIGHT &&
	       frame->stride >= frame->width * 4 && frame->fourcc == FOURCC_XRGB8888;
}

/* Maps the Slots of the Frame's Mode, unless they are; -EAGAIN when the Mode is history already. */
static int map_slots(struct reader *reader, const struct kvmcap_frame *frame)
{
	struct kvmcap_meta meta;
	void *map;
	int err;

	if (reader->map && reader->generation == frame->generation)
		return 0;
	err = read_meta(reader, &meta);
	if (err)
		return err;
	if (meta.generation != frame->generation || !meta.slot_count)
		return -EAGAIN;
	unmap(reader);
	map = mmap(NULL, meta.slot_count * meta.slot_bytes, PROT_READ, MAP_SHARED, reader->fd,
		   (off_t)KVMCAP_SLOT_OFFSET(meta.generation));
	if (map == MAP_FAILED)
		return errno == ESTALE ? -EAGAIN : -errno;
	reader->map = map;
	reader->generation = meta.generation;
	reader->slot_count = meta.slot_count;
	reader->slot_bytes = meta.slot_bytes;
	return 0;
}

static void give_back(struct capture_kernel *kernel, struct reader *reader, const struct kvmcap_frame *frame)
{
	struct kvmcap_release release = { .generation = frame->generation, .slot = frame->slot };

	reader->holds = false;
	if (ioctl(reader->fd, KVMCAP_IOC_RELEASE, &release) < 0 && errno != ENODEV)
		log_error("capture: RELEASE: %s", strerror(errno));
	unmap_old(kernel, reader);
	if (reader->orphan)
		reader_close(reader);
}

static int kernel_acquire(struct capture_source *source, unsigned index, struct kvmcap_frame *frame,
			  uint64_t *damage, const uint8_t **pixels)
{
	struct capture_kernel *kernel = kernel_of(source);
	struct reader *reader = &kernel->readers[index];
	int err;

	if (kernel->readers[CAPTURE_FOLLOWER].fd < 0 || kernel->readers[CAPTURE_FOLLOWER].orphan)
		return -ENODEV;
	err = reader_open(kernel, reader);
	if (err)
		return err == -EBUSY ? -EBUSY : -ENODEV;
	memset(frame, 0, sizeof(*frame));
	if (damage) {
		frame->damage_ptr = (uintptr_t)damage;
		frame->damage_len = KVMCAP_MAX_DAMAGE_BYTES;
	}
	if (ioctl(reader->fd, KVMCAP_IOC_ACQUIRE, frame) < 0)
		return -errno;
	reader->holds = true;
	err = frame_is_sane(frame) ? 0 : -EPROTO;
	if (!err && pixels)
		err = map_slots(reader, frame);
	if (!err && pixels &&
	    (frame->slot >= reader->slot_count ||
	     (uint64_t)frame->stride * frame->height > reader->slot_bytes))
		err = -EPROTO;
	if (err) {
		give_back(kernel, reader, frame);
		if (err != -EAGAIN)
			log_error("capture: a Frame of the driver cannot be used: %s", strerror(-err));
		return err;
	}
	if (pixels)
		*pixels = reader->map + frame->slot * reader->slot_bytes;
	return 0;
}

static void kernel_release(struct capture_source *source, unsigned index, const struct kvmcap_frame *frame)
{
	struct capture_kernel *kernel = kernel_of(source);

	give_back(kernel, &kernel->readers[index], frame);
}

static void kernel_state(struct capture_source *source, struct capture_mode *mode)
{
	struct capture_kernel *kernel = kernel_of(source);
	struct signal_state state;

	*mode = kernel->mode;
	if (signal_get(kernel->signal, &state))
		return;
	mode->frames = state.frames;
	mode->overruns = state.overruns;
}

static void kernel_close(struct capture_source *source)
{
	struct capture_kernel *kernel = kernel_of(source);

	if (kernel->readers[CAPTURE_FOLLOWER].fd >= 0)
		loop_unwatch(kernel->loop, &kernel->follower);
	for (unsigned i = 0; i < CAPTURE_READERS; i++)
		reader_close(&kernel->readers[i]);
	if (kernel->inotify.fd >= 0) {
		loop_unwatch(kernel->loop, &kernel->inotify);
		close(kernel->inotify.fd);
	}
	signal_close(kernel->signal);
	free(kernel);
}

static const struct capture_source_ops kernel_ops = {
	.acquire = kernel_acquire,
	.release = kernel_release,
	.state = kernel_state,
	.close = kernel_close,
};

static int watch_folder(struct capture_kernel *kernel)
{
	char copy[PATH_MAX];
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0)
		return -errno;
	strcpy(copy, kernel->path);
	kernel->inotify = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = inotify_ready };
	if (inotify_add_watch(fd, dirname(copy), IN_CREATE | IN_ATTRIB | IN_MOVED_TO) < 0 ||
	    loop_watch(kernel->loop, &kernel->inotify)) {
		int err = -errno;

		close(fd);
		kernel->inotify.fd = -1;
		return err;
	}
	return 0;
}

static uint32_t index_of(const char *path)
{
	size_t digits = strlen(path);

	while (digits && path[digits - 1] >= '0' && path[digits - 1] <= '9')
		digits--;
	return (uint32_t)strtoul(path + digits, NULL, 10);
}

struct capture_source *capture_kernel_open(struct loop *loop, const char *path,
					   const struct capture_source_events *events)
{
	struct capture_kernel *kernel = calloc(1, sizeof(*kernel));
	int err;

	if (!kernel)
		return NULL;
	kernel->source.ops = &kernel_ops;
	kernel->events = *events;
	kernel->loop = loop;
	kernel->inotify.fd = -1;
	kernel->mode.signal = KVMCAP_SIGNAL_GONE;
	for (unsigned i = 0; i < CAPTURE_READERS; i++)
		kernel->readers[i].fd = -1;
	snprintf(kernel->path, sizeof(kernel->path), "%s", path);
	kernel->signal = signal_open(loop, index_of(path), driver_changed, kernel);
	err = kernel->signal ? watch_folder(kernel) : -ENOMEM;
	if (err) {
		log_error("capture: cannot wait for %s: %s", path, strerror(-err));
		kernel_close(&kernel->source);
		return NULL;
	}
	/* mode() may be called before we return. */
	err = attach(kernel);
	if (err)
		log_warn("capture: %s: %s; waiting for it", path, strerror(-err));
	return &kernel->source;
}
