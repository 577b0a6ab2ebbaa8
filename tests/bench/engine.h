/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the bench's capture engine share: the memory between its
 * two processes, and each part's few calls. No registers: kmod/engine_regs.h.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kmod/engine_regs.h"

#define ENGINE_MIN_WIDTH 64
#define ENGINE_MAX_WIDTH 4096
#define ENGINE_MIN_HEIGHT 64
#define ENGINE_MAX_HEIGHT 2304
#define ENGINE_CLIENTS 8

enum pattern { PATTERN_NONE, PATTERN_STILL, PATTERN_MOVING, PATTERN_NOISE, PATTERN_FULL };

/* What the control socket asks for. */
struct settings {
	enum pattern pattern;	/* PATTERN_NONE: the target VM's screen */
	uint32_t width, height; /* of the pattern */
	uint32_t fps;
	uint32_t signal; /* ENG_SIGNAL_*; other than OK: whatever the source says */
	bool frozen;	 /* the same picture again and again */
};

/* Between supervisor and device model; outlives the model. */
struct shared {
	/* Settings, written by the supervisor: version is odd meanwhile. */
	_Atomic uint32_t version;
	_Atomic uint32_t applied; /* the version that the model lives by */
	struct settings settings;
	/* Grabs: asked by the supervisor, done by the model, which sets grab_seq first. */
	_Atomic uint32_t grab_wanted, grab_done;
	_Atomic uint64_t grab_seq;
	/* What the model tells. */
	_Atomic uint32_t up_epoch; /* the epoch in which it runs */
	_Atomic uint64_t seq;	   /* the last Frame's */
	_Atomic uint64_t frames;   /* completed */
	_Atomic uint64_t number;   /* of the pattern's last picture: it tells what that looks like */
	_Atomic uint64_t abandoned;
	_Atomic uint64_t fast, dumped; /* pictures read from video memory, and by screendump */
	_Atomic bool start_late;    /* asked: the next model needs a second from power-on to its registers */
	_Atomic bool stop_in_frame; /* asked: the model stops itself in the middle of its next Frame */
};

struct engine {
	struct shared *shared;
	uint8_t *window; /* the register window */
	uint8_t *ram;	 /* guest RAM, as a file */
	uint64_t ram_bytes, low_bytes;
	int window_fd;
	int vector[ENG_VECTORS];	 /* eventfds: to the guest */
	int doorbell[ENG_VECTORS];	 /* from the guest; only the first means something */
	int wake_model, wake_supervisor; /* eventfds between our two processes */
	const char *qmp_path;		 /* the target's monitor, NULL: no target */
	const char *scratch;		 /* file for screendumps, on a tmpfs */
	pid_t model;
	bool hung; /* the model is stopped on purpose */
};

/* XRGB8888 without padding; the X byte may be anything. */
struct picture {
	uint32_t width, height;
	uint32_t *pixels; /* room for the largest Frame */
};

static inline uint32_t reg_read(const struct engine *e, uint32_t offset)
{
	return atomic_load((_Atomic uint32_t *)(e->window + offset));
}

static inline void reg_write(const struct engine *e, uint32_t offset, uint32_t value)
{
	atomic_store((_Atomic uint32_t *)(e->window + offset), value);
}

static inline void reg_add(const struct engine *e, uint32_t offset, uint32_t value)
{
	atomic_fetch_add((_Atomic uint32_t *)(e->window + offset), value);
}

void event_raise(int fd);
void event_clear(int fd);
uint64_t monotonic_ns(void);
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *fmt, ...);

/* engine_ivshmem.c */
int ivshmem_listen(const char *path);
void ivshmem_hello(const struct engine *e, int conn);

/* engine_control.c: the supervisor's side of a control socket. */
struct control;
struct control *control_new(struct engine *e, const char *path);
int control_poll(struct control *c, struct pollfd *fds); /* fills up to ENGINE_CLIENTS + 1 */
void control_serve(struct control *c, const struct pollfd *fds, int count);
void control_answer_finished(struct control *c); /* whatever took effect meanwhile */

/* engine_model.c: the device model's process; never returns. */
__attribute__((noreturn)) void model_run(const struct engine *e);

/* engine_device.c */
struct device {
	const struct engine *e;
	uint32_t epoch;
	uint64_t seq;
	uint32_t signal, width, height, stride; /* as the timings block says */
};
enum delivery { DELIVERED, ABANDONED, NOT_RUNNING, NO_SLOT };
void device_start(struct device *d);
void device_timings(struct device *d, uint32_t signal, uint32_t width, uint32_t height);
enum delivery device_frame(struct device *d, const struct picture *picture);

/* engine_pattern.c */
void pattern_draw(struct picture *picture, const struct settings *settings, uint64_t number);

/* engine_screen.c: a thread that fetches the target's screen. */
struct screen;
enum screen_state { SCREEN_PICTURE, SCREEN_UNSUPPORTED, SCREEN_DARK };
struct screen *screen_new(const struct engine *e, struct picture *picture);
int screen_fd(const struct screen *s);		   /* readable when a request is done */
void screen_request(struct screen *s, bool exact); /* picture belongs to the thread until it is done */
enum screen_state screen_take(struct screen *s);

/* engine_qmp.c */
#include <jansson.h>
struct qmp {
	int fd;
	size_t len;
	char buf[65536];
};
bool qmp_open(struct qmp *q, const char *path, pid_t *peer);
void qmp_close(struct qmp *q);
/* The answer's "return", or NULL: the command failed; q->fd is -1 when the monitor is gone. */
json_t *qmp_call(struct qmp *q, const char *command, json_t *arguments);
/* A command of the human monitor; its text in buf, false when there is none. */
bool qmp_human(struct qmp *q, const char *command, char *buf, size_t size);

#endif
