/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The target VM's screen. QMP screendump is exact in every mode, and slow for
 * large ones. Linear 32-bit modes of the standard VGA are read straight from
 * QEMU's memory, once that was seen to give the same pixels in the same mode.
 */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECOND_NS 1000000000ULL
#define RETRY_NS 100000000L	 /* between attempts to reach a target that is off */
#define TRUST_NS (2 * SECOND_NS) /* fast pictures are compared with screendumps this often */
#define DISPI_OFFSET 0x500 /* Bochs registers in the VGA's MMIO BAR (QEMU, docs/specs/standard-vga.rst) */
#define DISPI_COUNT 11
#define DISPI_ENABLED 0x01

/* Register numbers (QEMU, include/hw/display/bochs-vbe.h). */
enum {
	DISPI_ID,
	DISPI_XRES,
	DISPI_YRES,
	DISPI_BPP,
	DISPI_ENABLE,
	DISPI_BANK,
	DISPI_VIRT_WIDTH,
	DISPI_VIRT_HEIGHT,
	DISPI_X_OFFSET,
	DISPI_Y_OFFSET
};

struct mode {
	uint16_t reg[DISPI_COUNT];
};

#define DUMP_TRIES 5

struct screen {
	const struct engine *e;
	struct picture *picture;
	int done_fd;
	enum screen_state state;
	pthread_mutex_t lock;
	pthread_cond_t asked;
	bool wanted, exact;
	/* The thread's own. */
	struct qmp qmp;
	char scratch[256]; /* of this connection alone: see connect_monitor() */
	unsigned connections;
	pid_t qemu;
	uint64_t mmio, vram; /* guest addresses of the VGA's BARs, 0: not known */
	uint64_t vram_here;  /* the same memory in QEMU's address space */
	struct mode trusted; /* fast reads are exact in this mode */
	uint64_t check_at;   /* when that is looked at again */
	bool trust;
	uint32_t *before, *after;
};

/* ---- where the standard VGA is ---- */

static uint64_t bar(const char *vga, const char *name)
{
	const char *at = strstr(vga, name);
	unsigned long long address = 0;

	if (!at || !(at = strstr(at, " at 0x")) || sscanf(at, " at 0x%llx", &address) != 1)
		return 0;
	return address == 0xffffffff ? 0 : address; /* not programmed yet by the firmware */
}

/* "info pci" prints a paragraph for each function, with "BARn: 32 bit [prefetchable ]memory at 0x... [0x...]." */
static void find_vga(struct screen *s)
{
	char text[16384];
	char line[64];
	char *vga, *end;

	s->mmio = s->vram = s->vram_here = 0;
	if (!qmp_human(&s->qmp, "info pci", text, sizeof(text)))
		return;
	vga = strstr(text, "VGA controller");
	if (!vga)
		return;
	end = strstr(vga, "  Bus ");
	if (end)
		*end = '\0';
	s->vram = bar(vga, "BAR0");
	s->mmio = bar(vga, "BAR2");
	if (!s->vram || !s->mmio)
		return;
	snprintf(line, sizeof(line), "gpa2hva 0x%llx", (unsigned long long)s->vram);
	if (!qmp_human(&s->qmp, line, text, sizeof(text)))
		return;
	char *is = strstr(text, " is 0x");
	if (is)
		s->vram_here = strtoull(is + 4, NULL, 16);
}

/* "ADDRESS: 0xVVVV 0xVVVV ..." in lines */
static bool read_mode(struct screen *s, struct mode *mode)
{
	char line[64], text[2048], *at = text;

	if (!s->vram_here)
		return false;
	snprintf(line, sizeof(line), "xp /%dxh 0x%llx", DISPI_COUNT,
		 (unsigned long long)s->mmio + DISPI_OFFSET);
	if (!qmp_human(&s->qmp, line, text, sizeof(text)))
		return false;
	for (int i = 0; i < DISPI_COUNT; i++) {
		at = strstr(at, " 0x");
		if (!at)
			return false;
		mode->reg[i] = strtoul(at, &at, 16);
	}
	return (mode->reg[DISPI_ID] & 0xfff0) == 0xb0c0;
}

