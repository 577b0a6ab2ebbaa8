// SPDX-License-Identifier: GPL-2.0-or-later
/* The event loop: readiness, unwatching inside a callback, order of timers. */
/* LINK: userland/lib/loop.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/loop.h"

struct end {
	struct loop_source source;
	struct end *other;
	struct loop *loop;
	int calls;
};

static void take_one(struct loop_source *source, uint32_t events)
{
	struct end *end = (struct end *)source;
	char c;

	assert_true(events & EPOLLIN);
	assert_int_equal(read(source->fd, &c, 1), 1);
	end->calls++;
	loop_stop(end->loop);
}

static void drop_other(struct loop_source *source, uint32_t events)
{
	struct end *end = (struct end *)source;

	(void)events;
	end->calls++;
	loop_unwatch(end->loop, &end->other->source);
	loop_unwatch(end->loop, source);
}

struct stopper {
	struct loop_timer timer;
	struct loop *loop;
	char **log;
	char name;
};

static void stop_after(struct loop_timer *timer)
{
	struct stopper *stopper = (struct stopper *)timer;

	if (stopper->log)
		*(*stopper->log)++ = stopper->name;
	if (stopper->loop)
		loop_stop(stopper->loop);
}

static void readable_descriptor_calls_its_source(void **state)
{
	struct end end = { .source = { .events = EPOLLIN, .ready = take_one } };
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	end.loop = loop_new();
	end.source.fd = fd[0];
	assert_int_equal(loop_watch(end.loop, &end.source), 0);
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_int_equal(loop_run(end.loop), 0);
	assert_int_equal(end.calls, 1);
	loop_unwatch(end.loop, &end.source);
	loop_free(end.loop);
	close(fd[0]);
	close(fd[1]);
}

static void no_event_after_unwatch_in_the_same_round(void **state)
{
	struct end a = { .source = { .events = EPOLLIN, .ready = drop_other } };
	struct end b = { .source = { .events = EPOLLIN, .ready = drop_other } };
	struct stopper stopper = { .timer = { .expired = stop_after } };
	int pa[2], pb[2];

	(void)state;
	assert_int_equal(pipe(pa), 0);
	assert_int_equal(pipe(pb), 0);
	a.loop = b.loop = stopper.loop = loop_new();
	a.other = &b;
	b.other = &a;
	a.source.fd = pa[0];
	b.source.fd = pb[0];
	assert_int_equal(loop_watch(a.loop, &a.source), 0);
	assert_int_equal(loop_watch(a.loop, &b.source), 0);
	assert_int_equal(write(pa[1], "x", 1), 1);
	assert_int_equal(write(pb[1], "x", 1), 1);
	loop_timer_arm(a.loop, &stopper.timer, 1);
	assert_int_equal(loop_run(a.loop), 0);
	assert_int_equal(a.calls + b.calls, 1);
	loop_free(a.loop);
	close(pa[0]), close(pa[1]), close(pb[0]), close(pb[1]);
}

static int by_time(const void *left, const void *right)
{
	const struct stopper *a = *(struct stopper *const *)left, *b = *(struct stopper *const *)right;

	return a->timer.due_ns < b->timer.due_ns ? -1 : 1;
}

/* The time runs while they are armed: which one is due first is what their due_ns say. */
static void timers_expire_in_order_of_their_time(void **state)
{
	char log[8] = "", *at = log, expected[4] = "";
	struct stopper a = { .timer = { .expired = stop_after }, .log = &at, .name = 'a' };
	struct stopper b = a, c = a, gone = a;
	struct stopper *order[] = { &a, &b, &c };
	struct loop *loop = loop_new();

	(void)state;
	b.name = 'b', c.name = 'c', gone.name = 'x';
	loop_timer_arm(loop, &c.timer, 3000000);
	loop_timer_arm(loop, &a.timer, 1000000);
	loop_timer_arm(loop, &gone.timer, 1500000);
	loop_timer_arm(loop, &b.timer, 9000000);
	loop_timer_arm(loop, &b.timer, 2000000);
	loop_timer_cancel(loop, &gone.timer);
	qsort(order, 3, sizeof(order[0]), by_time);
	order[2]->loop = loop;
	for (int i = 0; i < 3; i++)
		expected[i] = order[i]->name;
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(log, expected);
	assert_int_equal(c.timer.due_ns, 0);
	loop_free(loop);
}

static void what_cannot_be_watched_is_an_error(void **state)
{
	struct loop *loop = loop_new();
	struct loop_source source = { .fd = -1, .events = EPOLLIN };

	(void)state;
	assert_int_equal(loop_watch(loop, &source), -EBADF);
	loop_free(loop);
}

static void the_table_of_sources_is_bounded(void **state)
{
	static struct loop_source sources[513];
	struct loop *loop = loop_new();
	int fd[2], made = 0, err = 0;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	for (; made < 513 && !err; made++) {
		sources[made].fd = dup(fd[0]);
		assert_true(sources[made].fd >= 0);
		err = loop_watch(loop, &sources[made]);
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(made, 513);
	loop_unwatch(loop, &sources[100]);
	assert_int_equal(loop_watch(loop, &sources[512]), 0);
	for (int i = 0; i < made; i++)
		close(sources[i].fd);
	loop_free(loop);
	close(fd[0]), close(fd[1]);
}

static void fail_after(struct loop_timer *timer)
{
	loop_fail(((struct stopper *)timer)->loop, EPERM);
}

static void a_failure_ends_one_run(void **state)
{
	struct loop *loop = loop_new();
	struct stopper failing = { .timer = { .expired = fail_after }, .loop = loop },
		       stopping = { .timer = { .expired = stop_after }, .loop = loop };

	(void)state;
	loop_timer_arm(loop, &failing.timer, 0);
	assert_int_equal(loop_run(loop), -EPERM);
	loop_timer_arm(loop, &stopping.timer, 0);
	assert_int_equal(loop_run(loop), 0);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readable_descriptor_calls_its_source),
		cmocka_unit_test(no_event_after_unwatch_in_the_same_round),
		cmocka_unit_test(timers_expire_in_order_of_their_time),
		cmocka_unit_test(what_cannot_be_watched_is_an_error),
		cmocka_unit_test(a_failure_ends_one_run),
		cmocka_unit_test(the_table_of_sources_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
