/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An epoll loop with intrusive sources and timers: watching, changing and
 * timing allocate nothing. One loop belongs to one thread.
 */
#ifndef KVMNET_LIB_LOOP_H
#define KVMNET_LIB_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* A watched descriptor. The owner keeps it alive until loop_unwatch(); after that no event of it is
 * delivered, not even one that epoll had already returned. */
struct loop_source {
	int fd;
	uint32_t events; /* EPOLLIN | EPOLLOUT | ... */
	void (*ready)(struct loop_source *source, uint32_t events);
	int slot; /* the loop's own */
};

struct loop_timer {
	uint64_t due_ns; /* CLOCK_MONOTONIC; 0: not armed */
	void (*expired)(struct loop_timer *timer);
	struct loop_timer *next, **prev; /* the loop's own */
};

struct loop *loop_new(void); /* NULL with errno */
void loop_free(struct loop *loop);
int loop_run(struct loop *loop); /* until loop_stop() or loop_fail(); 0 or -errno */
void loop_stop(struct loop *loop);
void loop_fail(struct loop *loop, int error); /* loop_run() returns -errno; without effect before it */

int loop_watch(struct loop *loop, struct loop_source *source); /* 0 or -errno */
int loop_change(struct loop *loop, struct loop_source *source, uint32_t events);
void loop_unwatch(struct loop *loop, struct loop_source *source);

uint64_t loop_now_ns(void);
void loop_timer_arm(struct loop *loop, struct loop_timer *timer, uint64_t after_ns);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);

#endif
