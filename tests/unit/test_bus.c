// SPDX-License-Identifier: GPL-2.0-or-later
/* The bus: order, bounds, waking, and no descriptor lost with it. */
/* LINK: userland/device/bus.c | -lpthread */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/bus.h"

static bool readable(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, 0) == 1;
}

static void requests_come_in_order_and_are_bounded(void **state)
{
	struct bus *bus = bus_new();
	struct bus_request request = { .type = BUS_DISCONNECT };

	(void)state;
	assert_false(readable(bus_request_fd(bus)));
	for (unsigned i = 0; i < BUS_DEPTH; i++) {
		request.cookie = i;
		assert_true(bus_ask(bus, &request));
	}
	assert_false(bus_ask(bus, &request));
	assert_true(readable(bus_request_fd(bus)));
	for (unsigned i = 0; i < BUS_DEPTH; i++) {
		assert_true(bus_take_request(bus, &request));
		assert_int_equal(request.cookie, i);
	}
	assert_false(bus_take_request(bus, &request));
	assert_false(readable(bus_request_fd(bus)));
	assert_true(bus_ask(bus, &request));
	assert_true(readable(bus_request_fd(bus)));
	bus_free(bus);
}

static void count_wake(void *arg)
{
	++*(int *)arg;
}

static void answers_wake_their_reader(void **state)
{
	static struct bus_answer answer;
	struct bus_request request = { .type = BUS_STATUS };
	struct bus *bus = bus_new();
	int woken = 0;

	(void)state;
	bus_on_answer(bus, count_wake, &woken);
	for (unsigned i = 0; i < BUS_DEPTH; i++) {
		assert_true(bus_ask(bus, &request));
		assert_true(bus_take_request(bus, &request));
		answer.cookie = i;
		bus_answer(bus, &answer);
	}
	/* No more is asked than can be answered. */
	assert_false(bus_ask(bus, &request));
	request.type = BUS_CANCEL;
	assert_true(bus_ask(bus, &request));
	assert_int_equal(woken, BUS_DEPTH);
	for (unsigned i = 0; i < BUS_DEPTH; i++) {
		assert_true(bus_take_answer(bus, &answer));
		assert_int_equal(answer.cookie, i);
	}
	assert_false(bus_take_answer(bus, &answer));
	request.type = BUS_STATUS;
	assert_true(bus_ask(bus, &request));
	bus_free(bus);
}

static void changes_are_told_once(void **state)
{
	struct bus *bus = bus_new();
	int woken = 0;

	(void)state;
	bus_on_answer(bus, count_wake, &woken);
	assert_false(bus_take_change(bus));
	for (int i = 0; i < 1000; i++)
		bus_change(bus);
	assert_int_equal(woken, 1000);
	assert_true(bus_take_change(bus));
	assert_false(bus_take_change(bus));
	bus_free(bus);
}

static void freeing_closes_descriptors_on_the_way(void **state)
{
	struct bus_request request = { .type = BUS_OPEN };
	struct bus *bus = bus_new();
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	request.fd = fd[0];
	assert_true(bus_ask(bus, &request));
	bus_free(bus);
	assert_int_equal(fcntl(fd[0], F_GETFD), -1);
	assert_int_equal(errno, EBADF);
	close(fd[1]);
}

static void ends_come_in_order_and_wake(void **state)
{
	struct bus *bus = bus_new();
	struct bus_end end;
	char text[2 * BUS_WHY_SIZE];
	int woken = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	bus_on_answer(bus, count_wake, &woken);
	assert_false(bus_take_end(bus, &end));
	for (unsigned i = 0; i < BUS_DEPTH + 5; i++)
		bus_end(bus, i, i ? "idle for too long" : text);
	assert_int_equal(woken, BUS_DEPTH + 5);
	for (unsigned i = 0; i < BUS_DEPTH; i++) {
		assert_true(bus_take_end(bus, &end));
		assert_int_equal(end.cookie, i);
		assert_int_equal(strlen(end.why), i ? strlen("idle for too long") : BUS_WHY_SIZE - 1);
	}
	assert_false(bus_take_end(bus, &end));
	bus_end(bus, 7, "");
	assert_true(bus_take_end(bus, &end));
	assert_int_equal(end.cookie, 7);
	bus_free(bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_come_in_order_and_wake),
		cmocka_unit_test(requests_come_in_order_and_are_bounded),
		cmocka_unit_test(answers_wake_their_reader),
		cmocka_unit_test(changes_are_told_once),
		cmocka_unit_test(freeing_closes_descriptors_on_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
