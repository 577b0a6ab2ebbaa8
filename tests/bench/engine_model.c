/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device model's process: when a Frame starts, from which source, and what
 * the signal says. It keeps nothing that matters: it is killed and stopped at will.
 */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEARTBEAT_NS 100000000ULL
#define SECOND_NS 1000000000ULL

struct model {
	const struct engine *e;
	struct shared *shared;
	struct device device;
	struct screen *screen; /* NULL: there is no target */
	struct picture picture;
	struct settings settings;
	bool asking;	      /* the screen's thread owns the picture */
	bool drawn;	      /* the picture is one, from the source of now */
	uint32_t asking_grab; /* grab_wanted when the Frame started */
	uint64_t number;      /* of the pattern's picture */
	uint64_t next_frame, next_beat;
};

static uint32_t source_signal(const struct model *m, enum screen_state state)
{
	if (m->settings.signal != ENG_SIGNAL_OK)
		return m->settings.signal;
	if (state == SCREEN_UNSUPPORTED)
		return ENG_SIGNAL_UNSUPPORTED;
	return state == SCREEN_DARK ? ENG_SIGNAL_NO_SIGNAL : ENG_SIGNAL_OK;
}

/* Sends the picture, and says so when it was the one that somebody waits for. */
static void send_frame(struct model *m)
{
	struct shared *s = m->shared;
	enum delivery result;

	m->drawn = true;
	device_timings(&m->device, ENG_SIGNAL_OK, m->picture.width, m->picture.height);
	result = device_frame(&m->device, &m->picture);
	atomic_store(&s->seq, m->device.seq);
	if (result == ABANDONED)
		atomic_fetch_add(&s->abandoned, 1);
	if (result != DELIVERED)
		return;
	atomic_fetch_add(&s->frames, 1);
	if (m->asking_grab != atomic_load(&s->grab_done)) {
		atomic_store(&s->grab_seq, m->device.seq);
		atomic_store(&s->grab_done, m->asking_grab);
		event_raise(m->e->wake_supervisor);
	}
}

static void start_frame(struct model *m)
{
	struct shared *s = m->shared;

	if (m->asking)
		return;
	m->asking_grab = atomic_load(&s->grab_wanted);
	if (m->settings.signal != ENG_SIGNAL_OK)
		device_timings(&m->device, m->settings.signal, 0, 0);
	else if (m->settings.frozen && m->drawn)
		send_frame(m);
	else if (m->settings.pattern != PATTERN_NONE) {
		atomic_store(&s->number, m->number);
		pattern_draw(&m->picture, &m->settings, m->number++);
		send_frame(m);
	} else if (m->screen) {
		m->asking = true;
		screen_request(m->screen, m->asking_grab != atomic_load(&s->grab_done));
	} else {
		device_timings(&m->device, ENG_SIGNAL_NO_CABLE, 0, 0);
	}
}

/* The screen's thread has answered; settings may have changed since it was asked. */
static void take_screen(struct model *m)
{
	enum screen_state state = screen_take(m->screen);
	uint32_t signal = source_signal(m, state);

	m->asking = false;
	m->drawn = false;
	if (m->settings.pattern != PATTERN_NONE)
		return;
	if (signal == ENG_SIGNAL_OK)
		send_frame(m);
	else
		device_timings(&m->device, signal, 0, 0);
	if (m->asking_grab != atomic_load(&m->shared->grab_wanted))
		start_frame(m);
}

/* Takes over what the control socket asked for, whole. */
static void apply_settings(struct model *m)
{
	struct shared *s = m->shared;
	uint32_t version = atomic_load(&s->version);
	struct settings settings = s->settings;

	if (version % 2 || version != atomic_load(&s->version))
		return; /* being written: another wake-up follows */
	if (version == atomic_load(&s->applied) && m->settings.fps)
		return;
	bool source = settings.pattern != m->settings.pattern || settings.width != m->settings.width ||
		      settings.height != m->settings.height;
	if (source) {
		m->number = 0;
		m->drawn = false;
	}
	m->settings = settings;
	m->next_frame = monotonic_ns();
	if (settings.signal != ENG_SIGNAL_OK)
		device_timings(&m->device, settings.signal, 0, 0);
	else if (settings.pattern != PATTERN_NONE)
		device_timings(&m->device, ENG_SIGNAL_OK, settings.width, settings.height);
	atomic_store(&s->applied, version);
	event_raise(m->e->wake_supervisor);
}

static void beat(struct model *m, uint64_t now)
{
	if (now < m->next_beat)
		return;
	reg_add(m->e, ENG_HEARTBEAT, 1);
	m->next_beat = now + HEARTBEAT_NS;
}

/* Frames keep their beat; a beat that was missed is not made up for. */
static void tick(struct model *m, uint64_t now)
{
	if (now < m->next_frame)
		return;
	start_frame(m);
	m->next_frame += SECOND_NS / m->settings.fps;
	if (m->next_frame < now)
		m->next_frame = now;
}

static void wait_for(struct model *m, uint64_t now)
{
	uint64_t due = m->next_beat < m->next_frame ? m->next_beat : m->next_frame;
	uint64_t left = due > now ? due - now : 0;
	struct timespec timeout = { left / SECOND_NS, left % SECOND_NS };
	struct pollfd fds[3] = {
		{ .fd = m->e->doorbell[0], .events = POLLIN },
		{ .fd = m->e->wake_model, .events = POLLIN },
		{ .fd = m->screen ? screen_fd(m->screen) : -1, .events = POLLIN },
	};

	if (ppoll(fds, 3, &timeout, NULL) < 0 && errno != EINTR)
		fail("poll: %s", strerror(errno));
	event_clear(m->e->doorbell[0]); /* every register is looked at anyway when the next Frame starts */
	if (fds[1].revents) {
		event_clear(m->e->wake_model);
		apply_settings(m);
		if (atomic_load(&m->shared->grab_wanted) != atomic_load(&m->shared->grab_done))
			start_frame(m);
	}
	if (fds[2].revents)
		take_screen(m);
}

void model_run(const struct engine *e)
{
	static struct model m;

	m.e = e;
	m.shared = e->shared;
	m.device.e = e;
	m.picture.pixels = calloc((size_t)ENGINE_MAX_WIDTH * ENGINE_MAX_HEIGHT, sizeof(uint32_t));
	if (!m.picture.pixels)
		fail("no memory for a picture");
	if (e->qmp_path)
		m.screen = screen_new(e, &m.picture);
	if (atomic_exchange(&m.shared->start_late, false))
		sleep(1); /* as an FPGA that loads its design */
	device_start(&m.device);
	apply_settings(&m);
	atomic_store(&m.shared->up_epoch, m.device.epoch);
	event_raise(e->wake_supervisor);
	for (;;) {
		uint64_t now = monotonic_ns();

		beat(&m, now);
		tick(&m, now);
		wait_for(&m, monotonic_ns());
	}
}
