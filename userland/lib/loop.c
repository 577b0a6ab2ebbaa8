// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The epoll loop: readiness to callbacks, and a sorted list of timers. It knows
 * nothing of what the descriptors are.
 */
#include "lib/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define LOOP_SOURCES 512
#define LOOP_BATCH 64

/* A slot outlives its source: events that epoll returned before an unwatch carry the old generation. */
struct slot {
	struct loop_source *source;
	uint32_t generation;
	int next_free;
};

struct loop {
	int epoll;
	bool stopped;
	int error;	/* loop_run()'s result: 0 or -errno */
	int first_free; /* -1: none */
	struct loop_timer *timers;
	struct slot slots[LOOP_SOURCES];
};

uint64_t loop_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		free(loop);
		return NULL;
	}
	for (int i = 0; i < LOOP_SOURCES; i++)
		loop->slots[i].next_free = i + 1 < LOOP_SOURCES ? i + 1 : -1;
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->epoll);
	free(loop);
}

static struct epoll_event slot_event(const struct loop *loop, int slot, uint32_t events)
{
	struct epoll_event event = { .events = events };

	event.data.u64 = (uint64_t)loop->slots[slot].generation << 32 | (uint32_t)slot;
	return event;
}

int loop_watch(struct loop *loop, struct loop_source *source)
{
	int slot = loop->first_free;
	struct epoll_event event;

	if (slot < 0)
		return -ENOSPC;
	event = slot_event(loop, slot, source->events);
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0)
		return -errno;
	loop->first_free = loop->slots[slot].next_free;
	loop->slots[slot].source = source;
	source->slot = slot;
	return 0;
}

int loop_change(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = slot_event(loop, source->slot, events);

	if (source->events == events)
		return 0;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_MOD, source->fd, &event) < 0)
		return -errno;
	source->events = events;
	return 0;
}

void loop_unwatch(struct loop *loop, struct loop_source *source)
{
	struct slot *slot = &loop->slots[source->slot];

	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	slot->source = NULL;
	slot->generation++;
	slot->next_free = loop->first_free;
	loop->first_free = source->slot;
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	(void)loop;
	if (!timer->due_ns)
		return;
	*timer->prev = timer->next;
	if (timer->next)
		timer->next->prev = timer->prev;
	timer->due_ns = 0;
}

void loop_timer_arm(struct loop *loop, struct loop_timer *timer, uint64_t after_ns)
{
	struct loop_timer **at = &loop->timers;

	loop_timer_cancel(loop, timer);
	timer->due_ns = loop_now_ns() + after_ns;
	while (*at && (*at)->due_ns <= timer->due_ns)
		at = &(*at)->next;
	timer->next = *at;
	timer->prev = at;
	if (timer->next)
		timer->next->prev = &timer->next;
	*at = timer;
}

/* Only timers due at the start of the round: one that arms itself with 0 again does not starve others. */
static void run_timers(struct loop *loop)
{
	uint64_t now = loop_now_ns();

	while (!loop->stopped && loop->timers && loop->timers->due_ns <= now) {
		struct loop_timer *timer = loop->timers;

		loop_timer_cancel(loop, timer);
		timer->expired(timer);
	}
}

/* Rounded up, so that a timer is due when epoll_wait() comes back. */
static int wait_ms(const struct loop *loop)
{
	uint64_t now, left;

	if (!loop->timers)
		return -1;
	now = loop_now_ns();
	if (loop->timers->due_ns <= now)
		return 0;
	left = (loop->timers->due_ns - now + 999999u) / 1000000u;
	return left > 3600000u ? 3600000 : (int)left;
}

static void deliver(struct loop *loop, const struct epoll_event *event)
{
	struct slot *slot = &loop->slots[(uint32_t)event->data.u64];

	if (slot->source && slot->generation == event->data.u64 >> 32)
		slot->source->ready(slot->source, event->events);
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[LOOP_BATCH];

	loop->stopped = false;
	loop->error = 0;
	while (!loop->stopped) {
		int n = epoll_wait(loop->epoll, events, LOOP_BATCH, wait_ms(loop));

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !loop->stopped; i++)
			deliver(loop, &events[i]);
		run_timers(loop);
	}
	return loop->error;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

void loop_fail(struct loop *loop, int error)
{
	loop->error = -error;
	loop->stopped = true;
}