static bool linear(const struct mode *m)
{
	return (m->reg[DISPI_ENABLE] & DISPI_ENABLED) && m->reg[DISPI_BPP] == 32 &&
	       m->reg[DISPI_XRES] >= ENGINE_MIN_WIDTH && m->reg[DISPI_XRES] <= ENGINE_MAX_WIDTH &&
	       m->reg[DISPI_YRES] >= ENGINE_MIN_HEIGHT && m->reg[DISPI_YRES] <= ENGINE_MAX_HEIGHT &&
	       m->reg[DISPI_VIRT_WIDTH] >= m->reg[DISPI_XRES];
}

static bool same_mode(const struct mode *a, const struct mode *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* A linear mode's pixels into memory that has no padding between rows. */
static bool read_vram(const struct screen *s, const struct mode *m, uint32_t *pixels)
{
	size_t width = m->reg[DISPI_XRES], height = m->reg[DISPI_YRES], line = m->reg[DISPI_VIRT_WIDTH];
	uint64_t start = s->vram_here + (m->reg[DISPI_Y_OFFSET] * line + m->reg[DISPI_X_OFFSET]) * 4;
	struct iovec here = { pixels, width * height * 4 };
	struct iovec there[512];

	if (line == width) {
		struct iovec all = { (void *)start, here.iov_len };

		return process_vm_readv(s->qemu, &here, 1, &all, 1, 0) == (ssize_t)here.iov_len;
	}
	for (size_t y = 0; y < height;) {
		size_t rows = 0;

		for (; rows < 512 && y + rows < height; rows++)
			there[rows] = (struct iovec){ (void *)(start + (y + rows) * line * 4), width * 4 };
		here = (struct iovec){ pixels + y * width, rows * width * 4 };
		if (process_vm_readv(s->qemu, &here, 1, there, rows, 0) != (ssize_t)here.iov_len)
			return false;
		y += rows;
	}
	return true;
}

/* ---- screendump ---- */

static void unpack_rgb(uint32_t *pixels, const uint8_t *rgb, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pixels[i] = (uint32_t)rgb[3 * i] << 16 | rgb[3 * i + 1] << 8 | rgb[3 * i + 2];
}

/* The dump is a binary PPM: "P6\nW H\n255\n", then RGB. */
static enum screen_state read_dump(struct screen *s, const uint8_t *data, size_t bytes)
{
	unsigned int width, height;
	int head = 0;
	char text[64] = "";

	memcpy(text, data, bytes < sizeof(text) - 1 ? bytes : sizeof(text) - 1);
	if (sscanf(text, "P6 %u %u 255%n", &width, &height, &head) != 2 || !head)
		return SCREEN_DARK;
	if (width < ENGINE_MIN_WIDTH || width > ENGINE_MAX_WIDTH || height < ENGINE_MIN_HEIGHT ||
	    height > ENGINE_MAX_HEIGHT)
		return SCREEN_UNSUPPORTED;
	if (bytes < head + 1 + (size_t)width * height * 3)
		return SCREEN_DARK;
	s->picture->width = width;
	s->picture->height = height;
	unpack_rgb(s->picture->pixels, data + head + 1, (size_t)width * height);
	return SCREEN_PICTURE;
}

/* The whole file, to be freed; NULL: there is none, or it is being written at this moment. */
static uint8_t *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat info;
	uint8_t *data = NULL;

	if (fd >= 0 && !fstat(fd, &info) && info.st_size) {
		*size = info.st_size;
		data = malloc(*size);
		if (data && read(fd, data, *size) != info.st_size) {
			free(data);
			data = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return data;
}

/* On a machine that others keep busy QEMU was seen to write the file once more after it had answered. */
static enum screen_state dump(struct screen *s)
{
	enum screen_state state = SCREEN_DARK;
	uint8_t *data = NULL;
	size_t size;

	for (int i = 0; i < DUMP_TRIES && !data; i++) {
		json_t *done = qmp_call(&s->qmp, "screendump", json_pack("{s:s}", "filename", s->scratch));

		if (!done)
			return SCREEN_DARK;
		json_decref(done);
		data = read_file(s->scratch, &size);
	}
	if (data)
		state = read_dump(s, data, size);
	free(data);
	atomic_fetch_add(&s->e->shared->dumped, 1);
	return state;
}

/* ---- both ---- */

static bool same_pixels(const uint32_t *a, const uint32_t *b, size_t count)
{
	uint32_t different = 0;

	for (size_t i = 0; i < count; i++)
		different |= a[i] ^ b[i];
	return !(different & 0xffffff);
}

/* A screendump between two fast reads: when all three agree, the mode is to be trusted. */
static enum screen_state compare(struct screen *s, const struct mode *mode)
{
	size_t count = (size_t)mode->reg[DISPI_XRES] * mode->reg[DISPI_YRES];
	bool read = read_vram(s, mode, s->before);
	enum screen_state state = dump(s);
	struct mode now;

	s->check_at = monotonic_ns() + TRUST_NS;
	if (!read || !read_vram(s, mode, s->after) || !read_mode(s, &now) || !same_mode(mode, &now)) {
		s->trust = false;
		return state;
	}
	if (!same_pixels(s->before, s->after, count)) /* it moved: nothing can be told */
		return state;
	s->trust = state == SCREEN_PICTURE && s->picture->width == mode->reg[DISPI_XRES] &&
		   s->picture->height == mode->reg[DISPI_YRES] &&
		   same_pixels(s->before, s->picture->pixels, count);
	s->trusted = *mode;
	return state;
}

/* A screendump that was asked for on a connection of before, by this model or one that was killed, may be written at any
 * time from now on: it must not be the file that is being read. */
static bool connect_monitor(struct screen *s)
{
	if (s->connections)
		unlink(s->scratch);
	snprintf(s->scratch, sizeof(s->scratch), "%s.%d.%u", s->e->scratch, (int)getpid(), ++s->connections);
	return qmp_open(&s->qmp, s->e->qmp_path, &s->qemu);
}

static enum screen_state capture(struct screen *s, bool exact)
{
	struct mode mode;

	if (s->qmp.fd < 0 && !connect_monitor(s))
		return SCREEN_DARK;
	if (exact)
		return dump(s);
	if (!read_mode(s, &mode)) {
		if (s->qmp.fd >= 0 && monotonic_ns() >= s->check_at) {
			find_vga(s);
			s->check_at = monotonic_ns() + SECOND_NS;
		}
		return dump(s);
	}
	if (!linear(&mode))
		return dump(s);
	if (!same_mode(&mode, &s->trusted)) {
		s->trust = false;
		return compare(s, &mode);
	}
	if (monotonic_ns() >= s->check_at)
		return compare(s, &mode);
	if (!s->trust || !read_vram(s, &mode, s->picture->pixels))
		return dump(s);
	s->picture->width = mode.reg[DISPI_XRES];
	s->picture->height = mode.reg[DISPI_YRES];
	atomic_fetch_add(&s->e->shared->fast, 1);
	return SCREEN_PICTURE;
}

static void *work(void *arg)
{
	struct screen *s = arg;

	for (;;) {
		pthread_mutex_lock(&s->lock);
		while (!s->wanted)
			pthread_cond_wait(&s->asked, &s->lock);
		s->wanted = false;
		bool exact = s->exact;
		pthread_mutex_unlock(&s->lock);

		s->state = capture(s, exact);
		if (s->qmp.fd < 0) {
			/* Another QEMU may have its VGA elsewhere. Nothing announces that one listens now. */
			s->vram_here = 0;
			s->check_at = 0;
			s->trust = false;
			nanosleep(&(struct timespec){ .tv_nsec = RETRY_NS }, NULL);
		}
		event_raise(s->done_fd);
	}
	return NULL;
}

struct screen *screen_new(const struct engine *e, struct picture *picture)
{
	struct screen *s = calloc(1, sizeof(*s));
	size_t largest = (size_t)ENGINE_MAX_WIDTH * ENGINE_MAX_HEIGHT;
	pthread_t thread;

	if (!s || !(s->before = calloc(largest, 4)) || !(s->after = calloc(largest, 4)))
		fail("no memory for the target's screen");
	s->e = e;
	s->picture = picture;
	s->qmp.fd = -1;
	s->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->asked, NULL);
	if (s->done_fd < 0 || pthread_create(&thread, NULL, work, s))
		fail("no thread for the target's screen");
	return s;
}

int screen_fd(const struct screen *s)
{
	return s->done_fd;
}

void screen_request(struct screen *s, bool exact)
{
	pthread_mutex_lock(&s->lock);
	s->wanted = true;
	s->exact = exact;
	pthread_cond_signal(&s->asked);
	pthread_mutex_unlock(&s->lock);
}

enum screen_state screen_take(struct screen *s)
{
	event_clear(s->done_fd);
	return s->state;
}
